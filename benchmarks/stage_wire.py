"""One bind to a simulated carrier that keeps what comes, for measuring stages one by one.

Owns that bind and its carrier's process. Must not decide or acknowledge anything: the recorder
does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from benchmarks.gateways import BenchmarkFailed
from benchmarks.smpp_bind import PASSWORD, SYSTEM_ID
from benchmarks.smpp_carrier import HOST, CarrierOptions
from benchmarks.smpp_processes import carrier_process
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.client import Bind
from smpp.events import Delivery, QueryResponse, SubmitResponse
from smpp.pdu import SubmitSm


class Wire:
    """Implements smpp's BindListener. `done` when each message has its answer and its receipt."""

    def __init__(self, messages: int) -> None:
        self._messages = messages
        self._bound = asyncio.Event()
        self.bind: Bind
        self.answers: list[SubmitResponse] = []
        self.receipts: list[Delivery] = []
        self.done = asyncio.Event()

    @classmethod
    @contextlib.asynccontextmanager
    async def to_a_carrier(cls, messages: int) -> AsyncIterator[Wire]:
        """Bound, with a window for all of them."""
        wire = cls(messages)
        async with carrier_process(CarrierOptions(receipt_window=messages)) as carrier:
            settings = BindSettings(
                host=HOST,
                port=carrier.port,
                system_id=SYSTEM_ID,
                password=PASSWORD,
                window=messages,
            )
            pool = BindPool("stages", settings, 1, wire)
            pool.start()
            try:
                await wire._bound.wait()
                yield wire
            finally:
                await pool.stop(0.0)

    def submit(self, parts: Sequence[tuple[SubmitSm, object]]) -> None:
        """All of them, in one write."""
        if self.bind.submit(parts) != len(parts):
            raise BenchmarkFailed("the carrier does not read as fast as it is written to")

    # --- BindListener ----------------------------------------------------------------------------

    def bound(self, bind: Bind) -> None:
        """Once."""
        self.bind = bind
        self._bound.set()

    def unbound(self, bind: Bind, reason: str, in_flight: list[object]) -> None:
        """At the end."""

    def responses(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Kept."""
        self.answers += responses
        self._look()

    def expired(self, bind: Bind, contexts: list[object]) -> None:
        """Not within a minute."""
        raise BenchmarkFailed(f"{len(contexts)} messages were not answered")

    def late(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """Too late to count."""

    def queried(self, bind: Bind, responses: list[QueryResponse]) -> None:
        """Nothing is asked."""

    def deliveries(self, bind: Bind, deliveries: list[Delivery]) -> None:
        """Kept, not acknowledged."""
        self.receipts += deliveries
        self._look()

    def writable(self, bind: Bind) -> None:
        """Everything was written at once."""

    def _look(self) -> None:
        if len(self.answers) == len(self.receipts) == self._messages:
            self.done.set()
