"""Links that belong to no message behind the API: each change with its audit row, in one commit.

Owns these transactions. Must not check what a request holds, nor judge a target (link_rules.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from shortlinks import link_stats, public_links
from shortlinks.link_rules import LinkRules
from shortlinks.link_stats import LinkStats, StatsAsked
from shortlinks.public_code import PublicCodes
from shortlinks.public_links import LinkFilter, NewLink, StoredLink, Taken
from storage import audit
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource, format_id
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading

PREFIX = "lnk"
REQUESTS_PER_FLUSH_MAX = 20
REQUESTS_WAITING_MAX = 500


class LinkActor(msgspec.Struct, frozen=True):
    """Who asks, and for which account."""

    account: int
    name: str  # "key 7"


class LinkDeleted(Exception):
    """The link has ended for good: nothing of it can be changed."""


class _Create(msgspec.Struct):
    actor: LinkActor
    links: Sequence[NewLink]
    again: bool


class _Change(msgspec.Struct):
    """`changes` None: the end."""

    actor: LinkActor
    link_id: int
    changes: Mapping[str, object] | None


_Outcome = list[StoredLink | Taken] | StoredLink | LinkDeleted | None


class LinkDesk:
    """Implements LinkBook. Counts links made, changed and deleted since start, in `counts`."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        rules: LinkRules,
        codes: PublicCodes,
        ids: IdSource,
        wall_ms: Callable[[], int],
    ) -> None:
        self.rules = rules
        self.counts = {"made": 0, "changed": 0, "deleted": 0}
        self._pool = pool
        self._dedicated = dedicated
        self._codes = codes
        self._ids = ids
        self._wall_ms = wall_ms
        self.commits: GroupCommit[_Create | _Change, _Outcome] = GroupCommit(
            self._flush,
            name="public links",
            items_per_flush_max=REQUESTS_PER_FLUSH_MAX,
            items_waiting_max=REQUESTS_WAITING_MAX,
        )

    def new_ids(self, count: int) -> list[int]:
        """Ids for links to be made."""
        return self._ids.take(count)

    async def create(
        self, actor: LinkActor, links: Sequence[NewLink], *, again: bool = False
    ) -> list[StoredLink | Taken]:
        """What is stored of each, in their order, or who has its slug. Raises Overloaded,
        StorageDown.
        """
        outcome = await committed(self.commits, _Create(actor, links, again))
        assert isinstance(outcome, list)
        return outcome

    async def change(
        self, actor: LinkActor, link_id: int, changes: Mapping[str, object]
    ) -> StoredLink | None:
        """The link with these fields, once committed; None: there is none. Raises LinkDeleted,
        Overloaded, StorageDown.
        """
        return await self._changed(_Change(actor, link_id, changes))

    async def delete(self, actor: LinkActor, link_id: int) -> bool:
        """End it; it stays ended. False: there is none. Raises Overloaded, StorageDown."""
        return await self._changed(_Change(actor, link_id, None)) is not None

    async def one(self, account: int, link_id: int) -> StoredLink | None:
        """As it stands, also after its end; None: there is none. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await public_links.one(connection, account, link_id)

    async def listed(
        self, account: int, wanted: LinkFilter, *, before: int | None, limit: int
    ) -> list[StoredLink]:
        """The latest made first, below an id. Raises StorageDown."""
        async with reading(self._pool) as connection:
            return await public_links.listed(
                connection, account, wanted, before=before, limit=limit, now=self.now()
            )

    async def stats(self, account: int, link_id: int, asked: StatsAsked) -> LinkStats | None:
        """What its clicks amount to; None: there is no such link. Raises StorageDown."""
        async with reading(self._pool) as connection:
            if await public_links.one(connection, account, link_id) is None:
                return None
            return await link_stats.stats(connection, link_id, asked)

    def now(self) -> datetime:
        """By this process's clock, in UTC."""
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _changed(self, asked: _Change) -> StoredLink | None:
        outcome = await committed(self.commits, asked)
        if isinstance(outcome, LinkDeleted):
            raise outcome
        assert not isinstance(outcome, list)
        return outcome

    async def _flush(self, asked: list[_Create | _Change], _attempt: int) -> list[_Outcome]:
        async with self._dedicated.transaction() as connection:
            outcomes = [
                await self._create(connection, each)
                if isinstance(each, _Create)
                else await self._change(connection, each)
                for each in asked
            ]
        for each, outcome in zip(asked, outcomes, strict=True):
            self._count(each, outcome)
        return outcomes

    def _count(self, asked: _Create | _Change, outcome: _Outcome) -> None:
        if isinstance(outcome, list):
            self.counts["made"] += sum(isinstance(link, StoredLink) for link in outcome)
        elif isinstance(outcome, StoredLink) and isinstance(asked, _Change):
            self.counts["deleted" if asked.changes is None else "changed"] += 1

    async def _create(self, connection: Connection, asked: _Create) -> list[StoredLink | Taken]:
        account = asked.actor.account
        outcomes = await public_links.add(
            connection, account, asked.links, self._codes, again=asked.again
        )
        made = [each for each in outcomes if isinstance(each, StoredLink)]
        if len(made) == 1:
            detail: dict[str, object] = {"link": format_id(PREFIX, made[0].id)}
            await self._note(connection, asked.actor, "link.create", detail)
        elif made:
            named = {"first": made[0].id, "last": made[-1].id}
            places = {key: format_id(PREFIX, value) for key, value in named.items()}
            await self._note(connection, asked.actor, "links.create", {"rows": len(made), **places})
        return outcomes

    async def _change(
        self, connection: Connection, asked: _Change
    ) -> StoredLink | LinkDeleted | None:
        link = await public_links.locked(connection, asked.actor.account, asked.link_id)
        if link is None:
            return None
        named: dict[str, object] = {"link": format_id(PREFIX, link.id)}
        if asked.changes is None:
            if link.deleted_at is not None:
                return link
            await self._note(connection, asked.actor, "link.delete", named)
            return await public_links.end(connection, link)
        if link.deleted_at is not None:
            return LinkDeleted()
        changed = {k: v for k, v in asked.changes.items() if getattr(link, k) != v}
        if not changed:
            return link
        detail = {**named, "changed": sorted(changed)}
        await self._note(connection, asked.actor, "link.change", detail)
        return await public_links.change(connection, msgspec.structs.replace(link, **changed))

    async def _note(
        self, connection: Connection, actor: LinkActor, action: str, detail: Mapping[str, object]
    ) -> None:
        entry = AuditEntry(self._ids.next(), actor.account, actor.name, action, None, detail)
        await audit.append(connection, [entry])
