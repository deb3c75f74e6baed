"""A carrier as a process of its own, for the SMPP benchmark: our simulator, or one that forgets.

Owns that process. Must not measure a client. It prints its port, and then its counters, as a line
of JSON for each line it is sent. It ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvloop

from gateway.logs import configure_logs
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import BindRequest, SubmitSmResp
from smpp.server import ServerSession, SmppServer
from smpp.simulator import Profile, Simulator

HOST = "127.0.0.1"


class CarrierOptions(msgspec.Struct):
    """``forget_every`` n: every n-th submit is never answered, and no receipt is ever sent.

    ``ledger``: a file with a line for each submit; the forgetful carrier has none.
    """

    answer_latency_ms: float = 0.0
    forget_every: int = 0
    ledger: str = ""
    receipt_window: int = 500  # deliver_sm unanswered


class CarrierCounters(msgspec.Struct):
    """Totals since the start; ``answer_seconds`` is the sum of what answers really took."""

    cpu_seconds: float
    answers_sent: int
    answer_seconds: float
    receipts_acknowledged: int


def processor_seconds() -> float:
    """Of this process, all its threads together, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@dataclass
class ForgetfulHandler:
    """Accepts every submit, and answers all but every ``forget_every``-th."""

    forget_every: int
    submits_seen: int = 0
    answers_sent: int = 0

    def authenticate(self, request: BindRequest) -> int:
        """Everyone is let in."""
        return 0

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        """Answer at once, or never."""
        answers = [
            SubmitSmResp(pdu.sequence_number, 0, b"%d" % number)
            for number, pdu in enumerate(submits, self.submits_seen + 1)
            if number % self.forget_every
        ]
        self.submits_seen += len(submits)
        self.answers_sent += len(answers)
        session.answer(answers)

    def bound(self, session: ServerSession) -> None:
        """Nothing was held for it."""

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """Nothing is in flight: it delivers nothing."""

    def writable(self, session: ServerSession) -> None:
        """Nothing waits."""

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        """Never: it delivers nothing."""

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None:
        """Never: it delivers nothing."""


class ForgetfulCarrier:
    """The same three methods as the simulator, around a ForgetfulHandler."""

    def __init__(self, forget_every: int) -> None:
        self._handler = ForgetfulHandler(forget_every)
        self._server = SmppServer(self._handler, HOST, 0)

    async def start(self) -> int:
        """Listen; returns the port."""
        await self._server.start()
        return self._server.port

    def counters(self) -> CarrierCounters:
        """Its latency is not measured."""
        return CarrierCounters(processor_seconds(), self._handler.answers_sent, 0.0, 0)

    async def stop(self) -> None:
        """Cut what is left: the client is done."""
        self._server.abort_sessions("the run is over")
        await self._server.stop()


class SimulatedCarrier:
    """Our simulator: receipts at once, and an answer after exactly the latency."""

    def __init__(self, options: CarrierOptions) -> None:
        profile = Profile(
            answer_latency_ms=options.answer_latency_ms,
            receipt_delay_ms=0.0,
            receipt_window=options.receipt_window,
            scripted_destinations=False,
        )
        ledger = Path(options.ledger) if options.ledger else None
        self._simulator = Simulator(profile, HOST, 0, ledger_path=ledger)

    async def start(self) -> int:
        """Listen; returns the port."""
        await self._simulator.start()
        return self._simulator.port

    def counters(self) -> CarrierCounters:
        """The simulator's own, and this process's processor."""
        counters = self._simulator.counters
        return CarrierCounters(
            processor_seconds(),
            counters.answers_sent,
            counters.answer_seconds,
            counters.receipts_acknowledged,
        )

    async def stop(self) -> None:
        """Cut what is left: the client is done."""
        self._simulator.server.abort_sessions("the run is over")
        await self._simulator.stop()


async def _serve(options: CarrierOptions) -> None:
    carrier = (
        ForgetfulCarrier(options.forget_every)
        if options.forget_every
        else SimulatedCarrier(options)
    )
    print(await carrier.start(), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(msgspec.to_builtins(carrier.counters())), flush=True)
    await carrier.stop()


if __name__ == "__main__":
    configure_logs()
    uvloop.run(_serve(msgspec.json.decode(sys.argv[1], type=CarrierOptions)))
