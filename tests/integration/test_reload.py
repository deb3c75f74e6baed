"""The configuration and the pace of connectors, changed under a running gateway."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.cli import main
from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.configuration import Connector
from gateway.rehearsal.running import Running
from smpp.pdu import DeliverSm
from tests.integration.carrier import Carrier, carrier, deliver_and_confirm
from tests.integration.running import create_key, gateway, message, write_config

POLICIES = """
[validity]
service = 77
[quiet_hours]
transactional = "{hours}"
action = "reject"
[[accounts]]
name = "default"
require_consent = ["marketing"]
countries = ["CN"]
requests_rate = "7/s,burst=70"
rate = "50/s"
opt_out_keywords = ["BASTA"]
"""


async def admin(running: Running, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with running.session.request(
        method, running.api + path, json=body, headers=await headers(running)
    ) as response:
        return response.status, await response.json(content_type=None)


async def reloaded(running: Running) -> Any:
    """Asked again for as long as an earlier reload is being carried out."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            status, done = await admin(running, "POST", "/v1/admin/reload")
            if status == 200:
                return done
            assert (status, done["code"]) == (409, "reload_running"), running.log()[-3000:]
            await asyncio.sleep(POLL_SECONDS)


async def headers(running: Running) -> dict[str, str]:
    kept = running.config.with_suffix(".admin.key")
    if not kept.exists():
        kept.write_text(await create_key(running.config, "ops", "--scopes", "admin"))
    return {"Authorization": f"Bearer {kept.read_text()}"}


async def view(running: Running, name: str) -> dict[str, Any]:
    _, answer = await admin(running, "GET", "/v1/connectors")
    found: dict[str, Any] = next(each for each in answer["data"] if each["name"] == name)
    return found


async def shows(running: Running, name: str, right: Callable[[dict[str, Any]], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not right(await view(running, name)):
            await asyncio.sleep(POLL_SECONDS)


async def logged(running: Running, words: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while words not in running.log():
            await asyncio.sleep(POLL_SECONDS)


def change(running: Running, old: str, new: str) -> None:
    text = running.config.read_text()
    assert old in text
    running.config.write_text(text.replace(old, new))


async def test_a_running_gateway_follows_its_operator(database_url: str, folder: Path) -> None:
    async with (
        carrier(deliver_and_confirm) as first,
        carrier(deliver_and_confirm) as second,
        gateway(write_config(folder, database_url, first.port)) as running,
    ):
        await pausing_and_rating(running, first)
        await a_wrong_file_changes_nothing(running, first)
        await a_connector_comes_and_another_goes(running, first, second)
        await one_that_is_still_changing_refuses_and_others_do_not(running, first)
        await policies_follow(running, first)
        await fewer_lines_are_written(running)
        sent = Counter(submit.to for smsc in (first, second) for submit in smsc.submits)
        assert set(sent.values()) == {1}


async def pausing_and_rating(running: Running, first: Carrier) -> None:
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"paused": True})
    assert (status, shown["paused"], shown["withheld"]) == (200, True, ["paused"])
    (told,) = [line for line in running.log().splitlines() if '"connector_changed"' in line]
    assert json.loads(told)["request_id"].startswith("req_")
    await running.send([message(number) for number in range(5)])
    assert first.submits == []
    status, shown = await admin(
        running, "PATCH", "/v1/connectors/sim", {"paused": False, "rate": "100/s"}
    )
    assert (status, shown["paused"], shown["rate_max"]) == (200, False, "100/s")
    await running.until(delivered=5)
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"rate": "0/s"})
    assert shown["withheld"] == ["rate 0"]
    status, shown = await admin(running, "PATCH", "/v1/connectors/sim", {"rate": None})
    assert (shown["withheld"], shown["rate_max"]) == ([], None)
    for path, body, wanted in (
        ("sim", {"rate": "fast"}, 422), ("sim", {"pace": 1}, 422), ("none", {}, 404),
    ):  # fmt: skip
        status, _ = await admin(running, "PATCH", f"/v1/connectors/{path}", body)
        assert status == wanted
    status, _ = await running.call("PATCH", "/v1/connectors/sim", {"paused": True})
    assert status == 403


