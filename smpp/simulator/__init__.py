"""A carrier to rehearse with: accepts binds, answers submits, sends receipts, keeps a ledger.

simulator = Simulator(load_profile("carrier-cn"), "127.0.0.1", 2775)
await simulator.start()
"""

from __future__ import annotations

from .carrier import Simulator
from .ledger import LedgerError, LedgerLine, read_ledger
from .profile import READY_PROFILES, Outcome, Profile, ProfileError, load_profile, parse_profile
from .receipts import InboundMessage

__all__ = [
    "READY_PROFILES",
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
