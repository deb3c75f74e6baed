"""The demo from start to report.

Owns the order: simulator, gateway, key, webhooks, messages, clicks, report, and the end of all.
Must not talk to the gateway but over HTTP, as an application would. The simulator's ledger is the
judge of what was really sent.
"""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from dlr.report import OUTCOMES
from gateway.demo.application import Clicked, Sending, click, of_campaign, send, waits_of
from gateway.demo.printing import (
    SHOWN_RATES,
    Progressing,
    curl_lines,
    latency_table,
    ledger_lines,
    outcome_table,
    rate_lines,
    reason_table,
    sending_progress,
    speed_lines,
    timeline_table,
    told_lines,
)
from gateway.demo.texts import requests
from gateway.rehearsal.client import Client, Figures
from gateway.rehearsal.configuration import Configuration, Connector
from gateway.rehearsal.judge import Judgement
from gateway.rehearsal.phones import TRUSTED
from gateway.rehearsal.processes import RehearsalError
from gateway.rehearsal.receiver import Told, receiving
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import Running, gateway
from gateway.rehearsal.simulator import Simulator, simulator

SCOPES = ("messages:send", "messages:read", "reports:read", "webhooks:write")
BATCH_MESSAGES = 500
BATCHES_AT_ONCE = 2
LINKS_MAX = 60
TIMELINES_MAX = 250  # messages whose timelines are read for the latency table
SETTLE_SECONDS = 2.5  # longer than the slowest receipt: what has not come by then never will
CLICK_SECONDS_MAX = 10.0
SETTLE_SECONDS_MAX = 120.0
TOLD_SECONDS_MAX = 15.0
NOT_ENDED = frozenset({"pending", "unconfirmed"})
POLL_SECONDS = 0.25

_PROFILE = """\
# The demo's carrier: quick, mostly good, and with every kind of bad end.
answer_latency_ms = 5
receipt_delay_ms = [100, 1500]
receipts_early_share = 0.01
receipts_duplicated_share = 0.01
scripted_destinations = false
outcomes = [
    { state = "DELIVRD", weight = 93 },
    { state = "UNDELIV", error = "027", weight = 2.5 },
    { state = "UNDELIV", error = "001", weight = 1.5 },
    { state = "EXPIRED", error = "027", weight = 1 },
    { state = "REJECTD", error = "013", weight = 1 },
    { state = "none", weight = 1 },
]
[submit_errors]
ESME_RINVDSTADR = 0.004
"""

_CONNECTOR = """\
binds = 2
window = 500
code_table = "map"
"""


async def demo(messages: int, data_dir: Path, *, once: bool, console: Console) -> None:
    """Run it. Raises RehearsalError when something does not start or does not add up."""
    run = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    ledger = data_dir / f"ledger-{run}.jsonl"
    console.print("smsgate demo: starting PostgreSQL, an SMSC simulator and the gateway …")
    async with (
        simulator(data_dir, _PROFILE, ledger_file=ledger) as carrier,
        gateway(_config(data_dir, carrier), named=f"demo-{run}", scopes=SCOPES) as running,
        receiving(running) as told,
    ):
        console.print(f"API {running.api}   short links {running.links}", soft_wrap=True)
        sending = await _send(running, messages, f"demo-{run}", console)
        clicked = await click(running, sending, LINKS_MAX)
        await _report(running, sending, clicked, told, carrier.judgement(), console)
        if not once:
            await stay(console, running)
    console.print(
        f"Stopped; nothing is left running. The data stays in {data_dir}.", soft_wrap=True
    )


def _config(data_dir: Path, carrier: Simulator) -> Path:
    connector = Connector("simulator", carrier.port, _CONNECTOR)
    configuration = Configuration(
        data_dir=data_dir, connectors=[connector], links=TRUSTED, more=LOCAL_WEBHOOKS
    )
    return configuration.write(data_dir / "smsgate.toml")


async def _send(client: Client, messages: int, campaign: str, console: Console) -> Sending:
    """All messages in batches, some at once, with a live display of where they are."""
    bodies = list(requests(messages, campaign))
    batches = iter(
        [bodies[start : start + BATCH_MESSAGES] for start in range(0, messages, BATCH_MESSAGES)]
    )
    sending = Sending(campaign=campaign, began=time.perf_counter())

    async def worker() -> None:
        for batch in batches:
            await send(client, batch, sending)

    with sending_progress(console, messages) as show:
        watching = asyncio.create_task(_watch(client, sending, show))
        try:
            await asyncio.gather(*(worker() for _ in range(BATCHES_AT_ONCE)))
            sending.accept_seconds = time.perf_counter() - sending.began
            await watching
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    return sending