async def a_wrong_file_changes_nothing(running: Running, first: Carrier) -> None:
    change(running, 'via = ["sim"]', 'via = ["sum"]')
    status, answer = await admin(running, "POST", "/v1/admin/reload")
    assert (status, answer["code"]) == (422, "config_invalid")
    assert "routes[0].via[0]: no connector 'sum'" in answer["detail"]
    running.signal(signal.SIGHUP)
    await logged(running, "reload_refused")
    await running.send([message(10)])
    await running.until(delivered=6)
    change(running, 'via = ["sum"]', 'via = ["sim"]')
    await what_would_take_all_away_is_refused(running)


async def what_would_take_all_away_is_refused(running: Running) -> None:
    """O1: a file that is gone, empty, or cut short; and an account whose keys would be left."""
    whole = running.config.read_text()
    http = whole[whole.index("[http]") : whole.index("[[connectors]]")]
    database = whole[: whole.index("[http]")]
    for text, words in (
        (None, "No such file"),
        ("", "this would remove every connector (sim)"),
        (database + http, "this would remove every connector (sim)"),
        (whole + '[[accounts]]\nname = "other"\n', "this would remove the accounts default"),
    ):
        running.config.unlink(missing_ok=True)
        if text is not None:
            running.config.write_text(text)
        if text is None:
            running.signal(signal.SIGHUP)
            await logged(running, words)
        for body in (None, {}, {"allow_removals": False}):
            status, answer = await admin(running, "POST", "/v1/admin/reload", body)
            assert (status, answer["code"]) == (422, "config_invalid")
            assert words in answer["detail"]
    running.config.write_text(whole)
    assert (await view(running, "sim"))["up"]


async def test_o1_what_is_meant_to_go_goes_when_it_is_said(
    database_url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        carrier(deliver_and_confirm) as smsc,
        gateway(write_config(folder, database_url, smsc.port)) as running,
    ):
        whole = running.config.read_text()
        rest = whole[whole.index("[http]") : whole.index("[[connectors]]")]
        address = running.api.removeprefix("http://")
        rest = rest.replace("127.0.0.1:0", address, 1)  # where the command finds the gateway
        running.config.write_text(whole[: whole.index("[http]")] + rest)
        key = (await headers(running))["Authorization"].removeprefix("Bearer ")
        flags = ["config", "reload", "--config", str(running.config), "--key", key]
        assert await asyncio.to_thread(main, flags) == 1
        assert "--allow-removals" in capsys.readouterr().err
        assert await asyncio.to_thread(main, [*flags, "--allow-removals"]) == 0
        assert "removed: sim" in capsys.readouterr().out
        _, answer = await admin(running, "GET", "/v1/connectors")
        assert answer["data"] == []


async def a_connector_comes_and_another_goes(
    running: Running, first: Carrier, second: Carrier
) -> None:
    change(running, "[[routes]]", Connector("other", second.port).toml() + "[[routes]]")
    change(running, 'name = "sim"', 'name = "sim"\nrate = "500/s"\nwindow = 7')
    change(running, "[links]", "batch_items_max = 100\n[links]")
    status, done = await admin(running, "POST", "/v1/admin/reload")
    assert (status, done) == (
        200,
        {
            "added": ["other"], "removed": [], "adjusted": ["sim"], "rebinding": [],
            "restart_needed": ["http.batch_items_max"],
        },
    )  # fmt: skip
    shown = await view(running, "sim")
    assert (shown["window"], shown["rate_max"]) == (7, "500/s")
    await shows(running, "other", lambda shown: bool(shown["up"]))
    assert first.sessions == 1  # its bind was left alone

    change(running, 'via = ["sim"]', 'via = ["other", "sim"]')
    change(running, 'name = "sim"\n', 'name = "sim"\nsystem_type = "x"\n')
    running.signal(signal.SIGHUP)
    await first.until(lambda: first.sessions == 2)  # rebound
    await running.send([message(number) for number in range(20, 25)])
    await second.submitted(5)
    assert second.sessions == 1

    # The connector goes while messages wait for it: they go by the one that is left.
    await admin(running, "PATCH", "/v1/connectors/other", {"rate": "1/s"})
    await running.send([message(number, category="marketing") for number in range(30, 60)])
    change(running, Connector("other", second.port).toml(), "")
    change(running, 'via = ["other", "sim"]', 'via = ["sim"]')
    done = await reloaded(running)
    assert done["removed"] == ["other"]
    await running.until(delivered=41)


