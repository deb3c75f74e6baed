"""The endpoints for sending messages, and for asking what became of them.

Owns the handlers under /v1/messages. Must not validate messages (messages/accept) nor read tables:
both come through services.py. What answers look like is message_answers.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.accept.idempotency import Claimed
from messages.accept.templated import TemplateUnread
from messages.body_faults import in_list
from messages.models import AccountPolicy, GivenIds, Prepared, Refused, Verdict
from messages.reading.timeline import TimelinePage
from messages.requests import BatchRequest, MessageRequest
from storage.ids import format_id, parse_id
from web.api.message_answers import (
    BatchAnswer,
    EventList,
    MessageResource,
    SentMessage,
    batch_item,
    resource,
    sent,
    sent_before,
)
from web.api.templated import check_unread, checked_after_reading
from web.edge.access import SEND, Access
from web.edge.bodies import BodyReader
from web.edge.cursors import LIMIT_MAX, PageQuery
from web.edge.endpoints import Answer, Endpoint, Handler
from web.edge.idempotent import (
    REPEAT_PROBLEMS,
    REQUEST_HEADERS,
    Claim,
    IdempotentRequests,
)
from web.edge.json_answers import json_response
from web.edge.list_bodies import SLICE_ITEMS, Items, open_list
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError, not_taken
from web.services import Services

READ = "messages:read"
SLICE_BYTES = 64 << 10
REFUSED_BYTES = SLICE_BYTES // 10  # finding all faults takes longer than finding none

MessageId = Annotated[
    str,
    Meta(
        description="The message's id.",
        pattern="^msg_[^/]+$",
        examples=["msg_0NX25TC8G2000"],
    ),
]
# What can be wrong with one message, besides its JSON.
MESSAGE_PROBLEMS = (
    "number_invalid", "sender_invalid", "sender_not_allowed", "category_unknown", "text_empty",
    "text_invalid", "text_too_long", "links_too_many", "tlv_invalid", "label_invalid",
    "callback_invalid",
    "callback_not_allowed",
    "out_of_range", "route_unavailable", "send_at_invalid", "send_window_invalid",
    "policy_not_allowed", "country_not_allowed", "number_landline", "number_not_mobile",
    "client_ref_reused", "link_url_invalid", "link_host_refused", "link_loop", "link_name_unknown",
    "link_unused", "link_param_missing", "template_unknown", "template_conflict",
    "template_category", "template_param_unfit", "param_unknown",
)  # fmt: skip
EXAMPLE = {"to": "+8613812345678", "text": "Your code is 271828", "category": "otp"}


class TimelineQuery(PageQuery, kw_only=True):
    """Which page of a timeline. Only clicks can be more than a page holds."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="Clicks in one page.")] = LIMIT_MAX


