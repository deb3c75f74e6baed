"""The endpoint for messages from handsets.

Owns its query parameters and JSON. Must not read tables: messages come through web/services.py.
Numbers leave as reveals.py says.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from dispatch.inbound.reading import InboundFilter, InboundView
from storage.ids import format_id, time_of
from storage.suppression import EVERY_ACCOUNT
from web.edge.access import Access
from web.edge.auth import ADMIN
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader
from web.edge.reveals import (
    REASON_HEADER,
    REVEAL_PROBLEMS,
    Discarded,
    Erased,
    RevealQuery,
    Reveals,
    Unreadable,
    discarded,
    erased,
    shown,
    unreadable,
)
from web.services import Services

READ = "inbound:read"

ReplyLabel = Literal["opt_out", "opt_in", "help", "keyword", "rating", "other"]
_CLASSES: tuple[ReplyLabel, ...] = get_args(ReplyLabel)


class InboundQuery(RevealQuery, kw_only=True):
    """Messages received in [since, until), newest first."""

    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Received from then on.")
    ] = None
    until: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Received before.")
    ] = None
    kind: Annotated[ReplyLabel | None, Meta(description="Only those of this class.")] = (
        msgspec.field(name="class", default=None)
    )


class InboundMessage(msgspec.Struct, kw_only=True):
    """A message from a handset. Absent values are null."""

    id: str
    object: str = "inbound_message"
    source: str | None = msgspec.field(name="from")
    from_unreadable: Unreadable = UNSET
    erased: Erased = UNSET
    to: str
    text: str | None
    text_discarded: Discarded = UNSET
    parts: int
    parts_missing: Annotated[
        int, Meta(description="Parts that did not come in time; the text marks them.")
    ]
    keyword: Annotated[
        str | None, Meta(description="`opt_out` or `opt_in`, where the whole text is such a word.")
    ]
    kind: Annotated[
        ReplyLabel | None,
        Meta(
            description="What kind of reply the whole text is, the first that fits: to opt out or "
            "in, a request for help, a keyword of the account, a rating; null where an older "
            "release stored it."
        ),
    ] = msgspec.field(name="class")
    keyword_name: Annotated[
        str | None, Meta(description="What `reply_keywords` calls the word, of a `keyword`.")
    ]
    rating: Annotated[int | None, Meta(description="The number, of a `rating`.")]
    answers: Annotated[
        str | None, Meta(description="The last message sent to this handset from that number.")
    ]
    connector: str | None
    unclear: Annotated[
        str | None,
        Meta(
            description="Why it may be something else than a handset's message: `unreadable`, what "
            "the carrier called a receipt and names no message; `receipt_like`, the text of a "
            "receipt that nothing calls one; `guessed`, read otherwise than it says: a part whose "
            "header was not announced, or a text as in `read_as`."
        ),
    ]
    read_as: Annotated[
        str | None,
        Meta(
            description="How the text was read where its `data_coding` alone does not say: in "
            "`gsm7`, `utf8`, `latin1`, `shift_jis`, `euc_jp` or `cp949`; under a `reserved` "
            "number; as `binary` or `compressed`, each octet a character; `unreadable`, some of "
            "it is lost."
        ),
    ] = None
    received_at: datetime


class InboundList(msgspec.Struct):
    """A page of messages from handsets, newest first."""

    data: list[InboundMessage]
    next_cursor: str | None


class InboundApi:
    """Handler of /v1/inbound."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._query = QueryReader(InboundQuery)
        self._reveals = Reveals(services.reveals)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/inbound",
                handler=self.messages,
                summary="Messages from handsets",
                description="Those to the account's numbers and in answer to its messages; with "
                "the scope admin also those to numbers of nobody.",
                scope=READ,
                query=InboundQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={
                    200: Answer(InboundList, headers={"Link": "The next page, if there is one."})
                },
            )
        ]

    async def messages(self, request: web.Request) -> web.Response:
        """A page of messages, newest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        reason = self._reveals.check(request, key, query.reveal)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._services.inbound.listed(
            accounts_of(key),
            InboundFilter(since=query.since, until=query.until, kind=query.kind),
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = InboundList([_message(view, query.reveal) for view in kept], next_cursor)
        noted = await self._reveals.note(
            key,
            reason,
            "inbound",
            [each.id for each in answer.data],
            [view.source for view in kept],
        )
        return json_response(answer, headers=page.headers(next_cursor) | noted)


def accounts_of(key: StoredKey) -> tuple[int, ...]:
    """The accounts whose rows a key may see: its own; with admin also those that belong to no
    account.
    """
    return (key.account, EVERY_ACCOUNT) if ADMIN in key.scopes else (key.account,)


def _message(view: InboundView, clear: bool) -> InboundMessage:
    return InboundMessage(
        id=format_id("inb", view.id),
        source=shown(view.source, clear=clear),
        from_unreadable=unreadable(view.source),
        erased=erased(view.source),
        to=view.destination,
        text=view.text or None,
        text_discarded=discarded(view.text),
        parts=view.parts,
        parts_missing=view.parts_missing,
        keyword=view.keyword,
        kind=next((label for label in _CLASSES if label == view.kind), None),
        keyword_name=view.name,
        rating=view.rating,
        answers=None if view.answers is None else format_id("msg", view.answers),
        connector=view.connector,
        unclear=view.unclear,
        read_as=view.read_as,
        received_at=time_of(view.id),
    )