async def _watch(client: Client, sending: Sending, show: Progressing) -> None:
    """Move the bars until all is accepted and nothing has moved for a while.

    Some receipts never come: what is still open then stays open, and the report says so.
    """
    moved_at = deadline = time.perf_counter()
    deadline += SETTLE_SECONDS_MAX
    before = (-1.0, -1.0)
    shown = -1.0  # parts submitted at the last look: when they stay as many, these are all
    while not sending.accept_seconds or time.perf_counter() - moved_at < SETTLE_SECONDS:
        now = await client.submitted()
        if now != before:
            moved_at = time.perf_counter()
            if now[0] != before[0]:
                sending.submit_seconds = moved_at - sending.began
            if now[1] != before[1]:
                sending.final_seconds = moved_at - sending.began
            before = now
            sending.parts = int(now[0])
        if time.perf_counter() > deadline:
            raise RehearsalError(f"messages still move after {SETTLE_SECONDS_MAX:.0f} s")
        all_parts = now[0] if sending.accept_seconds and now[0] == shown else None
        shown = now[0]
        show.update("accepted", len(sending.accepted))
        show.update("submitted", now[0], all_parts)
        show.update("final", now[1], all_parts)
        await asyncio.sleep(POLL_SECONDS)


async def _report(
    client: Client,
    sending: Sending,
    clicked: Clicked,
    told: Told,
    judgement: Judgement,
    console: Console,
) -> None:
    """Print the report, and raise RehearsalError if its numbers do not add up."""
    total = (await of_campaign(client, "delivery", sending.campaign))[0]
    categories = await of_campaign(client, "delivery", sending.campaign, "category")
    reasons = await of_campaign(client, "delivery", sending.campaign, "reason")
    funnel = await _clicks_counted(client, sending, clicked)
    await _all_told(told, total)
    console.print(outcome_table(categories, total))
    console.print(reason_table(reasons))
    lines = [
        *rate_lines(total.rates, SHOWN_RATES),
        *rate_lines(funnel.rates, ("uctr_delivered",)),
        "",
        *speed_lines(sending),
        "",
        *ledger_lines(judgement, clicked),
        *told_lines(told),
    ]
    console.print("\n".join(lines), highlight=False)
    sample = sending.accepted[:: max(1, len(sending.accepted) // TIMELINES_MAX)]
    console.print(latency_table(sending, await waits_of(client, sample)))
    if clicked.message_id is not None:
        events = await client.events(clicked.message_id)
        console.print(timeline_table(events, f"One message: {clicked.message_id}"))
    _check(sending, total, judgement)
    console.print("The numbers add up: accepted = the sum of the outcomes, submitted = the ledger.")


async def _clicks_counted(client: Client, sending: Sending, clicked: Clicked) -> Figures:
    """The funnel, once the clicks have come from the journal into the database."""
    deadline = time.perf_counter() + CLICK_SECONDS_MAX
    while True:
        funnel = (await of_campaign(client, "funnel", sending.campaign))[0]
        if funnel.counts["clicks"] >= clicked.kept or time.perf_counter() > deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    found = funnel.counts["clicks"], funnel.counts["human_clicks"]
    if found != (clicked.kept, clicked.by_people):
        raise RehearsalError(
            f"{clicked.kept} clicks, {clicked.by_people} of people; the report: {funnel.counts}"
        )
    return funnel


async def _all_told(told: Told, total: Figures) -> None:
    """Wait until a webhook has told of every message that has ended."""
    ended = sum(total.counts[name] for name in OUTCOMES if name not in NOT_ENDED)
    deadline = time.perf_counter() + TOLD_SECONDS_MAX
    while len(told.final) < ended:
        if time.perf_counter() > deadline:
            raise RehearsalError(f"{ended} messages ended, webhooks told of {len(told.final)}")
        await asyncio.sleep(POLL_SECONDS)
    if told.forged:
        raise RehearsalError(f"{told.forged} webhooks had a wrong signature")


def _check(sending: Sending, total: Figures, judgement: Judgement) -> None:
    """The demo fails when a number does not add up."""
    counts = total.counts
    accepted, outcomes = counts["accepted"], sum(counts[name] for name in OUTCOMES)
    if not accepted == outcomes == len(sending.accepted):
        raise RehearsalError(
            f"{len(sending.accepted)} answered 202, {accepted} reported, {outcomes} in outcomes"
        )
    if judgement.submits != sending.parts or judgement.repeats:
        raise RehearsalError(f"{sending.parts} parts submitted, but the ledger says {judgement}")


async def stay(console: Console, running: Running) -> None:
    """Keep running for whoever wants to look around."""
    calls = "".join(f"  {line}\n" for line in curl_lines(running.api, running.key))
    console.print(f"\nStill running. Try:\n{calls}Ctrl-C ends it.", highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()
