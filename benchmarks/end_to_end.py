"""HTTP in, SMPP out, receipt recorded: the whole road, durable, and other gateways on it.

Owns the comparison. Must not give a figure of a run that lost or repeated anything: the carrier's
ledger is judged.

All get the same simulated carrier, a fresh one in each run. The runs alternate, so that a busy
moment of the machine hits them alike. smsgate is sent batches, then single POSTs on as many
connections as a peer's requests. The clock stops when the last final status is committed. For a
peer it stops when its last receipt was called back. Kannel begins to submit up to 3 s after a load
begins. So it is sent enough to make that little, and the carrier's clock gives a rate of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks import accept, costs, gateways, jasmin, judgement, kannel, load_shapes
from benchmarks.gateways import Processors
from benchmarks.http_load import Load
from benchmarks.load_shapes import Peer
from benchmarks.receipt_sink import ReceiptSink
from benchmarks.result import Figures, Way, in_turns, medians, quantiles_ms
from benchmarks.running import run as run_to_end
from benchmarks.running import say
from benchmarks.verdicts import Verdict
from gateway.rehearsal.simulator import Simulator, simulator

REQUIRED, AIM = 5.0, 10.0  # times Kannel
BATCHES, SINGLE = "smsgate, batches", "smsgate, single POSTs"
KANNEL, KANNEL_STORED = "Kannel without a store", "Kannel with its store"
JASMIN, JASMIN_RECEIPTS_MS = "Jasmin", 1_000
DURABLE = (
    "smsgate: synchronous_commit=on, embedded PostgreSQL; Kannel without a store: nothing; "
    "Kannel with its store: files, without fsync; Jasmin: RabbitMQ and Redis, in memory"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The load's shape."""
    parser.add_argument("--messages", type=int, default=150_000, help="messages in batches")
    parser.add_argument("--batch", type=int, default=500, help="messages in one POST")
    parser.add_argument("--concurrency", type=int, default=2, help="POSTs of batches at once")
    parser.add_argument("--single", type=int, default=20_000, help="messages in single POSTs")
    parser.add_argument("--kannel", type=int, default=40_000, help="messages through Kannel")
    parser.add_argument("--jasmin", type=int, default=3_000, help="messages through Jasmin")
    parser.add_argument("--connections", type=int, default=50, help="for single POSTs and peers")
    parser.add_argument("--rounds", type=int, default=3, help="of each, alternating")
    parser.add_argument("--binds", type=int, default=2, help="smsgate's sessions")
    parser.add_argument("--window", type=int, default=500, help="of each of them")


def run(arguments: argparse.Namespace) -> dict[str, object]:
    """Messages a second from the first request to the last final status, and what they cost.

    A way whose count is 0 is left out.
    """
    return run_to_end(_run(arguments))


async def _run(arguments: argparse.Namespace) -> dict[str, object]:
    rounds = await in_turns(_ways(arguments), arguments.rounds)
    middle = medians(rounds)
    return {
        "durable": DURABLE,
        "peers": {
            "kannel": kannel.version(),
            "jasmin": jasmin.version(),
        },
        "rounds": rounds,
        "verdicts": [
            *_verdicts(middle, "per_second", "end to end"),
            *_verdicts(middle, "carried_per_second", "at the carrier"),
        ],
    }


def _ways(arguments: argparse.Namespace) -> dict[str, Way]:
    ways: dict[str, Way] = {}
    if arguments.messages:
        ways[BATCHES] = partial(_ours, arguments, accept.batches, arguments.messages)
    if arguments.single:
        ways[SINGLE] = partial(_ours, arguments, accept.single_posts, arguments.single)
    if arguments.kannel and kannel.installed():
        ways[KANNEL] = partial(_kannel, arguments, False)
        ways[KANNEL_STORED] = partial(_kannel, arguments, True)
    elif arguments.kannel:
        say(kannel.NOT_INSTALLED)
    if arguments.jasmin and jasmin.installed():
        ways[JASMIN] = partial(_jasmin, arguments)
    elif arguments.jasmin:
        say(jasmin.NOT_INSTALLED)
    return ways


