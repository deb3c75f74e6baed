"""Messages from handsets and opting out, through a running gateway and the simulated carrier."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.running import Running
from smpp.simulator import InboundMessage, Simulator
from smpp.simulator.ledger import LedgerLine, read_ledger
from smpp.simulator.profile import parse_profile
from smpp.text import encode_text
from tests.integration.running import SMOOTH, create_key, gateway, write_config

SENDER = "10690001"
HANDSETS = ("+8613800001000", "+8613800011000")
STAYS = "+8613800021000"
LONG = "".join(f"{number:03} " for number in range(100))  # three parts
WAITING = 40
SCOPES = (
    "inbound:read",
    "suppressions:read",
    "suppressions:write",
    "numbers:read",
    "contacts:write",
)
CONFIRMATION = b"You will get no more messages."
ACCOUNT = f"""
[[accounts]]
name = "default"
opt_out_category = "all"
opt_out_reply = "{CONFIRMATION.decode()}"
help_reply = "Ask at the shop."
"""


def texted(text: str, source: str, reference: int = 7) -> list[InboundMessage]:
    encoded = encode_text(text, reference=reference)
    return [
        InboundMessage(
            "sim", source.removeprefix("+").encode(), SENDER.encode(), part,
            data_coding=encoded.data_coding, esm_class=encoded.esm_class,
        )
        for part in encoded.parts
    ]  # fmt: skip


async def deliver(simulator: Simulator, messages: list[InboundMessage]) -> None:
    """Until the gateway has answered all of them."""
    for message in messages:
        simulator.send_message(message)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while simulator.held:
            await asyncio.sleep(POLL_SECONDS)


async def test_e77_e88_parts_in_every_order_then_stop_and_a_waiting_batch_ends(
    folder: Path, database_url: str
) -> None:
    """Two handsets with one reference, every order. Then one opts out while marketing to both
    waits: none to it goes out after its STOP is answered but the one confirmation.
    """
    ledger = folder / "carrier.jsonl"
    simulator = Simulator(parse_profile(SMOOTH, "smooth"), "127.0.0.1", 0, ledger_path=ledger)
    await simulator.start()
    config = write_config(
        folder,
        database_url,
        simulator.port,
        connector='rate = "20/s"\ndefault_alphabet = "latin1"',
        rest=ACCOUNT,
    )
    try:
        async with gateway(config) as running:
            await opting_out(running, simulator, ledger, config)
    finally:
        await simulator.stop()


async def test_e77_parts_and_messages_outlive_a_kill(folder: Path, database_url: str) -> None:
    """kill -9 with two of three parts answered, and with messages that may or may not have been.

    After the next start the carrier's repetitions complete the one and double none.
    """
    simulator = Simulator(
        parse_profile(SMOOTH + "receipt_resend_seconds = 0.2\n", "smooth"), "127.0.0.1", 0
    )
    await simulator.start()
    config = write_config(folder, database_url, simulator.port)
    first, second, third = texted(LONG, HANDSETS[0])
    try:
        async with gateway(config) as running:
            await deliver(simulator, [third, first])
            for number in range(200):
                simulator.send_message(texted(f"note {number}", HANDSETS[1])[0])
            running.kill()
            await running.exit()
        async with gateway(config) as running:
            await deliver(simulator, [second, second])
            key = await reading_key(config)
            received = [each["text"] for each in await asked(running, key, "/v1/inbound?limit=500")]
    finally:
        await simulator.stop()
    assert sorted(received) == sorted([LONG, *(f"note {number}" for number in range(200))])


async def reading_key(config: Path) -> str:
    return await create_key(config, "recipients", "--scopes", *SCOPES)


async def opting_out(running: Running, simulator: Simulator, ledger: Path, config: Path) -> None:
    key = await reading_key(config)
    for handset in HANDSETS:
        async with running.session.post(
            f"{running.api}/v1/contacts",
            json={"numbers": [handset]},
            headers={"Authorization": f"Bearer {key}"},
        ) as answer:
            assert answer.status == 201, await answer.text()
    await running.send([{"to": HANDSETS[0], "from": SENDER, "text": "Order 1 has been sent"}])
    await running.until(delivered=1)
    for reference, order in enumerate(permutations(range(3))):
        parts = [texted(LONG, handset, reference) for handset in HANDSETS]
        await deliver(simulator, [parts[k][part] for part in order for k in (0, 1)])
    received = await asked(running, key, "/v1/inbound")
    assert [each["text"] for each in received] == [LONG] * 12
    answering = [each["from"] for each in received if each["answers"] is not None]
    assert answering == ["+86138****1000"] * 6

    # Read as this connector's carrier writes.
    cafe = InboundMessage("sim", HANDSETS[0][1:].encode(), SENDER.encode(), b"caf\xe9")
    await deliver(simulator, [cafe])
    assert (await asked(running, key, "/v1/inbound"))[0]["text"] == "caf\u00e9"

    marketing = {"from": SENDER, "text": "Sale", "category": "marketing"}
    await running.send(
        [{"to": to, **marketing} for _ in range(WAITING) for to in (HANDSETS[0], STAYS)]
    )
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await running.send([{"to": HANDSETS[0], **marketing, "send_at": tomorrow}])
    await deliver(simulator, texted("Stop. Thank you", HANDSETS[0]))
    answered_at = time.time()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await running.metric('sms_optout_replies_total{outcome="sent"}') < 1:
            await asyncio.sleep(POLL_SECONDS)
        while (counts := await running.counts())["pending"]:
            await asyncio.sleep(POLL_SECONDS)
    # The confirmation may be there before we see STOP answered; nothing else comes after that.
    lines = sent_to(ledger, HANDSETS[0])
    late = [line for line in lines if line.at > answered_at]
    confirmations = [line for line in lines if bytes.fromhex(line.short_message) == CONFIRMATION]
    assert len(confirmations) == 1
    assert late in ([], confirmations)
    # The scheduled one is not left for tomorrow.
    assert counts["suppressed"] == WAITING + 3 - len(lines) > 1
    assert counts["delivered"] == WAITING + len(lines)
    assert len(sent_to(ledger, STAYS)) == WAITING
    (stop, *_) = await asked(running, key, "/v1/inbound")
    assert stop["keyword"] == "opt_out"
    (entry,) = await asked(running, key, "/v1/suppressions")
    assert (entry["category"], entry["source"]) == ("all", "keyword")
    assert await running.metric('sms_optouts_total{source="keyword"}') == 1
    assert await running.metric("sms_optout_violations_total") == 0
    assert await running.metric("sms_optout_apply_latency_seconds_count") == 1
    assert await running.metric('sms_inbound_replies_total{class="opt_out"}') == 1
    (stop,) = await asked(running, key, "/v1/inbound?class=opt_out")
    assert stop["answers"] is not None
    await deliver(simulator, texted("START", HANDSETS[0]))
    assert await asked(running, key, "/v1/suppressions") == []
    await deliver(simulator, texted("help", HANDSETS[0]) * 2)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await running.metric('sms_help_replies_total{outcome="sent"}') < 1:
            await asyncio.sleep(POLL_SECONDS)
        while await running.metric('sms_contact_events_made_total{kind="opted_out"}') < 1:
            await asyncio.sleep(POLL_SECONDS)  # what the contact did is an event of theirs
    assert await running.metric('sms_contact_events_made_total{kind="reply"}') >= 7
    await listed_by_the_account(running, key)


async def listed_by_the_account(running: Running, key: str) -> None:
    """By the API and by a file: each is an opt-out of a contact."""
    made = 'sms_contact_events_made_total{kind="opted_out"}'
    for path, media, body in (
        ("", "application/json", f'{{"suppressions":[{{"number":"{HANDSETS[0]}"}}]}}'),
        ("/import", "text/csv", f"number\n{HANDSETS[1]}\n"),
    ):
        before = await running.metric(made)
        async with running.session.post(
            f"{running.api}/v1/suppressions{path}",
            data=body,
            headers={"Authorization": f"Bearer {key}", "Content-Type": media},
        ) as answer:
            assert answer.status in (200, 202), await answer.text()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await running.metric(made) <= before:
                await asyncio.sleep(POLL_SECONDS)


def sent_to(ledger: Path, to: str) -> list[LedgerLine]:
    return [line for line in read_ledger(ledger) if line.destination == to.removeprefix("+")]


async def asked(running: Running, key: str, path: str) -> list[dict[str, str]]:
    headers = {"Authorization": f"Bearer {key}"}
    async with running.session.get(running.api + path, headers=headers) as response:
        answer = await response.json()
        assert response.status == 200, answer
        data: list[dict[str, str]] = answer["data"]
        return data
