"""A carrier to rehearse with: accepts binds, answers submits, sends receipts, keeps a ledger.

    simulator = Simulator(load_profile("carrier-cn"), "127.0.0.1", 2775)
    await simulator.start()

Owns what others may use of it. Must not be used by the sending side.
"""

from __future__ import annotations

from smpp.simulator.capture import CaptureError, CaptureLine
from smpp.simulator.carrier import Simulator
from smpp.simulator.ledger import LedgerError, LedgerLine, read_ledger
from smpp.simulator.profile import (
    READY_PROFILES,
    Outcome,
    Profile,
    ProfileError,
    load_profile,
    parse_profile,
)
from smpp.simulator.receipts import InboundMessage

__all__ = [
    "READY_PROFILES",
    "CaptureError",
    "CaptureLine",
    "InboundMessage",
    "LedgerError",
    "LedgerLine",
    "Outcome",
    "Profile",
    "ProfileError",
    "Simulator",
    "load_profile",
    "parse_profile",
    "read_ledger",
]