def _verdicts(middle: Mapping[str, Figures], figure: str, where: str) -> list[Verdict]:
    """The requirement is the batches' over Kannel without its store."""
    found = []
    for ours, peer in ((BATCHES, KANNEL), (BATCHES, KANNEL_STORED), (SINGLE, KANNEL_STORED)):
        if ours in middle and peer in middle:
            bounds = (REQUIRED, AIM) if (ours, peer) == (BATCHES, KANNEL) else (1.0, None)
            ratio = round(middle[ours][figure] / middle[peer][figure], 2)
            found.append(Verdict(f"{where}, {ours}, over {peer}", ratio, *bounds))
    return found


# --- smsgate -------------------------------------------------------------------------------------


async def _ours(
    arguments: argparse.Namespace,
    send: accept.Send,
    messages: int,
    folder: Path,
) -> Figures:
    async with simulator(folder, gateways.INSTANT) as carrier:
        connector = gateways.connector("bench", carrier.port, arguments.binds, arguments.window)
        beside = {"simulator": [carrier.pid]}
        async with costs.watched(folder, [connector], beside=beside) as watched:
            began = time.perf_counter()
            load = await send(arguments, watched.running)
            final_at = await gateways.until_final(watched.running, messages)
            await watched.end(messages)
            await judgement.ours_adds_up(
                map(judgement.bare, range(messages)), carrier, watched.connection
            )
    return _road(messages, final_at - began, load, carrier) | watched.figures()


def _road(messages: int, seconds: float, load: Load, carrier: Simulator) -> Figures:
    """Of the whole road; the quantiles are those of the answers to requests."""
    at = [line.at for line in carrier.ledger()]
    return {
        "messages": messages,
        "carried_per_second": round(messages / (max(at) - min(at))),
        "per_second": round(messages / seconds),
        "accepted_per_second": round(messages / load.seconds),
        **quantiles_ms(load.answer_seconds),
    }


# --- other gateways ------------------------------------------------------------------------------


async def _kannel(arguments: argparse.Namespace, stored: bool, folder: Path) -> Figures:
    async with (
        simulator(folder, gateways.INSTANT) as carrier,
        load_shapes.kannel_calling_back(folder, carrier, stored=stored) as (peer, sink),
    ):
        bearerbox, smsbox = peer.pids
        pids = {"bearerbox": [bearerbox], "smsbox": [smsbox], "simulator": [carrier.pid]}
        return await _through(peer, sink, carrier, pids, arguments.kannel, arguments.connections)


async def _jasmin(arguments: argparse.Namespace, folder: Path) -> Figures:
    """Jasmin loses some receipts that overtake their answers: its carrier waits with them."""
    async with (
        simulator(folder, gateways.receipts_after(JASMIN_RECEIPTS_MS)) as carrier,
        load_shapes.receipts_called_back() as sink,
        jasmin.running(folder, carrier.port) as peer,
    ):
        pids = {**peer.pids, "simulator": [carrier.pid]}
        return await _through(peer, sink, carrier, pids, arguments.jasmin, arguments.connections)


async def _through(
    peer: Peer,
    sink: ReceiptSink,
    carrier: Simulator,
    pids: Mapping[str, Sequence[int]],
    messages: int,
    connections: int,
) -> Figures:
    processors = Processors(pids)
    began = time.perf_counter()
    load = await load_shapes.peer_gets(peer, sink, messages, connections)
    await load_shapes.until_called_back(sink, carrier, messages)
    used = processors.microseconds(messages)
    peaks = {f"{name}_peak_mib": costs.peak_mib(*own) for name, own in pids.items()}
    return {
        **_road(messages, sink.last_at - began, load, carrier),
        **used,
        **peaks,
    }