async def one_that_is_still_changing_refuses_and_others_do_not(
    running: Running, first: Carrier
) -> None:
    """A bind that drains, since an answer is missing, is not changed again; all else is."""
    first.react = lambda submit: None
    before = len(first.submits)
    await running.send([message(70)])
    await first.submitted(before + 1)
    change(running, 'system_type = "x"', 'system_type = "y"')
    assert (await reloaded(running))["rebinding"] == ["sim"]
    change(running, 'system_type = "y"', 'system_type = "z"')
    status, answer = await admin(running, "POST", "/v1/admin/reload")
    assert (status, answer["code"]) == (409, "reload_running")
    assert answer["detail"].endswith("to sim")
    change(running, 'system_type = "z"', 'system_type = "y"')
    change(running, "[links]", "[limits]\nmessage_parts_max = 2\n[links]")
    status, done = await admin(running, "POST", "/v1/admin/reload")
    assert (status, done["restart_needed"]) == (200, ["http.batch_items_max"])
    status, answer = await running.call("POST", "/v1/messages", message(71, text="x" * 400))
    assert (status, answer["errors"][0]["code"]) == (422, "text_too_long")
    first.react = deliver_and_confirm
    deliver_and_confirm(first.submits[-1])
    await running.until(delivered=42)
    await first.until(lambda: first.sessions == 3)
    await shows(running, "sim", lambda shown: bool(shown["up"]))


async def fewer_lines_are_written(running: Running) -> None:
    """Of this reload on: it is no error, so it is not told."""
    before = running.log().count('"event": "reloaded"')
    assert before > 0
    change(running, "[links]", '[logs]\nlevel = "error"\n[links]')
    await reloaded(running)
    assert running.log().count('"event": "reloaded"') == before


async def policies_follow(running: Running, first: Carrier) -> None:
    """Each holds for the next message; the connector's bind is left alone."""
    sessions = first.sessions
    plain = message(80, category="marketing")
    assert await decisions(running, plain) == ("accepted", [])
    hour = datetime.now(ZoneInfo("Asia/Shanghai")).hour
    hours = f"{(hour - 6) % 24:02}:00-{(hour + 6) % 24:02}:00"
    running.config.write_text(running.config.read_text() + POLICIES.format(hours=hours))
    reading = 'receipt_group = "one"\nreceipt_id_first = "text"\n'
    change(running, 'name = "sim"\n', f'name = "sim"\n{reading}')
    done = await reloaded(running)
    assert (done["adjusted"], done["restart_needed"]) == (["sim"], ["http.batch_items_max"])
    assert await decisions(running, plain) == ("suppressed", ["consent"])
    quiet = message(81, category="transactional")
    assert await decisions(running, quiet) == ("suppressed", ["quiet_hours"])
    status, answer = await running.call("POST", "/v1/messages", quiet | {"to": "+12025550123"})
    assert (status, answer["errors"][0]["code"]) == (422, "country_not_allowed")
    url = running.api + "/v1/messages"
    async with running.session.post(url, json=message(82, category="service")) as response:
        policy = response.headers["RateLimit-Policy"]
        assert policy == '"requests";q=7;w=1, "parts";q=50;w=1;qu="parts"'
        sent = await response.json()
    await running.until(delivered=43)
    found = await running.message(sent["id"])
    assert seconds(found["created_at"], found["expires_at"]) == 77
    assert first.live is not None
    reply = DeliverSm(
        0, source_addr=b"8613800821000", destination_addr=b"SHOP", short_message=b"basta"
    )
    first.live.deliver([(reply, None)])
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (await admin(running, "GET", "/v1/suppressions"))[1]["data"]:
            await asyncio.sleep(POLL_SECONDS)
    assert first.sessions == sessions


async def decisions(running: Running, body: dict[str, object]) -> tuple[str, list[str]]:
    """What a preview says would become of it, and by which rules."""
    status, answer = await running.call("POST", "/v1/messages/preview", body)
    assert status == 200, answer
    found = answer["items"][0]["message"]
    return found["status"], [each["rule"] for each in found["decisions"]]


def seconds(start: str, end: str) -> int:
    return round((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
