"""Opt-out pages of a test: a message with a link, and the redirect server over a real database."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp.test_utils import RawTestServer, TestClient
from aiohttp.web import BaseRequest

from dispatch.inbound.opt_outs import Confirmation, OptOutPolicy, OptOuts
from dispatch.inbound.page_opt_outs import PageOptOuts, PagePolicy
from recipients.just_stopped import JustStopped
from shortlinks.code import CodePermutation, link_value
from shortlinks.journal import ClickJournal
from shortlinks.opt_out_door import OptOutDoor
from shortlinks.ranges import LinkSequence, TargetCache, insert_range, plan_range
from shortlinks.redirect import Redirector
from shortlinks.rewrite import OPT_OUT_TARGET
from storage.categories import Category
from storage.pool import Connection
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER
from tests.dispatch.world import CLOCK, VAULT, World, running, wall_ms

PERSON = {
    "User-Agent": "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-GB,en;q=0.9",
}
TARGET = "https://shop.example/"


Client = TestClient[BaseRequest, None]


@dataclass
class Pages:
    world: World
    opt_outs: OptOuts
    desk: PageOptOuts
    door: OptOutDoor
    journal: ClickJournal
    client: Client
    stopped: JustStopped
    owed: list[Confirmation]
    named: list[tuple[int, int]]  # message and account of who opted out
    codes: CodePermutation = field(default_factory=lambda: CodePermutation(b"0123456789abcdef"))
    sequence: LinkSequence = field(default_factory=LinkSequence)

    @property
    def url(self) -> str:
        return str(self.client.make_url("/")).rstrip("/")

    async def link(self, to: str = HANDSET, **fields: Any) -> tuple[int, str, str]:
        """A message to this number: its id, and the codes of its opt-out link and another."""
        fields = {"account": ACCOUNT, "sender": SENDER, "to": to, **fields}
        message = self.world.message(fields.pop("category", Category.MARKETING), **fields)
        await self.world.store([message], owner=0)
        first = await self.sequence.reserve(self.world.connection, 1)
        until = datetime.now(UTC) + timedelta(hours=1)
        row = plan_range(first, [(message.id, [TARGET, OPT_OUT_TARGET])], until)
        await insert_range(self.world.connection, row)
        other, own = self.codes.encode_many([link_value(first, 0), link_value(first, 1)])
        return message.id, own, other

    async def get(self, code: str, **headers: str) -> tuple[int, str]:
        sent = {**PERSON, **headers}
        answer = await self.client.get(f"/{code}", headers=sent, allow_redirects=False)
        return answer.status, await answer.text()

    async def press(self, code: str, *fields: tuple[str, str], **headers: str) -> tuple[int, str]:
        """A form sent by a person's browser."""
        sent = {**PERSON, **headers}
        answer = await self.client.post(
            f"/{code}", data=list(fields), headers=sent, allow_redirects=False
        )
        return answer.status, await answer.text()

    async def suppressed(self) -> list[tuple[int, int, str, str | None]]:
        """(account, category, source, detail) of each entry."""
        rows = await self.world.connection.fetch(
            "SELECT account, category, source, detail FROM suppression ORDER BY category, source"
        )
        return [tuple(row) for row in rows]


@asynccontextmanager
async def pages(
    database_url: str,
    folder: Path,
    *,
    policies: Mapping[int, OptOutPolicy] | None = None,
    says: Mapping[int, PagePolicy] | None = None,
    through: str | None = None,
) -> AsyncIterator[Pages]:
    """`says`: what the pages of accounts say. `through` is the address all of it connects by."""
    async with running(database_url, through=through) as world:
        stopped = JustStopped()
        owed: list[Confirmation] = []
        named: list[tuple[int, int]] = []
        opt_outs = OptOuts(
            policies or {},
            stopped=stopped,
            ids=world.ids,
            wall_ms=wall_ms,
            monotonic=time.monotonic,
        )

        def owe(given: Sequence[Confirmation]) -> None:
            owed.extend(given)

        async def name(_: Connection, ids: Sequence[int], accounts: Collection[int]) -> None:
            named.extend(zip(ids, accounts, strict=True))

        desk = PageOptOuts(
            world.database.read,
            world.database.dedicated("opt-out-pages"),
            opt_outs=opt_outs,
            policies=says or {ACCOUNT: PagePolicy("Shop")},
            vault=VAULT,
            ids=world.ids,
            wall_ms=CLOCK.wall_ms,
            monotonic=time.monotonic,
            owe=owe,
            named=name,
        )
        door = OptOutDoor(desk)
        codes = CodePermutation(b"0123456789abcdef")
        cache = TargetCache(world.database.dedicated("links"), time.time)
        journal = ClickJournal(folder / "clicks", node=7)
        redirector = Redirector(codes, cache, journal, world.ids, time.time, opt_outs=door)
        async with Client(RawTestServer(redirector.handle)) as client:
            yield Pages(world, opt_outs, desk, door, journal, client, stopped, owed, named)
        await desk.close()
        await cache.close()
