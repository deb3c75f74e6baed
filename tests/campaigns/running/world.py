"""A campaign over a real database and a real accepter, with contacts, a plan, and a simple text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from campaigns.running.braking import Brake
from campaigns.running.chunks import Pace
from campaigns.running.feed import Feed, Unrenderable
from campaigns.running.recipients import Recipient
from campaigns.running.states import CampaignState
from messages.models import Accepter, GivenIds, IfCapped, Prepared, Refused, Verdict
from storage.categories import Category
from storage.ids import IdSource
from storage.partitions import ensure_partitions
from storage.pool import Connection, Dedicated
from storage.terms import HostIdentity, OwnerTerm
from tests.messages.accept.world import ACCOUNT, VAULT, World, accepting, prepared, wall_ms


@dataclass
class Texts:
    """A Rendering and where it comes from: everybody gets one text, but for some."""

    pace: Pace = field(default_factory=Pace)
    category: int = Category.MARKETING
    sender: str = "SHOP"
    if_capped: IfCapped = IfCapped.SKIP
    skipped: dict[int, str] = field(default_factory=dict)  # seq -> reason
    gone: str | None = None

    async def open(self, connection: Connection, campaign: int, version: int) -> Texts:
        if self.gone is not None:
            raise Unrenderable(self.gone)
        self.label = f"cmp-{campaign}"
        self.variant = str(version)
        return self

    def prepare(self, recipients: Sequence[Recipient], now_ms: int) -> list[Prepared | str]:
        return [self._one(each) for each in recipients]

    def _one(self, each: Recipient) -> Prepared | str:
        if each.seq in self.skipped:
            return self.skipped[each.seq]
        if each.to_enc is None:
            return "number_gone"
        to = VAULT.open(each.to_enc)
        return prepared(
            int(to[-8:]), Category.MARKETING, to=to, campaign_id=self.label, variant=self.variant
        )


class Killed(BaseException):
    """The process dies here: nothing of it runs any more."""


@dataclass
class Campaigns:
    world: World
    ids: IdSource
    texts: Texts = field(default_factory=Texts)
    feeds: list[Feed] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def planned(self, count: int, **columns: Any) -> int:
        """A running campaign with this many people planned, all of them due."""
        campaign = self.ids.next()
        now = datetime.now(UTC)
        row = {
            "id": campaign,
            "account": ACCOUNT,
            "state": CampaignState.RUNNING,
            "planned": count,
            "planned_at": now,
            "started_at": now - timedelta(minutes=1),
            "paced_at": now,
            **columns,
        }
        names = ", ".join(row)
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.connection.execute(
            f"INSERT INTO campaign ({names}) VALUES ({places})", *row.values()
        )
        contacts = self.ids.take(count)
        numbers = [f"+86139{n:08d}" for n in range(count)]
        indexes = [VAULT.index(number) for number in numbers]
        await self.connection.copy_records_to_table(
            "contact",
            records=[(each, ACCOUNT) for each in contacts],
            columns=("id", "account"),
        )
        await self.connection.execute("DELETE FROM contact_number")
        await self.connection.copy_records_to_table(
            "contact_number",
            records=[
                (ACCOUNT, index, VAULT.seal(number), contact, 0)
                for index, number, contact in zip(indexes, numbers, contacts, strict=True)
            ],
            columns=("account", "to_idx", "to_enc", "contact", "rank"),
        )
        await self.connection.copy_records_to_table(
            "campaign_recipient",
            records=[
                (campaign, seq, contact, index, 0, 0)
                for seq, (contact, index) in enumerate(zip(contacts, indexes, strict=True))
            ],
            columns=("campaign", "seq", "contact", "to_idx", "arm", "slot"),
        )
        return campaign

    async def process(
        self,
        wrap: Callable[[Accepter], Accepter] = lambda inner: inner,
        dedicated: Dedicated | None = None,
        clock: Callable[[], int] = wall_ms,
    ) -> Feed:
        """Another process's feed, with a term of its own."""
        term = await OwnerTerm.acquire(self.connection, HostIdentity.current())
        ids = IdSource(term.node, clock)
        feed = Feed(
            dedicated or self.world.database.dedicated(f"feed {term.term}"),
            accepter=wrap(self.world.accepter),
            renderings=self.texts,
            vault=VAULT,
            brake=Brake(ids, lambda: None),
            ids=ids,
            term=term.term,
            wall_ms=clock,
            ended=lambda task: None,
        )
        self.feeds.append(feed)
        return feed

    async def dead(self) -> None:
        """Every process so far has ended."""
        await self.connection.execute(
            "UPDATE owner_term SET ended_at = now() WHERE term <> $1", self.world.term
        )

    async def sent(self, campaign: int) -> list[str]:
        """The numbers of its messages, sorted."""
        rows = await self.connection.fetch(
            "SELECT to_enc FROM message WHERE campaign_id = $1", f"cmp-{campaign}"
        )
        return sorted(VAULT.open(row["to_enc"]) for row in rows)

    async def row(self, campaign: int) -> dict[str, Any]:
        found = await self.connection.fetchrow("SELECT * FROM campaign WHERE id = $1", campaign)
        assert found is not None
        return dict(found)

    async def skips(self, campaign: int) -> dict[int, str]:
        rows = await self.connection.fetch(
            "SELECT seq, reason FROM campaign_skip WHERE campaign = $1", campaign
        )
        return {row["seq"]: row["reason"] for row in rows}


def numbers(count: int) -> list[str]:
    """Those of `planned`."""
    return [f"+86139{n:08d}" for n in range(count)]


@dataclass
class Dying:
    """An accepter in a process that dies at one of its calls, before or after it did its work."""

    inner: Accepter
    calls: int
    stored: float  # the share of the messages that is stored before it dies

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        self.calls -= 1
        if self.calls >= 0:
            return await self.inner.accept(items, batch_id=batch_id, ids=ids)
        assert ids is not None
        count = int(len(items) * self.stored)
        if count:
            some = msgspec.structs.replace(ids, ids=ids.ids[:count])
            await self.inner.accept(items[:count], batch_id=batch_id, ids=some)
        raise Killed


@asynccontextmanager
async def campaigning(database_url: str) -> AsyncIterator[Campaigns]:
    async with accepting(database_url) as world:
        await ensure_partitions(world.connection, datetime.now(UTC).date())
        yield Campaigns(world, IdSource(99, wall_ms))
