"""HTTP in, SMPP out, receipt recorded: gateway and simulator as processes of their own."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import aiohttp

from tests.integration.running import SMOOTH, gateway, message, simulator, write_config
from tests.smpp.certificates import CertificateAuthority

CHINESE_LONG = "您的包裹今天未能送达，我们将在明天上午再次投递，如需更改时间请联系客服。" * 4
PHONE = {"User-Agent": "Mozilla/5.0 (iPhone) Safari/604.1", "Accept-Language": "zh"}


async def test_every_message_is_sent_once_receipted_and_adds_up(
    database_url: str, folder: Path
) -> None:
    bodies = [message(n, category=("otp", "transactional", "marketing")[n % 3]) for n in range(300)]
    bodies += [message(n + 300, text=CHINESE_LONG) for n in range(20)]
    async with simulator(folder) as sim:
        async with gateway(write_config(folder, database_url, sim.port)) as running:
            items = await running.send(bodies)
            counts = await running.until(delivered=len(bodies))
            view = await running.message(items[-1]["id"])
            kinds = await running.kinds(items[-1]["id"])
        assert running.child.process.returncode == 0
    assert counts["accepted"] == counts["sent"] == counts["delivered"] == len(bodies)
    assert counts["pending"] == 0
    parts = view["parts"]
    assert parts == 3
    assert view["parts_delivered"] == parts
    assert view["to"] == "+86138****1000"
    assert kinds[0] == "accepted"
    assert sorted(kinds[1:]) == sorted(["submitted", "sent", "receipt"] * parts)
    lines = sim.accepted()
    assert len(lines) == len({(line.destination, line.part) for line in lines}) == 300 + 20 * 3
    long = sorted(
        (line for line in lines if line.destination == "8613803191000"), key=lambda line: line.part
    )
    assert "".join(line.text for line in long) == CHINESE_LONG


async def test_e11_receipts_before_their_response_and_twice_are_counted_once(
    database_url: str, folder: Path
) -> None:
    profile = SMOOTH + "receipts_early_share = 1.0\nreceipts_duplicated_share = 1.0\n"
    async with (
        simulator(folder, profile) as sim,
        gateway(write_config(folder, database_url, sim.port)) as running,
    ):
        await running.send([message(n) for n in range(200)])
        counts = await running.until(delivered=200)
    assert counts["accepted"] == counts["delivered"] == 200


async def test_an_unknown_subscriber_is_not_texted_again(database_url: str, folder: Path) -> None:
    gone = message(1, to="+8613800000001")  # the simulator's script: UNDELIV, err 001
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port)) as running,
    ):
        (first,) = await running.send([gone])
        await running.until(undelivered=1)
        assert (await running.message(first["id"]))["reason"] == "number_unknown"
        (second,) = await running.send([gone])
        assert (second["status"], second["reason"]) == ("suppressed", "number_unknown")
        assert await running.kinds(second["id"]) == ["accepted", "suppressed"]
        counts = await running.counts()
    assert (counts["undelivered"], counts["suppressed"]) == (1, 1)
    assert len(sim.ledger()) == 1


async def test_refused_and_silent_ends_are_told_apart(database_url: str, folder: Path) -> None:
    ends = {"0006": "rejected", "0003": "expired", "0027": "undelivered", "0004": "rejected"}
    bodies = [
        message(n, to=f"+8613800{n:02d}{digits}") for n, digits in enumerate([*ends, "0005"], 10)
    ]
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port)) as running,
    ):
        items = await running.send(bodies)
        counts = await running.until(rejected=2, expired=1, undelivered=1, sent=5)
        views = [await running.message(item["id"]) for item in items]
        _, report = await running.call("GET", "/v1/reports/failures")
        _, took = await running.call("GET", "/v1/reports/latency")
    failures = [(each["status"], each["carrier_code"]) for each in report["failures"]]
    assert ("rejected", "ESME_RINVDSTADR") in failures
    assert sorted(status for status, _ in failures) == sorted(ends.values())
    assert sum(each["parts"] for each in report["failures"]) == len(ends)
    assert {each["connector"] for each in report["failures"]} == {"sim"}
    assert sum(each["parts"] for each in took["accepted_to_submit"]) == 5
    assert all(0 < each["p50"] <= each["p99"] for each in took["accepted_to_submit"])
    assert sum(each["parts"] for each in took["submit_to_receipt"]) == 3
    assert [view["status"] for view in views] == [*ends.values(), "sent"]
    assert views[0]["error"] == "ESME_RINVDSTADR"
    assert (counts["accepted"], counts["pending"]) == (5, 1)


async def test_a_carrier_that_answers_too_late_gets_nothing_twice(
    database_url: str, folder: Path
) -> None:
    profile = SMOOTH.replace("latency_ms = 1\n", "latency_ms = 1800\n")
    connector = "response_timeout_seconds = 1"
    async with (
        simulator(folder, profile) as sim,
        gateway(write_config(folder, database_url, sim.port, connector=connector)) as running,
    ):
        (otp, offer) = await running.send(
            [message(1, category="otp"), message(2, category="marketing")]
        )
        await running.until(delivered=2)
        assert "in_doubt" in await running.kinds(otp["id"])
        assert "in_doubt" not in await running.kinds(offer["id"])  # it would not have been repeated
    assert len(sim.ledger()) == 2


async def test_a_clicked_link_shows_on_the_timeline_and_in_the_funnel(
    database_url: str, folder: Path
) -> None:
    text = "Track it: https://shop.example/track/42?x=1"
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port)) as running,
        aiohttp.ClientSession(headers=PHONE) as phone,
    ):
        (item,) = await running.send([message(1, text=text, campaign_id="c1")])
        await running.until(delivered=1)
        (line,) = sim.accepted()
        link = re.search(r"http://\S+", line.text)
        assert link is not None
        async with phone.get(link[0], allow_redirects=False) as response:
            assert response.status == 302
            assert response.headers["Location"] == "https://shop.example/track/42?x=1"
            assert "no-store" in response.headers["Cache-Control"]
        while "click" not in await running.kinds(item["id"]):
            pass
        _, funnel = await running.call("GET", "/v1/reports/funnel?group_by=campaign")
    (group,) = funnel["groups"]
    assert group["key"] == {"campaign": "c1"}
    rate = group["rates"]["uctr_delivered"]
    assert (rate["numerator"], rate["denominator"]) == (1, 1)


async def test_a_throttling_carrier_gets_everything_in_the_end(
    database_url: str, folder: Path
) -> None:
    profile = SMOOTH + "rate_per_second = 150\n"
    connector = 'rate = "400/s"'
    async with (
        simulator(folder, profile) as sim,
        gateway(write_config(folder, database_url, sim.port, connector=connector)) as running,
    ):
        await running.send([message(n) for n in range(250)])
        counts = await running.until(delivered=250)
    assert counts["accepted"] == counts["delivered"] == 250
    accepted = [line.destination for line in sim.accepted()]
    assert len(accepted) == len(set(accepted)) == 250
    assert len(sim.ledger()) > 250  # it did throttle


async def test_sigterm_finishes_the_window_and_loses_nothing(
    database_url: str, folder: Path
) -> None:
    async with simulator(folder, "answer_latency_ms = 300\nreceipt_delay_ms = 0\n") as sim:
        config = write_config(folder, database_url, sim.port, connector="window = 50")
        async with gateway(config) as running:
            await running.send([message(n) for n in range(120)])
            while not sim.ledger():
                pass
            running.signal(signal.SIGTERM)
            assert await running.exit() == 0
        before = len(sim.accepted())
        assert 0 < before < 120
        async with gateway(config) as running:
            counts = await running.until(delivered=120)
    assert counts["unconfirmed"] == 0
    accepted = [line.destination for line in sim.accepted()]
    assert len(accepted) == len(set(accepted)) == 120


async def test_an_account_with_a_rate_is_paced_and_its_otp_is_not(
    database_url: str, folder: Path
) -> None:
    rest = '[[accounts]]\nname = "default"\nrate = "40/s,burst=10"\n'
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port, rest=rest)) as running,
    ):
        began = time.time()
        await running.send([message(n) for n in range(50)])
        await running.send([message(99, category="otp")])
        await running.until(delivered=51)
    lines = sim.accepted()
    # Ten at once, then 40 a second: the last of 50 goes a second after the request at the earliest.
    # That holds however busy the machine is. The OTP does not wait.
    assert lines[-1].at - began > 0.95
    (otp,) = [line for line in lines if line.destination == "8613800991000"]
    assert lines.index(otp) < 30


async def test_e60_a_carrier_that_speaks_tls(database_url: str, folder: Path) -> None:
    authority = CertificateAuthority(folder)
    certificate = authority.issue("carrier", names=("smsc.example",))
    connector = f"""
tls = true
tls_ca_file = {json.dumps(authority.ca_file)}
tls_server_name = "smsc.example"
"""
    capture = folder / "capture.jsonl"
    more = ("--tls-certificate", certificate, "--capture", str(capture))
    async with simulator(folder, more=more) as sim:
        async with gateway(
            write_config(folder, database_url, sim.port, connector=connector)
        ) as running:
            await running.send([message(n) for n in range(20)])
            await running.until(delivered=20)
        async with gateway(write_config(folder, database_url, sim.port)) as plain:
            _, ready = await plain.call("GET", "/readyz")
            assert not ready["ready"]
    assert len(sim.accepted()) == 20
    assert b"submit_sm" in capture.read_bytes()
