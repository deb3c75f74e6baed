"""The endpoint that tells what a message would become. Nothing is sent, nothing is stored.

Owns /v1/messages/preview. Must not check messages itself nor decide about them: validator, routes
and rules are those of sending.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.accept.rehearsal import PolicyDecision
from messages.accept.templated import TemplateUnread
from messages.body_faults import UNDECODABLE
from messages.models import AccountPolicy, Prepared, Refused
from messages.requests import BatchRequest, MessageRequest
from messages.words import CategoryName
from shortlinks.rewrite import LeftAlone, links_left_alone
from smpp.text import Estimate, estimate
from storage.crypto import mask
from web.api.message_answers import ItemError, category_name, encoding_name
from web.api.messages import EXAMPLE, MESSAGE_PROBLEMS, none_accepted
from web.api.templated import check_unread, checked_after_reading
from web.edge.access import SEND, Access
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.list_bodies import open_list
from web.edge.problems import not_taken
from web.services import RouteView, Services

ITEMS_MAX = 100


class PreviewRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Several messages. The body of one message by itself is taken too."""

    messages: Annotated[list[msgspec.Raw], Meta(min_length=1, max_length=ITEMS_MAX)]


class PreviewedMessage(msgspec.Struct, kw_only=True):
    """A message as it would be sent. `characters` count in the encoding's own units."""

    status: Annotated[
        str, Meta(description="What sending it now would answer: `accepted`, or the verdict.")
    ]
    to: str
    sender: str = msgspec.field(name="from")
    category: CategoryName
    text: Annotated[str, Meta(description="Final; a short link has its final length.")]
    encoding: str
    parts: int
    characters: int
    characters_remaining: Annotated[
        int, Meta(description="So many fit before another part begins.")
    ]
    ucs2_characters: Annotated[
        list[str], Meta(description="The characters that GSM 03.38 does not have, first 20.")
    ]
    links: Annotated[list[str], Meta(description="Targets of the short links.")]
    links_left_alone: Annotated[
        list[LeftAlone],
        Meta(description="What begins like a link and stays text, with the reason."),
    ]
    route: RouteView
    decisions: list[PolicyDecision]


class PreviewItem(msgspec.Struct, omit_defaults=True):
    """What would become of one message: what would be sent, or why it would be refused."""

    index: int
    message: PreviewedMessage | None = None
    error: ItemError | None = None


class PreviewAnswer(msgspec.Struct):
    """One item for each message, in order."""

    items: list[PreviewItem]
    expected_finish_at: Annotated[
        datetime | None,
        Meta(
            description="When the last of these parts is expected to be submitted, behind what "
            "waits for the same connectors, at the pace of this process. Null: nobody knows."
        ),
    ] = None


class PreviewApi:
    """The handler of /v1/messages/preview."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._form = msgspec.json.Decoder(_Form)
        self._envelope = msgspec.json.Decoder(BatchRequest)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/messages/preview",
                handler=self.preview,
                summary="What messages would become, without sending them",
                description=f"One message, or up to {ITEMS_MAX} in `messages`. The text with "
                "signature, suffix and links, its encoding and parts, the route and the verdict of "
                "every rule, by the same checks that sending makes.",
                scope=SEND,
                limited=True,
                request=PreviewRequest,
                items={"messages": MessageRequest},
                request_also=MessageRequest,
                answers={200: PreviewAnswer},
                problems=(*MESSAGE_PROBLEMS, "batch_size", "batch_rejected", "report_too_slow"),
                example=EXAMPLE,
            ),
        ]

    async def preview(self, request: web.Request) -> web.Response:
        """200 with what would become of each message; 422 when none could be sent."""
        account = await self._access.sender(request)
        checked = await self._check(await self._bodies.read(request), account)
        prepared = [each for each in checked if isinstance(each, Prepared)]
        if not prepared:
            raise none_accepted([each for each in checked if isinstance(each, Refused)])
        decided = iter(await self._services.policy_preview.decisions(prepared))
        items = [
            PreviewItem(index, error=ItemError(each.code, each.detail, each.errors))
            if isinstance(each, Refused)
            else PreviewItem(index, self._previewed(each, account, next(decided)))
            for index, each in enumerate(checked)
        ]
        finish = await self._services.finish.of_parts(_parts(items))
        return json_response(PreviewAnswer(items, finish))

    async def _check(self, body: bytes, account: AccountPolicy) -> list[Prepared | Refused]:
        check, now_ms = self._services.validator.check, self._services.wall_ms()
        if not await self._is_list(body):
            checked = check(body, account, now_ms=now_ms)
            if isinstance(checked, TemplateUnread):
                checked = await checked_after_reading(self._services, body, account, checked)
            if isinstance(checked, Refused):
                raise not_taken(checked)
            return [checked]
        messages = await open_list(BatchRequest, self._envelope, body, ITEMS_MAX)
        each = [
            check(raw, account, now_ms=now_ms, index=index) for index, raw in enumerate(messages)
        ]
        await check_unread(self._services, messages, account, each)
        return each

    async def _is_list(self, body: bytes) -> bool:
        """Whether the body has several messages. What is neither form is taken for one message."""
        try:
            return self._form.decode(body).messages is not msgspec.UNSET
        except UNDECODABLE:
            return b'"messages"' in body

    def _previewed(
        self, message: Prepared, account: AccountPolicy, decisions: Sequence[PolicyDecision]
    ) -> PreviewedMessage:
        measured: Estimate = estimate(message.text)
        return PreviewedMessage(
            status=decisions[-1].status if decisions else "accepted",
            to=mask(message.to),
            sender=message.sender,
            category=category_name(message.category),
            text=message.text,
            encoding=encoding_name(message.data_coding),
            parts=message.parts,
            characters=measured.units,
            characters_remaining=measured.units_left,
            ucs2_characters=list(measured.forced_by),
            links=list(message.links),
            links_left_alone=links_left_alone(message.text),
            route=self._services.explain_route(message, account.name),
            decisions=list(decisions),
        )


def _parts(items: Sequence[PreviewItem]) -> Counter[str]:
    """Parts by the connector that would be tried first, of what goes without waiting for a rule."""
    found: Counter[str] = Counter()
    for item in items:
        message = item.message
        if message is not None and message.status == "accepted" and message.route.connector:
            found[message.route.connector] += message.parts
    return found


class _Form(msgspec.Struct):
    """Which of the two forms a body has. A body that is no object is refused here."""

    messages: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
