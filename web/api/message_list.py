"""The endpoint that lists messages.

Owns its query parameters and the page it answers. Must not read tables: pages come through
services.py. Numbers leave masked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.status import STATUSES, status_of
from messages.models import FieldError
from messages.reading.listing import MessageFilter
from storage.codecs import EARLIEST
from storage.ids import AHEAD_MAX, parse_id
from web.api.message_answers import MessageResource, resource
from web.edge.access import Access
from web.edge.arguments import refusal
from web.edge.cursors import Cursors, PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, fault
from web.services import Services

READ = "messages:read"
SPAN = timedelta(days=7)
LABELS = ", ".join(dict.fromkeys(info.label for info in STATUSES.values()))  # two have one name

Value = TypeVar("Value")
_E164 = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
Moment = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(min_length=1, max_length=100)]


class MessageQuery(PageQuery, kw_only=True):
    """Which messages. Without `created_after` or `batch_id`: of the last seven days."""

    client_ref: Text | None = None
    to: Annotated[str | None, Meta(description="E.164; + is written %2B in a URL.")] = None
    status: Annotated[str | None, Meta(description=f"One of {LABELS}.")] = None
    batch_id: Annotated[str | None, Meta(description="As a batch was answered: bat_….")] = None
    campaign_id: Text | None = None
    tag: Text | None = None
    created_after: Annotated[Moment | None, Meta(description="At this time or later.")] = None
    created_before: Annotated[Moment | None, Meta(description="Before this time.")] = None


class MessagePageAnswer(msgspec.Struct):
    """Messages, newest first. A page may be short, or empty, and not be the last: while there may
    be more, `next_cursor` says where to go on.
    """

    data: list[MessageResource]
    next_cursor: str | None


class MessageListApi:
    """The handler of GET /v1/messages."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._cursors: Cursors = services.cursors
        self._reader = QueryReader(MessageQuery)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/messages",
                handler=self.listed,
                summary="Messages, newest first",
                description="`to`, `client_ref`, `batch_id` and `status=unconfirmed` are looked up;"
                " for the other filters each page looks through a bounded number of messages.",
                scope=READ,
                query=MessageQuery,
                answers={200: Answer(MessagePageAnswer, headers={"Link": "The next page."})},
                problems=("report_too_slow",),
            )
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """A page of the account's messages."""
        key = await self._access.key(request, READ)
        query = self._reader.read(request)
        wanted = self._wanted(query)
        page = self._cursors.page(request, key.account, query)
        below = page.after[0] if page.after else None
        assert below is None or isinstance(below, int)  # encrypted by us
        found = await self._services.messages.listed(key.account, wanted, below, page.limit)
        next_cursor = page.more(None if found.stopped_at is None else (found.stopped_at,))
        answer = MessagePageAnswer([resource(view) for view in found.messages], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    def _wanted(self, query: MessageQuery) -> MessageFilter:
        """The filter asked for. Raises ProblemError 422 that names each parameter that is wrong."""
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        until = query.created_before or now + AHEAD_MAX
        faults: list[FieldError] = []
        to = _meant("to", query.to, _number, faults)
        status = _meant("status", query.status, _status, faults)
        batch_id = _meant("batch_id", query.batch_id, _batch, faults)
        since = query.created_after
        if since is None:
            since = EARLIEST if batch_id else min(until, now) - SPAN
        if since >= until:
            faults.append(fault("parameter_invalid", "created_after", "not before created_before"))
        if faults:
            raise refusal(faults)
        return MessageFilter(
            since=since,
            until=until,
            to=to,
            status=status,
            client_ref=query.client_ref,
            batch_id=batch_id,
            campaign_id=query.campaign_id,
            tag=query.tag,
        )


def _meant(
    name: str, text: str | None, read: Callable[[str], Value], faults: list[FieldError]
) -> Value | None:
    """What the text of a parameter means. `read` raises ValueError, worded for the client."""
    if text is None:
        return None
    try:
        return read(text)
    except ValueError as error:
        faults.append(fault("parameter_invalid", name, str(error)))
        return None


def _number(text: str) -> str:
    if _E164.fullmatch(text) is None:
        raise ValueError("not a number like %2B8613812345678")
    return text


def _status(label: str) -> str:
    try:
        status_of(label)
    except ValueError:
        raise ValueError(f"not one of {LABELS}") from None
    return label


def _batch(text: str) -> int:
    try:
        return parse_id("bat", text)
    except ValueError:
        raise ValueError("not the id of a batch") from None
