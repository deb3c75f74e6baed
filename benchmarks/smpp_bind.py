"""What our own SMPP client does in the SMPP benchmark, each run in a process of its own.

Owns the listeners that keep a window full, and four runs: throughput, a carrier far away, memory,
and connectors whose carrier is down. Must not start a carrier nor judge.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import msgspec
import psutil

from benchmarks.smpp_carrier import HOST, processor_seconds
from smpp import vocabulary
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.client import Bind
from smpp.events import Delivery, QueryResponse, SubmitResponse
from smpp.pdu import SubmitSm, tlv_value

SYSTEM_ID: Final = "bench"
PASSWORD: Final = "bench"  # at most 8 octets, SMPP 3.4 section 4.1.1
SENDER: Final = "SHOP"
TEXT: Final = b"Your parcel is on its way and will arrive tomorrow between 9 and 12."
SLICE_MAX: Final = 200
WARM_UP_LATENCIES: Final = 10
RSS_SHARES: Final = (0.25, 0.5, 0.75, 1.0)
ENDLESS: Final = 1 << 40
MIB: Final = 1 << 20


class ClientRun(msgspec.Struct, kw_only=True):
    """One run: what its name needs is set, the rest is not looked at."""

    name: str
    port: int
    messages: int = 0
    window: int = 1
    binds: int = 1
    seconds: float = 0.0
    latency_seconds: float = 0.0
    response_timeout_seconds: float = 60.0


class Span:
    """Wall clock and processor from here on."""

    def __init__(self) -> None:
        self._processor = processor_seconds()
        self._wall = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Seconds since the start, of each."""
        return {
            "seconds": time.perf_counter() - self._wall,
            "cpu_seconds": processor_seconds() - self._processor,
        }


def destination(number: int) -> str:
    """A different subscriber for each message."""
    return f"86138{number % 10**8:08d}"


def check_pairs(messages: int, answered: set[str], reported: set[str]) -> None:
    """A run counts only when each message has its answer, and its answer's id a receipt."""
    if not len(answered) == len(reported) == messages or answered != reported:
        raise SystemExit(
            f"{messages} messages, {len(answered)} answers and {len(reported)} receipts, "
            f"{len(answered & reported)} of them with the same id"
        )


class Feeder:
    """Keeps the windows of its binds full until ``messages`` are written."""

    def __init__(self, messages: int, registered_delivery: int) -> None:
        self.messages = messages
        self.written = 0
        self.answered = 0
        self.timed_out = 0
        self.last_answer_at = 0.0
        self.done = asyncio.Event()
        self.all_bound = asyncio.Event()
        self._binds_wanted = 1
        self._registered_delivery = registered_delivery
        self._go = False
        self._binds: list[Bind] = []

    async def until_bound(self, binds: int) -> None:
        """Nothing is written before ``go``."""
        self._binds_wanted = binds
        if len(self._binds) < binds:
            await self.all_bound.wait()

    def go(self) -> None:
        """Begin to write."""
        self._go = True
        for bind in self._binds:
            self._feed(bind)

    def _feed(self, bind: Bind) -> None:
        while self._go and (count := min(bind.free_slots, self.messages - self.written, SLICE_MAX)):
            first = self.written
            taken = bind.submit(
                [
                    (
                        SubmitSm(
                            0,
                            source_addr_ton=vocabulary.TON_ALPHANUMERIC,
                            source_addr=SENDER.encode(),
                            dest_addr_ton=vocabulary.TON_INTERNATIONAL,
                            dest_addr_npi=vocabulary.NPI_ISDN,
                            destination_addr=destination(number).encode(),
                            registered_delivery=self._registered_delivery,
                            short_message=TEXT,
                        ),
                        number,
                    )
                    for number in range(first, first + count)
                ]
            )
            self.written += taken
            if taken < count:
                return

    # --- BindListener ----------------------------------------------------------------------------

    def bound(self, bind: Bind) -> None:
        """Counts; the last one wakes ``until_bound``."""
        self._binds.append(bind)
        if len(self._binds) == self._binds_wanted:
            self.all_bound.set()

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        """Only at the end: a run that loses its session in between has no figure."""
        if in_flight and self.messages < ENDLESS:
            raise SystemExit(f"{bind.name} lost its session: {reason}")

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Refusals have no figure either."""
        if any(response.command_status for response in responses):
            raise SystemExit("the carrier refused a submit")
        self.answered += len(responses)
        self.last_answer_at = time.perf_counter()
        self.settled()

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        """Counted as settled."""
        self.timed_out += len(contexts)
        self.settled()

    def late(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Too late to count."""

    def queried(self, bind: Bind, responses: list[QueryResponse]) -> None:
        """Nothing is asked."""

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        """Acknowledged at once."""
        bind.acknowledge(deliveries)

    def writable(self, bind: Bind) -> None:
        """The next submits."""
        self._feed(bind)

    def settled(self) -> None:
        """Some more were answered or timed out."""


