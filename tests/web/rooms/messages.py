"""Messages that are accepted and read: kept in memory, refused and held up as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from dispatch.routes.routing import Leg, Route, RouteTable
from messages.accept.rehearsal import PolicyDecision
from messages.models import FieldError, GivenIds, Prepared, Refused, Verdict
from messages.reading.listing import MessageFilter
from messages.reading.reader import MessagePage, MessageView
from messages.reading.timeline import Timeline, TimelineEvent, TimelinePage
from storage.ids import IdSource, time_of
from tests.web.rooms.forced import Forced

NOW_MS = 1_790_000_000_000
SUPPRESSED_NUMBER = "+8613900000000"
ROUTE = Route(prefixes=("+86", "+44"), via=(Leg("carrier-a"), Leg("carrier-b")))


class Messages(Forced):
    """Implements Accepter, PolicyPreview and MessageReader. Nothing but +86 and +44 has a route."""

    def __init__(self) -> None:
        super().__init__()
        self.ids = IdSource(1, lambda: NOW_MS)
        self.routes = RouteTable([ROUTE], {"carrier-a": 1, "carrier-b": 2}, ())
        self.validating = asyncio.Event()  # set when a message is validated
        self.accepting: asyncio.Event | None = None  # until it is set nothing is accepted
        self.refuse_from: int | None = None
        self.batch_sizes: list[int] = []
        self.stored: dict[int, tuple[Prepared, int | None]] = {}
        self.references: dict[tuple[int, str], int] = {}
        self.sending: set[int] = set()
        self.canceled: set[int] = set()
        self.wanted: MessageFilter | None = None  # of the last list
        self.timelines_asked: list[TimelinePage] = []

    def route(self, to: str, sender: str, category: int, account: str, tags: Sequence[str]) -> int:
        self.validating.set()
        return self.routes.first(to, sender, category, account, tags)

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        if self.accepting is not None:
            await self.accepting.wait()
        self.fail()
        self.batch_sizes.append(len(items))
        return [
            self._verdict(item, batch_id, self.ids.next() if ids is None else ids.ids[position])
            if self.refuse_from is None or position < self.refuse_from
            else Refused("storage_unavailable", "not stored")
            for position, item in enumerate(items)
        ]

    def _verdict(self, item: Prepared, batch_id: int | None, message_id: int) -> Verdict | Refused:
        if item.client_ref is not None:
            first = self.references.setdefault((item.account, item.client_ref), message_id)
            if first != message_id and _asks(self.stored[first][0]) != _asks(item):
                fault = FieldError("client_ref_reused", "used before", "/client_ref")
                return Refused(fault.code, fault.detail, (fault,))
            if first != message_id:
                return Verdict(first, "queued", None, item.text, deduplicated=True)
        self.stored[message_id] = (item, batch_id)
        if item.to == SUPPRESSED_NUMBER:
            return Verdict(message_id, "suppressed", "opted_out", item.text)
        return Verdict(message_id, "accepted", None, item.text)

    async def decisions(self, items: Sequence[Prepared]) -> list[list[PolicyDecision]]:
        self.fail()
        suppressed = PolicyDecision("suppression", "suppressed", "opted_out")
        return [[suppressed] if item.to == SUPPRESSED_NUMBER else [] for item in items]

    async def message(self, account: int, message_id: int) -> MessageView | None:
        self.fail()
        item, batch_id = self.stored.get(message_id, (None, None))
        if item is None or item.account != account:
            return None
        return MessageView(
            id=message_id,
            to=item.to,
            sender=item.sender,
            text=item.text,
            category=item.category,
            status=self._status(message_id),
            final=False,
            parts=item.parts,
            data_coding=item.data_coding,
            client_ref=item.client_ref,
            batch_id=batch_id,
            tags=item.tags,
            created_at=time_of(message_id),
        )

    async def listed(
        self, account: int, wanted: MessageFilter, below: int | None, limit: int
    ) -> MessagePage:
        self.wanted = wanted
        ids = [each for each in sorted(self.stored, reverse=True) if below is None or each < below]
        views = [view for each in ids if (view := await self.message(account, each)) is not None]
        more = len(views) > limit
        return MessagePage(views[:limit], views[limit - 1].id if more else None)

    async def events(self, account: int, message_id: int, page: TimelinePage) -> Timeline | None:
        if await self.message(account, message_id) is None:
            return None
        self.timelines_asked.append(page)
        accepted = TimelineEvent(time_of(message_id), "accepted", {"parts": 1})
        return Timeline([accepted], 7 if page.clicks_max == 1 and page.after is None else None)

    def _status(self, message_id: int) -> str:
        if message_id in self.canceled:
            return "canceled"
        return "sending" if message_id in self.sending else "queued"


def _asks(item: Prepared) -> tuple[object, ...]:
    return item.to, item.sender, item.category, item.asked_text
