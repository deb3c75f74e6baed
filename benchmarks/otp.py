"""OTPs past a backlog: how long one takes to the wire while a million marketing messages wait.

Owns that measurement. Must not let the backlog drain: the connector has a pace.

On the way up, the cost of a message is measured at each size of the backlog, one in for one out. At
the top it is the gateway's memory. Then OTPs are sent one by one, to the moment that the ledger
notes, by the same clock. The figure required counts from the 202. Another one counts from before
the POST, with request, checks and commit.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping

import msgspec

from benchmarks import gateways, http_load
from benchmarks.gateways import BenchmarkFailed
from benchmarks.load_shapes import authorization, check_accepted
from benchmarks.result import quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.verdicts import Verdict
from benchmarks.waiting import INTERVALS, Backlog, climb, cost_verdict, memory_verdict
from gateway.rehearsal.running import Running
from gateway.rehearsal.simulator import Simulator, simulator

OTPS_PER_SECOND = 25
OTP_PREFIX = "+86139"
WAIT_SECONDS_MAX = 30.0
P99_MS_REQUIRED, P99_MS_AIM = 50.0, 15.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much waits, how fast it goes, how many OTPs pass it."""
    parser.add_argument("--waiting", type=int, default=1_000_000, help="marketing messages")
    parser.add_argument("--otps", type=int, default=1_000)
    parser.add_argument("--pace", type=int, default=1_000, help="parts a second of the connector")
    parser.add_argument("--seconds", type=float, default=5.0, help=f"of {INTERVALS} intervals")
    parser.add_argument("--window", type=int, default=500)


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Latency, memory, and cost at each size of the backlog."""
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    with gateways.folder() as folder:
        async with simulator(folder, gateways.INSTANT) as carrier:
            connector = gateways.connector(
                "paced", carrier.port, binds=1, window=arguments.window, rate=f"{arguments.pace}/s"
            )
            async with gateways.running_with(folder, [connector]) as running:
                idle_mib = gateways.resident_mib(running)
                backlog = Backlog(running)
                found = await climb(running, backlog, arguments.waiting, arguments.seconds)
                began, answered = await send_otps(running, arguments.otps)
                at = await until_written(carrier, arguments.otps)
                waiting = await backlog.waiting() + arguments.otps
            judgement = carrier.judgement()
    if judgement.repeats or judgement.refused:
        raise BenchmarkFailed(f"the carrier's ledger says {judgement}")
    posted = quantiles_ms([at[n] - moment for n, moment in began.items()])
    accepted = quantiles_ms([at[n] - moment for n, moment in answered.items()])
    return {
        "durable": "synchronous_commit=on, embedded PostgreSQL",
        "waiting_at_the_end": waiting,
        "otps_per_second": OTPS_PER_SECOND,
        "rounds": {
            "nothing waits": [{"gateway_mib": idle_mib}],
            **{f"{level} wait": [figures] for level, figures in found.items()},
            "OTP, posted to wire": [posted],
            "OTP, accepted to wire": [accepted],
        },
        "verdicts": [
            *_verdicts(arguments, accepted["p99_ms"], posted["p99_ms"]),
            memory_verdict(found),
            cost_verdict(found),
        ],
    }


async def send_otps(running: Running, count: int) -> tuple[dict[int, float], dict[int, float]]:
    """Send them one by one, evenly; when each was posted and when it was answered."""
    began: dict[int, float] = {}
    answered: dict[int, float] = {}
    start = time.time()
    for n in range(count):
        await asyncio.sleep(start + n / OTPS_PER_SECOND - time.time())
        body = {
            "to": f"{OTP_PREFIX}{n:08d}",
            "from": gateways.SENDER,
            "text": f"{n:06d} is your code",
            "category": "otp",
        }
        request = http_load.post(
            running.address, "/v1/messages", msgspec.json.encode(body), authorization(running)
        )
        began[n] = time.time()
        await http_load.drive(
            running.address, iter([request]), connections=1, answered=check_accepted
        )
        answered[n] = time.time()
    return began, answered


async def until_written(carrier: Simulator, count: int) -> Mapping[int, float]:
    """When each OTP reached the carrier. BenchmarkFailed when one did not, or came twice."""
    prefix = OTP_PREFIX.removeprefix("+")
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            lines = [line for line in carrier.ledger() if line.destination.startswith(prefix)]
            if len(lines) >= count:
                break
            await asyncio.sleep(1.0)
    at = {int(line.destination.removeprefix(prefix)): line.at for line in lines}
    if len(at) != count or len(lines) != count:
        raise BenchmarkFailed(f"{len(at)} of {count} OTPs arrived, in {len(lines)} submits")
    return at


def _verdicts(arguments: argparse.Namespace, accepted_ms: float, posted_ms: float) -> list[Verdict]:
    pace_ms = 1000 / arguments.pace
    return [
        Verdict(
            f"OTP accepted -> wire, p99, {arguments.waiting} wait",
            accepted_ms,
            P99_MS_REQUIRED + pace_ms,
            P99_MS_AIM + pace_ms,
            at_most=True,
            unit="ms",
        ),
        Verdict(
            f"OTP posted -> wire, p99, {arguments.waiting} wait",
            posted_ms,
            aim=P99_MS_REQUIRED + pace_ms,
            at_most=True,
            unit="ms",
        ),
    ]
