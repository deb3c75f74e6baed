"""HTTP batch in, SMPP out, receipt committed: the whole road, durable, all on this machine.

Starts the simulator and the gateway as processes of their own, as `smsgate demo` does, sends the
messages in batches over HTTP and waits for the last receipt to be committed. The simulator's ledger
is written too, and judged: a run that lost or repeated anything has no figure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

from gateway.demo import processes
from gateway.demo.client import DemoClient, Sending
from gateway.demo.ledger import judge

TEXT = "Your parcel {n} is on its way and will arrive tomorrow between 9 and 12."
POLL_SECONDS = 0.05
STALL_SECONDS_MAX = 30.0

_PROFILE = """\
answer_latency_ms = 0
receipt_delay_ms = 0
scripted_destinations = false
"""

_CONFIG = """\
[database]
data_dir = {data_dir}
[http]
listen = "127.0.0.1:0"
[links]
listen = "127.0.0.1:0"
[[connectors]]
name = "simulator"
host = "127.0.0.1"
port = {smpp_port}
system_id = "bench"
password = "bench"
binds = {binds}
window = {window}
[[routes]]
via = ["simulator"]
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500, help="messages in one POST")
    parser.add_argument("--concurrency", type=int, default=4, help="POSTs at once")
    parser.add_argument("--binds", type=int, default=2)
    parser.add_argument("--window", type=int, default=500)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Messages a second from the first POST to the last committed receipt, and who used the
    processor.
    """
    # Root's embedded PostgreSQL runs as another account, which must be able to pass the folder.
    with tempfile.TemporaryDirectory(prefix="smsgate-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        return asyncio.run(_run(arguments, folder))


async def _run(arguments: argparse.Namespace, folder: Path) -> dict[str, object]:
    async with contextlib.AsyncExitStack() as stack:
        ledger = folder / "ledger.jsonl"
        simulator, gateway, config = await processes.start_both(
            stack,
            folder,
            profile=_PROFILE,
            ledger=ledger,
            config_for=lambda smpp_port: _CONFIG.format(
                data_dir=json.dumps(str(folder / "data")),
                smpp_port=smpp_port,
                binds=arguments.binds,
                window=arguments.window,
            ),
        )
        key = await processes.run(["keys", "create", "bench", "--config", str(config)])
        session = await stack.enter_async_context(
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"})
        )
        client = DemoClient(session, gateway.ready.split()[1])
        processors = _Processors(gateway.process.pid, simulator.process.pid)
        sending = await _load(client, arguments)
        used = processors.used()
        total = (await client.report("delivery")).total
    judgement = judge(ledger)
    return _result(arguments, sending, used, total.counts, judgement.submits, judgement.repeats)


async def _load(client: DemoClient, arguments: argparse.Namespace) -> Sending:
    """Send everything, then wait until every part is final."""
    bodies: list[dict[str, object]] = [
        {"to": f"+86138{n:08d}", "from": "SHOP", "text": TEXT.format(n=n)}
        for n in range(arguments.messages)
    ]
    batches = iter(
        [bodies[at : at + arguments.batch] for at in range(0, len(bodies), arguments.batch)]
    )
    sending = Sending(campaign="", began=time.perf_counter())

    async def worker() -> None:
        for batch in batches:
            await client.send(batch, sending)

    await asyncio.gather(*(worker() for _ in range(arguments.concurrency)))
    sending.accept_seconds = time.perf_counter() - sending.began
    before, moved_at = -1.0, time.perf_counter()
    while before < len(sending.accepted):
        sending.parts, final = map(int, await client.submitted())
        if final != before:
            before, moved_at = final, time.perf_counter()
        if time.perf_counter() - moved_at > STALL_SECONDS_MAX:
            raise SystemExit(f"stalled at {before:.0f} of {len(sending.accepted)} receipts")
        await asyncio.sleep(POLL_SECONDS)
    sending.final_seconds = moved_at - sending.began
    return sending


class _Processors:
    """Processor seconds of the processes involved, PostgreSQL's sessions included."""

    def __init__(self, gateway: int, simulator: int) -> None:
        self._processes = {
            "gateway": psutil.Process(gateway),
            "simulator": psutil.Process(simulator),
            "load": psutil.Process(),
        }
        self._before = self._seconds()

    def used(self) -> dict[str, float]:
        """Since the start, in seconds."""
        now = self._seconds()
        return {name: round(now[name] - self._before[name], 2) for name in now}

    def _seconds(self) -> dict[str, float]:
        seconds = {name: _seconds_of(process) for name, process in self._processes.items()}
        # A session that ended meanwhile (the key's) takes its seconds along: they are few.
        seconds["postgresql"] = sum(
            _seconds_of(process)
            for process in psutil.process_iter(["name"])
            if process.info["name"] == "postgres"
        )
        return seconds


def _seconds_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


def _result(
    arguments: argparse.Namespace,
    sending: Sending,
    used: dict[str, float],
    counts: dict[str, int],
    submits: int,
    repeats: int,
) -> dict[str, object]:
    accepted = len(sending.accepted)
    if not accepted == counts["delivered"] == submits or repeats:
        raise SystemExit(f"{accepted} accepted, but {counts}, {submits} submits, {repeats} repeats")
    return {
        "messages": accepted,
        "batch": arguments.batch,
        "concurrency": arguments.concurrency,
        "binds": arguments.binds,
        "window": arguments.window,
        "durable": "synchronous_commit=on, embedded PostgreSQL, simulator's ledger written",
        "accepted_per_second": round(accepted / sending.accept_seconds),
        "end_to_end_per_second": round(accepted / sending.final_seconds),
        "processor_seconds": used,
        "processor_microseconds_per_message": {
            name: round(seconds / accepted * 1e6, 1) for name, seconds in used.items()
        },
    }