class MessagesApi:
    """Handlers of /v1/messages."""

    def __init__(
        self, services: Services, access: Access, bodies: BodyReader, *, batch_items_max: int
    ) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._batch_items_max = batch_items_max
        self._idempotent = IdempotentRequests(services.idempotency)
        self._encoder = msgspec.json.Encoder()
        self._timeline_query = QueryReader(TimelineQuery)
        self._envelope = msgspec.json.Decoder(BatchRequest)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/messages",
                handler=self.send,
                summary="Send one message",
                description="Answered when the message is stored, before it goes to the carrier.",
                scope=SEND,
                instead="POST /v1/messages/preview tells what would be sent",
                limited=True,
                request=MessageRequest,
                answers={202: Answer(SentMessage, headers={"Location": "The message."})},
                headers=REQUEST_HEADERS,
                problems=(*MESSAGE_PROBLEMS, *REPEAT_PROBLEMS),
                example=EXAMPLE,
            ),
            Endpoint(
                method="POST",
                path="/v1/messages/batch",
                handler=self.send_batch,
                summary="Send many messages",
                description="Each message is taken or refused by itself; 422 when none is taken.",
                scope=SEND,
                instead="POST /v1/messages/preview tells what would be sent",
                limited=True,
                request=BatchRequest,
                items={"messages": MessageRequest},
                answers={202: BatchAnswer},
                headers=REQUEST_HEADERS,
                problems=("batch_size", "batch_rejected", *REPEAT_PROBLEMS),
                example={"messages": [EXAMPLE]},
            ),
            _looked_up("", self.message, "A message as it stands", MessageResource),
            Endpoint(
                method="GET",
                path="/v1/messages/{id}/events",
                handler=self.events,
                summary="Everything that happened to a message",
                scope=READ,
                path_parameters={"id": MessageId},
                query=TimelineQuery,
                answers={200: Answer(EventList, headers={"Link": "The next page."})},
            ),
        ]

    async def send(self, request: web.Request) -> web.Response:
        """Store one message. 202 once it is committed."""
        account = await self._access.sender(request)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, account.id, body, lambda claim: self._send(account, body, claim)
        )

    async def _send(self, account: AccountPolicy, raw: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        if claimed is not None and claimed.stored:
            [before] = claimed.stored.values()
            return self._accepted(await self.answer_before(account, before))
        checked = self._services.validator.check(raw, account, now_ms=self._services.wall_ms())
        if isinstance(checked, TemplateUnread):
            checked = await checked_after_reading(self._services, raw, account, checked)
        if isinstance(checked, Refused):
            raise not_taken(checked)
        [verdict] = await self._services.accepter.accept(
            [checked],
            batch_id=None,
            ids=None if claimed is None else GivenIds(claimed.ids, claimed.again),
        )
        if isinstance(verdict, Refused):
            raise not_taken(verdict)
        if verdict.deduplicated:
            return self._accepted(await self.answer_before(account, verdict))
        return self._accepted(sent(checked, verdict))

    def _accepted(self, answer: SentMessage) -> web.Response:
        return web.Response(
            body=self._encoder.encode(answer),
            status=202,
            headers={"Location": f"/v1/messages/{answer.id}"},
            content_type="application/json",
        )

    async def answer_before(self, account: AccountPolicy, verdict: Verdict) -> SentMessage:
        """The answer for a message that was stored before, as it was sent."""
        view = await self._services.messages.message(account.id, verdict.id)
        if view is None:
            raise _no_such_message()
        return sent_before(view, verdict)

    async def send_batch(self, request: web.Request) -> web.Response:
        """Store the good ones. 202 once they are committed; 422 when none is good."""
        account = await self._access.sender(request)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, account.id, body, lambda claim: self._send_batch(account, body, claim)
        )

    async def _send_batch(
        self, account: AccountPolicy, body: bytes, claim: Claim | None
    ) -> web.Response:
        messages = await open_list(BatchRequest, self._envelope, body, self._batch_items_max)
        claimed = None if claim is None else await claim(1 + len(messages))
        checked = await self._check(messages, account)
        prepared = [each for each in checked if isinstance(each, Prepared)]
        if not prepared and not (claimed and claimed.stored):
            raise none_accepted([each for each in checked if isinstance(each, Refused)])
        batch_id = self._services.new_batch_id() if claimed is None else claimed.ids[0]
        verdicts = await self._services.accepter.accept(
            prepared,
            batch_id=batch_id,
            ids=None if claimed is None else _ids_of_prepared(claimed, checked),
        )
        taken = iter(verdicts)
        outcomes = [
            each if isinstance(each, Refused) else _placed(next(taken), index)
            for index, each in enumerate(checked)
        ]
        if claimed is not None and claimed.stored:
            outcomes = [
                claimed.stored.get(each_id, each)
                for each_id, each in zip(claimed.ids[1:], outcomes, strict=True)
            ]
        refused = [each for each in outcomes if isinstance(each, Refused)]
        if len(refused) == len(outcomes) and all(each.errors for each in refused):
            raise none_accepted(refused)  # and nothing is stored: it is their fields
        return web.Response(
            body=await self._batch_answer(batch_id, outcomes, checked),
            status=202,
            content_type="application/json",
        )

    async def message(self, request: web.Request) -> web.Response:
        """The message as it stands."""
        key = await self._access.key(request, READ)
        message_id = _message_id(request)
        view = await self._services.messages.message(key.account, message_id)
        if view is None:
            raise _no_such_message()
        return self._json(resource(view))

    async def events(self, request: web.Request) -> web.Response:
        """A page of everything that happened to the message."""
        key = await self._access.key(request, READ)
        query = self._timeline_query.read(request)
        message_id = _message_id(request)
        page = self._services.cursors.page(request, key.account, query)
        after = page.after[0] if page.after else None
        assert after is None or isinstance(after, int)  # encrypted by us
        wanted = TimelinePage(page.limit, after)
        found = await self._services.messages.events(key.account, message_id, wanted)
        if found is None:
            raise _no_such_message()
        next_cursor = page.more(None if found.more_after is None else (found.more_after,))
        answer = EventList(found.events, next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def _check(self, messages: Items, account: AccountPolicy) -> list[Prepared | Refused]:
        """Validate each message. Other requests get their turn after every slice."""
        check, now_ms = self._services.validator.check, self._services.wall_ms()
        checked: list[Prepared | Refused] = []
        size = 0
        for index, raw in enumerate(messages):
            checked.append(check(raw, account, now_ms=now_ms, index=index))
            size += memoryview(raw).nbytes
            if isinstance(checked[-1], Refused):
                size += REFUSED_BYTES
            if size > SLICE_BYTES or index % SLICE_ITEMS == SLICE_ITEMS - 1:
                size = 0
                await asyncio.sleep(0)
        await check_unread(self._services, messages, account, checked)
        return checked

    async def _batch_answer(
        self,
        batch_id: int,
        outcomes: Sequence[Verdict | Refused],
        checked: Sequence[Prepared | Refused],
    ) -> bytes:
        """The answer, encoded in slices: 10 000 items at once would take 20 ms."""
        pieces: list[bytes] = []
        rejected = suppressed = deduplicated = 0
        for start in range(0, len(outcomes), SLICE_ITEMS):
            items = [
                batch_item(start + offset, outcome, checked[start + offset])
                for offset, outcome in enumerate(outcomes[start : start + SLICE_ITEMS])
            ]
            for item in items:
                if item.error is not None:
                    rejected += 1
                elif item.deduplicated:
                    deduplicated += 1
                elif item.status == "suppressed":
                    suppressed += 1
            pieces.append(self._encoder.encode(items)[1:-1])
            await asyncio.sleep(0)
        head = {
            "batch_id": format_id("bat", batch_id),
            "accepted": len(outcomes) - rejected - deduplicated,
            "rejected": rejected,
            "deduplicated": deduplicated,
            "suppressed": suppressed,
        }
        return b"".join((self._encoder.encode(head)[:-1], b',"items":[', b",".join(pieces), b"]}"))

    def _json(self, value: object) -> web.Response:
        return web.Response(body=self._encoder.encode(value), content_type="application/json")


def _looked_up(what: str, handler: Handler, summary: str, answer: type) -> Endpoint:
    return Endpoint(
        method="GET",
        path=f"/v1/messages/{{id}}{what}",
        handler=handler,
        summary=summary,
        scope=READ,
        path_parameters={"id": MessageId},
        answers={200: answer},
    )


def _ids_of_prepared(claimed: Claimed, checked: Sequence[Prepared | Refused]) -> GivenIds:
    """The ids of good items. Each item has its own, also a refused one: a repeat may refuse
    others.
    """
    ids = [
        each_id
        for each_id, each in zip(claimed.ids[1:], checked, strict=True)
        if isinstance(each, Prepared)
    ]
    return GivenIds(ids, claimed.again)


def _placed(outcome: Verdict | Refused, index: int) -> Verdict | Refused:
    """A refusal by the accepter, with its pointers moved from the message to its place in the
    batch.
    """
    if isinstance(outcome, Verdict) or not outcome.errors:
        return outcome
    return Refused(outcome.code, outcome.detail, in_list(outcome.errors, "messages", index))


def none_accepted(refused: Sequence[Refused]) -> ProblemError:
    """The refusal of a batch without a good message."""
    return ProblemError(
        "batch_rejected",
        f"none of the {len(refused)} messages can be sent",
        tuple(error for each in refused for error in each.errors),
    )


def _message_id(request: web.Request) -> int:
    try:
        return parse_id("msg", request.match_info["id"])
    except ValueError:
        raise _no_such_message() from None


def _no_such_message() -> ProblemError:
    return ProblemError("not_found", "this account has no message with this id")