class PairingFeeder(Feeder):
    """Pairs each receipt with its answer by the carrier's id, as every other client here does."""

    def __init__(self, messages: int) -> None:
        super().__init__(messages, vocabulary.REGISTERED_DELIVERY_FINAL)
        self.answered_ids: set[str] = set()
        self.reported_ids: set[str] = set()

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """The ids that receipts will name."""
        super().responses(bind, responses)
        self.answered_ids.update(response.message_id.decode() for response in responses)

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        """The id is in a TLV."""
        super().deliveries(bind, deliveries)
        for delivery in deliveries:
            octets = tlv_value(delivery.pdu.tlvs, vocabulary.TLV_RECEIPTED_MESSAGE_ID) or b""
            self.reported_ids.add(octets.rstrip(b"\0").decode())
        if len(self.reported_ids) >= self.messages:
            self.done.set()


class RememberingFeeder(Feeder):
    """Notes the resident set as the shares of RSS_SHARES are settled."""

    def __init__(self, messages: int) -> None:
        super().__init__(messages, 0)
        self.rss_mib: dict[str, float] = {}
        self._process = psutil.Process()
        self._marks = [(share, round(share * messages)) for share in RSS_SHARES]

    def settled(self) -> None:
        """The last mark is the end."""
        settled = self.answered + self.timed_out
        while self._marks and settled >= self._marks[0][1]:
            share, _ = self._marks.pop(0)
            self.rss_mib[f"at_{share:.0%}"] = round(self._process.memory_info().rss / MIB, 2)
        if not self._marks:
            self.done.set()


def _settings(run: ClientRun) -> BindSettings:
    return BindSettings(
        host=HOST,
        port=run.port,
        system_id=SYSTEM_ID,
        password=PASSWORD,
        window=run.window,
        response_timeout_seconds=run.response_timeout_seconds,
    )


async def throughput(run: ClientRun) -> dict[str, float]:
    """Every message answered and its receipt acknowledged."""
    feeder = PairingFeeder(run.messages)
    pool = BindPool("bench", _settings(run), run.binds, feeder)
    pool.start()
    await feeder.until_bound(run.binds)
    span = Span()
    feeder.go()
    await feeder.done.wait()
    figures = span.figures()
    await pool.stop(1.0)
    check_pairs(run.messages, feeder.answered_ids, feeder.reported_ids)
    return figures


async def far_away(run: ClientRun) -> dict[str, float]:
    """Answers a second, once the window has gone round WARM_UP_LATENCIES times.

    A window is answered in bursts, so the span begins and ends with an answer: a burst more or less
    would be some per cent.
    """
    feeder = Feeder(ENDLESS, 0)
    pool = BindPool("bench", _settings(run), run.binds, feeder)
    pool.start()
    await feeder.until_bound(run.binds)
    feeder.go()
    await asyncio.sleep(WARM_UP_LATENCIES * run.latency_seconds)
    answered, began = feeder.answered, feeder.last_answer_at
    await asyncio.sleep(run.seconds)
    figures = {
        "answered": feeder.answered - answered,
        "seconds": feeder.last_answer_at - began,
    }
    await pool.stop(0.0)
    return figures


async def memory(run: ClientRun) -> dict[str, object]:
    """The resident set while some are never answered."""
    feeder = RememberingFeeder(run.messages)
    pool = BindPool("bench", _settings(run), run.binds, feeder)
    pool.start()
    await feeder.until_bound(run.binds)
    span = Span()
    feeder.go()
    await feeder.done.wait()
    figures = span.figures()
    await pool.stop(0.0)
    return {
        "answered": feeder.answered,
        "timed_out": feeder.timed_out,
        "rss_mib": feeder.rss_mib,
        **figures,
    }


async def carrier_down(run: ClientRun) -> dict[str, float]:
    """``binds`` connectors of one bind each; nobody listens on ``port``."""
    feeder = Feeder(0, 0)
    pools = [BindPool(f"down-{n}", _settings(run), 1, feeder) for n in range(run.binds)]
    span = Span()
    for pool in pools:
        pool.start()
    await asyncio.sleep(run.seconds)
    figures = span.figures()
    attempts = sum(pool.binds[0].counters.attempts for pool in pools)
    await asyncio.gather(*(pool.stop(0.0) for pool in pools))
    return {"attempts": attempts, **figures}
