"""The endpoints that resolve messages in doubt.

Owns their JSON. Must not decide anything: the caller says whether to send again or to give up.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.body_faults import Faults
from messages.control.doubts import Resolution
from messages.models import FieldError
from messages.reading.listing import MessageFilter
from storage.ids import format_id, parse_id, time_of
from web.api.messages import MessageId
from web.edge.access import SEND, Access
from web.edge.arguments import decoded, not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.problems import ProblemError
from web.services import Services

IDS_MAX = 1000
BATCH_SPAN = timedelta(hours=1)  # the messages of a batch are made within moments
Action = Annotated[
    Literal["resend", "drop"],
    Meta(description="`resend`: submit it once more. `drop`: give it up, it becomes `failed`."),
]


class ResolveOne(msgspec.Struct, forbid_unknown_fields=True):
    """What to do about a message that is `unconfirmed`."""

    action: Action


class ResolveMany(msgspec.Struct, forbid_unknown_fields=True):
    """The same for many: those named, or up to 1 000 of a batch; one of the two."""

    action: Action
    ids: Annotated[list[str], Meta(min_length=1, max_length=IDS_MAX)] | None = None
    batch_id: str | None = None


class ResolvedMessage(msgspec.Struct):
    """`result`: resent, dropped, or why nothing was done: not_found, not_unconfirmed, expired."""

    id: str
    result: str


class ResolvedMessages(msgspec.Struct):
    """What became of each. `more`: the batch has others in doubt; ask again."""

    resolved: int
    items: list[ResolvedMessage]
    more: bool = False


class ResolveApi:
    """Handlers of …/resolve."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._one = msgspec.json.Decoder(ResolveOne)
        self._many = msgspec.json.Decoder(ResolveMany)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/messages/resolve",
                handler=self.resolve_many,
                summary="Resolve messages in doubt",
                description="`GET /v1/messages?status=unconfirmed` lists them. A receipt that still"
                " comes counts, whatever was decided.",
                scope=SEND,
                request=ResolveMany,
                answers={200: ResolvedMessages},
                example={"action": "drop", "ids": ["msg_0nx25tc8g2000"]},
            ),
            Endpoint(
                method="POST",
                path="/v1/messages/{id}/resolve",
                handler=self.resolve_one,
                summary="Resolve a message in doubt",
                description="Only one that is `unconfirmed`; of any other, 409.",
                scope=SEND,
                path_parameters={"id": MessageId},
                request=ResolveOne,
                answers={200: ResolvedMessage},
                problems=("not_unconfirmed", "message_expired"),
                example={"action": "drop"},
            ),
        ]

    async def resolve_one(self, request: web.Request) -> web.Response:
        """Send the message again, or give it up. 409 if there is no doubt about it."""
        key = await self._access.key(request, SEND)
        asked = decoded(ResolveOne, self._one, await self._bodies.read(request))
        message_id = path_id(request, "msg", "message")
        [found] = await self._services.doubts.resolve(
            key.account, key.id, asked.action, [message_id]
        )
        if found.result == "not_found":
            raise not_found("message")
        if found.result == "not_unconfirmed":
            raise ProblemError("not_unconfirmed", "there is no doubt about this message")
        if found.result == "expired":
            raise ProblemError("message_expired", "its validity has ended; it can be dropped")
        return json_response(_resolved(found))

    async def resolve_many(self, request: web.Request) -> web.Response:
        """Resolve each by itself."""
        key = await self._access.key(request, SEND)
        read = read_body(ResolveMany, self._many, await self._bodies.read(request))
        asked, faults = read.body, read.faults
        named: list[int] = []
        batch: list[int] = []
        if asked is not None:
            if (asked.ids is None) == (asked.batch_id is None) and not faults:
                faults.append(FieldError("field_type", "give either ids or batch_id", ""))
            ids = enumerate(asked.ids or ())
            named = _ids("msg", [(f"/ids/{index}", text) for index, text in ids], faults)
            if asked.batch_id is not None:
                batch = _ids("bat", [("/batch_id", asked.batch_id)], faults)
        if asked is None or faults:
            raise refusal(faults)
        more = False
        if batch:
            named, more = await self._of_batch(key.account, batch[0])
        found = (
            await self._services.doubts.resolve(key.account, key.id, asked.action, named)
            if named
            else []
        )
        done = sum(each.result in ("resent", "dropped") for each in found)
        return json_response(ResolvedMessages(done, [_resolved(each) for each in found], more))

    async def _of_batch(self, account: int, batch_id: int) -> tuple[list[int], bool]:
        since = time_of(batch_id)
        wanted = MessageFilter(
            since=since, until=since + BATCH_SPAN, status="unconfirmed", batch_id=batch_id
        )
        page = await self._services.messages.listed(account, wanted, None, IDS_MAX)
        return [view.id for view in page.messages], page.stopped_at is not None


def _ids(prefix: str, texts: Sequence[tuple[str, str]], faults: Faults) -> list[int]:
    """The ids in these (pointer, text), and a fault for each that is none."""
    ids: list[int] = []
    for pointer, text in texts:
        try:
            ids.append(parse_id(prefix, text))
        except ValueError as error:
            faults.append(FieldError("field_type", f"{pointer[1:]}: {error}", pointer))
    return ids


def _resolved(found: Resolution) -> ResolvedMessage:
    return ResolvedMessage(format_id("msg", found.id), found.result)
