"""What the endpoints for links need: a small protocol.

Owns it. Must not import what implements it: gateway/wiring fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from shortlinks.link_rules import LinkRules
from shortlinks.link_stats import LinkStats, StatsAsked
from shortlinks.public_desk import LinkActor
from shortlinks.public_links import LinkFilter, NewLink, StoredLink, Taken


class LinkBook(Protocol):
    """Links that belong to no message."""

    @property
    def rules(self) -> LinkRules:
        """What links may be, as of now."""

    def now(self) -> datetime:
        """In UTC."""

    def new_ids(self, count: int) -> list[int]:
        """Ids for links to be made."""

    async def create(
        self, actor: LinkActor, links: Sequence[NewLink], *, again: bool = False
    ) -> list[StoredLink | Taken]:
        """What is stored of each, in their order, or who has its slug. Raises Overloaded,
        StorageDown.
        """

    async def change(
        self, actor: LinkActor, link_id: int, changes: Mapping[str, object]
    ) -> StoredLink | None:
        """The link with these fields, once committed; None: there is none. Raises LinkDeleted,
        Overloaded, StorageDown.
        """

    async def delete(self, actor: LinkActor, link_id: int) -> bool:
        """End it; it stays ended. False: there is none. Raises Overloaded, StorageDown."""

    async def one(self, account: int, link_id: int) -> StoredLink | None:
        """As it stands, also after its end; None: there is none. Raises StorageDown."""

    async def listed(
        self, account: int, wanted: LinkFilter, *, before: int | None, limit: int
    ) -> list[StoredLink]:
        """The latest made first, below an id. Raises StorageDown."""

    async def stats(self, account: int, link_id: int, asked: StatsAsked) -> LinkStats | None:
        """What its clicks amount to; None: there is no such link. Raises StorageDown."""
