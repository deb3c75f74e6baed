"""What a whole run leaves behind: no clear number anywhere, no text but where it is kept.

Numbers and texts of this run are known. Logs, /metrics, journals and a dump of every table are
searched for them, in every spelling.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.rehearsal.running import Running
from smpp.simulator import Simulator
from smpp.simulator.profile import parse_profile
from storage.pool import Connection
from tests.integration.running import create_key, gateway, write_config
from tests.integration.test_inbound import deliver, texted

# Delivered; unknown, and so suppressed; refused; twice the receipt; nobody we know texts us.
RECIPIENTS = (
    "+8613812341000", "+8613812340001", "+8613812340006", "+4915112341000", "+8613812342000",
)  # fmt: skip
HANDSETS = ("+8613812343000", "+8613812344000")
SPOKEN_OF = ("+8613812345000", "+8613812346000", "+8613812347000")
NUMBERS = (*RECIPIENTS, *HANDSETS, *SPOKEN_OF)
NATIONAL = {"+86": "", "+49": "0"}
KEPT, DISCARDED, HEARD = "the-kept-text", "the-discarded-text", "the-heard-text"
PROFILE = """
answer_latency_ms = 1
receipt_delay_ms = [0, 20]
receipts_early_share = 0.3
receipts_duplicated_share = 0.5
"""
SCOPES = (
    "messages:send", "messages:read", "inbound:read", "suppressions:read", "suppressions:write",
    "numbers:read", "numbers:reveal", "consents:read", "consents:write", "complaints:read",
    "complaints:write", "reports:read",
)  # fmt: skip
QUICK = {"storage.text_ends.REST_SECONDS": 0.5}
SECONDS_MAX = 90


def spellings(number: str) -> Iterator[str]:
    """With +, without, with 00, as in its country, in groups, and as a hexadecimal dump has it."""
    digits = number[1:]
    national = NATIONAL[number[:3]] + digits[2:]
    forms = [
        number,
        digits,
        f"00{digits}",
        national,
        f"{national[:3]} {national[3:7]} {national[7:]}",
    ]
    yield from forms
    yield from (form.encode().hex() for form in forms)


def found_in(text: str) -> list[str]:
    """The numbers that stand in it."""
    return sorted({each for each in NUMBERS for form in spellings(each) if form in text})


def told_in(text: str, *markers: str) -> list[str]:
    """The texts that stand in it, also as octets and in UTF-16."""
    return sorted(
        marker
        for marker in markers
        for form in (marker, marker.encode().hex(), marker.encode("utf-16-be").hex())
        if form in text
    )


@asynccontextmanager
async def a_run(folder: Path, database_url: str) -> AsyncIterator[Running]:
    """A gateway that has done everything which has to do with people."""
    simulator = Simulator(parse_profile(PROFILE, "smooth"), "127.0.0.1", 0)
    await simulator.start()
    config = write_config(
        folder, database_url, simulator.port, connector='keep_raw = "all"\n',
        rest='[[accounts]]\nname = "default"\nopt_out_reply = "Bye."\n',
    )  # fmt: skip
    try:
        async with gateway(config, QUICK) as running:
            key = await create_key(config, "desk", "--scopes", *SCOPES)
            await _everything(running, simulator, {"Authorization": f"Bearer {key}"})
            yield running
    finally:
        await simulator.stop()


async def _everything(running: Running, simulator: Simulator, headers: dict[str, str]) -> None:
    async def ask(method: str, path: str, body: object = None, **more: str) -> int:
        async with running.session.request(
            method, running.api + path, json=body, headers=headers | more
        ) as answer:
            await answer.read()
            return answer.status

    for place, number in enumerate(RECIPIENTS):
        text = DISCARDED if place % 2 else KEPT
        body: dict[str, object] = {
            "to": number, "from": "SHOP", "text": f"{text} {place} https://shop.example/a",
            "client_ref": f"order-{place}",
            "retention": {"text": "discard" if place % 2 else "keep"},
        }  # fmt: skip
        for _ in range(2):  # the second is a repeat
            status = await ask("POST", "/v1/messages", body, **{"Idempotency-Key": f"k{place}"})
            assert status == 202
        batch = {"messages": [body | {"client_ref": None}]}
        assert await ask("POST", "/v1/messages/batch", batch) == 202
    link = (await running.get("/v1/messages?client_ref=order-0"))["data"][0]["text"].split()[-1]
    phone = {"User-Agent": "Mozilla/5.0 (iPhone) Safari/604.1", "Accept-Language": "zh"}
    path = link.rpartition("/")[2]
    async with running.session.get(
        f"{running.links}/{path}", headers=phone, allow_redirects=False
    ) as clicked:
        assert clicked.status == 302
    # What is wrong is refused, and not repeated in a log.
    assert await ask("POST", "/v1/messages", {"to": RECIPIENTS[0][1:], "text": KEPT}) == 422
    assert await ask("POST", "/v1/messages", {"to": RECIPIENTS[0] + "x", "text": 7}) in (400, 422)
    await deliver(simulator, texted("STOP", HANDSETS[0]))
    await deliver(simulator, texted(HEARD, HANDSETS[1]))
    assert (
        await ask("POST", "/v1/complaints", {"id": "c1", "to": SPOKEN_OF[0], "source": "carrier"})
        == 201
    )
    consent = {"to": SPOKEN_OF[1], "action": "granted", "source": "shop"}
    assert await ask("POST", "/v1/consents", consent) in (200, 201, 202)
    unwanted = {"suppressions": [{"number": SPOKEN_OF[2]}]}
    assert await ask("POST", "/v1/suppressions", unwanted) in (200, 201)
    for number in NUMBERS:
        await ask("GET", f"/v1/numbers/{number.replace('+', '%2B')}")
        await ask("GET", f"/v1/messages?to={number.replace('+', '%2B')}")
    shown = {"X-Reveal-Reason": "a test"}
    assert await ask("GET", "/v1/inbound?reveal=true", None, **shown) == 200
    assert await ask("GET", "/v1/suppressions?reveal=true", None, **shown) == 200


async def dump(connection: Connection) -> dict[str, str]:
    """Every table as COPY writes it."""
    tables = await connection.fetch(
        "SELECT c.relname FROM pg_class AS c WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition"
        " AND c.relnamespace = current_schema()::regnamespace"
    )
    found = {}
    for row in tables:
        into = io.BytesIO()
        await connection.copy_from_query(f'SELECT * FROM "{row["relname"]}"', output=into)
        found[row["relname"]] = into.getvalue().decode()
    return found


async def until_discarded(connection: Connection) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while await connection.fetchval(
            "SELECT count(*) FROM message WHERE text_days = 0 AND text <> ''"
        ):
            await asyncio.sleep(0.2)


async def test_a_run_leaves_no_clear_number_and_no_text_that_was_to_go(
    folder: Path, database_url: str, connection: Connection
) -> None:
    async with a_run(folder, database_url) as running:
        await until_discarded(connection)
        async with running.session.get(running.api + "/metrics") as answer:
            metrics = await answer.text()
        async with (
            aiohttp.ClientSession() as visitor,
            visitor.get(running.links + "/nothing") as missed,
        ):
            assert missed.status == 404
        tables = await dump(connection)
        log = running.log()
    journals = {
        path.name: path.read_bytes().decode("latin-1")
        for path in (folder / "data").rglob("*")
        if path.is_file()
    }
    places = {"log": log, "metrics": metrics, **journals}
    assert '"event"' in log
    assert "sms_inbound_" in metrics
    assert len(tables["message"].splitlines()) >= 2 * len(RECIPIENTS)
    for name, text in {**places, **tables}.items():
        assert found_in(text) == [], name
        assert told_in(text, DISCARDED) == [], name
    for name, text in places.items():
        assert told_in(text, KEPT, HEARD) == [], name
    assert told_in(tables["message"], KEPT) == [KEPT]  # it would be seen
    assert told_in(tables["inbound_message"], HEARD) == [HEARD]


@pytest.mark.parametrize("number", NUMBERS)
def test_every_spelling_of_a_number_is_seen(number: str) -> None:
    for form in spellings(number):
        assert found_in(f"… {form} …") == [number]
    assert found_in(f"{number[:6]}****{number[-4:]}") == []
