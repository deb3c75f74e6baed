"""The carrier of the demo's campaign: the simulator in this very process, so that handsets reply.

Owns its start, its ledger and the replies. Must not decide what a handset does (cast.py).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from smpp.simulator.carrier import Simulator
from smpp.simulator.ledger import LedgerLine, read_ledger
from smpp.simulator.profile import Profile
from smpp.simulator.receipts import InboundMessage
from smpp.text import encode_text

CONNECTOR = "simulator"
PROFILE = Profile(name="campaign", answer_latency_ms=2.0, receipt_delay_ms=(20.0, 300.0))


class Carrier:
    """A running simulator and what it wrote down."""

    def __init__(self, simulator: Simulator, ledger: Path) -> None:
        self._simulator = simulator
        self._ledger = ledger

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._simulator.port

    @property
    def accepted(self) -> int:
        """How many submit_sm it has taken."""
        return self._simulator.counters.accepted

    @property
    def quiet(self) -> bool:
        """Whether everything it had to tell is acknowledged: so the gateway has stored it."""
        return self._simulator.held == 0

    def ledger(self) -> Iterator[LedgerLine]:
        """Every submit_sm so far, in order."""
        return read_ledger(self._ledger)

    def reply(self, handset: str, sender: str, words: str) -> None:
        """A handset, in digits, writes to whom it was texted by."""
        encoded = encode_text(words)
        for part in encoded.parts:
            self._simulator.send_message(
                InboundMessage(
                    CONNECTOR,
                    handset.encode("ascii"),
                    sender.encode("ascii"),
                    part,
                    data_coding=encoded.data_coding,
                    esm_class=encoded.esm_class,
                )
            )


@contextlib.asynccontextmanager
async def carrier(ledger: Path) -> AsyncIterator[Carrier]:
    """Started, and stopped with the block."""
    simulator = Simulator(PROFILE, "127.0.0.1", 0, ledger_path=ledger)
    await simulator.start()
    try:
        yield Carrier(simulator, ledger)
    finally:
        await simulator.stop()
