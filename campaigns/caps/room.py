"""The parts of this room in one process: what the API asks, and what works by itself.

Owns their start and their end. Must not put them together (gateway/wiring does).
"""

from __future__ import annotations

from typing import NamedTuple

from campaigns.caps.accounts import CappedAccounts
from campaigns.caps.desk import CapDesk
from campaigns.caps.members import CapMembers


class CapRoom(NamedTuple):
    """Caps by group."""

    desk: CapDesk
    accounts: CappedAccounts
    members: CapMembers

    def start(self) -> None:
        """Look at changes, and read who is in segments."""
        self.accounts.start()
        self.members.start()

    async def stop(self) -> None:
        """End, wherever it is."""
        await self.accounts.stop()
        await self.members.stop()
