"""What the endpoints for caps by group need: a small protocol.

Owns it. Must not import what implements it: gateway/wiring fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from campaigns.caps.desk import CapActor
from campaigns.caps.store import Group, Limits, StoredCap


class CapBook(Protocol):
    """Caps by group. All raise StorageDown, and what changes something Overloaded."""

    def new_id(self) -> int:
        """The id of a cap to be made."""

    async def listed(self, account: int) -> list[StoredCap]:
        """All of the account, the oldest first."""

    async def one(self, account: int, cap: int) -> StoredCap | None:
        """None: there is none."""

    async def create(self, actor: CapActor, cap: int, group: Group, limits: Limits) -> StoredCap:
        """Once it is stored. Raises GroupUnknown, GroupTaken, NoLimit, TooManyCaps."""

    async def change(
        self, actor: CapActor, cap: int, version: int, given: Mapping[str, int | None]
    ) -> StoredCap | None:
        """None: there is none. Raises CapDiffers, NoLimit."""

    async def delete(self, actor: CapActor, cap: int, version: int | None) -> bool:
        """False: there is none. Raises CapDiffers."""
