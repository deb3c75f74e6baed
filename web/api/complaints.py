"""The endpoints for complaints: what carriers, regulators and apps say people complained of.

Owns their parameters, JSON and checks. Must not read tables: complaints come through
recipients/complaint_desk.py. Numbers come in full and leave as reveals.py says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, get_args

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from messages.models import FieldError
from messages.words import CategoryName
from recipients.complaint_desk import (
    ComplaintConflict,
    ComplaintFilter,
    ComplaintRefused,
    ComplaintView,
    ComplaintWord,
)
from recipients.numbers.plan import NumberPlan
from storage.categories import Category
from storage.ids import format_id, parse_id, time_of
from storage.suppression import EVERY_CATEGORY
from web.edge.access import Access
from web.edge.arguments import read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held
from web.edge.problems import ProblemError
from web.edge.reveals import (
    REASON_HEADER,
    REVEAL_PROBLEMS,
    Erased,
    RevealQuery,
    Reveals,
    Unreadable,
    erased,
    shown,
    unreadable,
)
from web.services import Services

READ = "complaints:read"
WRITE = "complaints:write"
AHEAD_SECONDS_MAX = 60  # clocks differ
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_EXAMPLE = {
    "id": "12321-2026-0042",
    "to": "+8613812345678",
    "source": "regulator",
    "source_name": "12321",
    "text": "Never asked for this",
}

SourceLabel = Literal["carrier", "regulator", "app", "recipient", "other"]
_SOURCES: tuple[SourceLabel, ...] = get_args(SourceLabel)
_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]
_Text = Annotated[str, Meta(min_length=1, max_length=5000, pattern=r"\A[^\x00]+\Z")]


class ComplaintRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One complaint. It names the number, the message, or both."""

    id: Annotated[_Label, Meta(description="The teller's own; told again, it is one complaint.")]
    source: SourceLabel
    to: Annotated[str | None, Meta(description="Who complained, in E.164 form.")] = None
    message: Annotated[
        str | None,
        Meta(description="About which message; absent: the last one sent to the number."),
    ] = None
    campaign: Annotated[
        _Label | None, Meta(description="About which campaign, where no message is named.")
    ] = None
    source_name: Annotated[
        _Label | None, Meta(description="Which carrier, authority (12321) or app.")
    ] = None
    text: Annotated[_Text | None, Meta(description="What the person says.")] = None
    at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When; absent: now.")
    ] = None


class ComplaintResource(msgspec.Struct, kw_only=True):
    """A complaint and the message it is about; what is not known is null."""

    id: str
    object: str = "complaint"
    complaint_id: Annotated[str, Meta(description="As smsgate calls it.")]
    to: str | None
    to_unreadable: Unreadable = UNSET
    erased: Erased = UNSET
    source: SourceLabel
    source_name: str | None
    text: str | None
    message: str | None
    connector: str | None
    sender: str | None
    category: CategoryName | None
    campaign: str | None
    suppressed: Annotated[
        str | None, Meta(description="The category that ended for the number, or `all`.")
    ]
    at: datetime
    recorded_at: datetime


class ComplaintPage(msgspec.Struct):
    """A page of complaints, the latest recorded first."""

    data: list[ComplaintResource]
    next_cursor: str | None


class ComplaintQuery(RevealQuery, kw_only=True):
    """The account's complaints."""

    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Recorded from then on.")
    ] = None
    to: Annotated[str | None, Meta(description="Those of this number only; + is %2B.")] = None
    source: Annotated[SourceLabel | None, Meta(description="Those from there only.")] = None
    campaign: Annotated[str | None, Meta(description="Those about this campaign only.")] = None


class ComplaintsApi:
    """Handlers of /v1/complaints."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._body = msgspec.json.Decoder(ComplaintRequest)
        self._query = QueryReader(ComplaintQuery)
        self._reveals = Reveals(services.reveals)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/v1/complaints",
                handler=self.listed,
                summary="Complaints about the account's messages",
                scope=READ,
                query=ComplaintQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={
                    200: Answer(ComplaintPage, headers={"Link": "The next page, if there is one."})
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/complaints",
                handler=self.record,
                summary="Tell that a person complained",
                description="In force when answered, also for messages that wait: the account's "
                "`complaint_ends` says what the person is not texted any more. Told again under "
                "its id it is answered 200 with what is stored.",
                scope=WRITE,
                request=ComplaintRequest,
                answers={200: ComplaintResource, 201: ComplaintResource},
                problems=(
                    "number_invalid", "out_of_range", "field_missing",
                    "complaint_mismatch", "complaint_conflict",
                ),
                example=_EXAMPLE,
            ),
        ]  # fmt: skip

    async def record(self, request: web.Request) -> web.Response:
        """201 once it is committed, 200 where it was before."""
        key = await self._access.key(request, WRITE)
        word = self._word(await self._bodies.read(request))
        try:
            recorded, new = await self._services.complaints.record(
                key.account, f"key {key.id}", word
            )
        except ComplaintRefused as refused:
            raise refusal(
                [FieldError("complaint_mismatch", what, f"/{at}") for at, what in refused.faults]
            ) from None
        except ComplaintConflict:
            detail = "another complaint was told under this id"
            raise ProblemError("complaint_conflict", detail) from None
        return json_response(_resource(recorded), status=201 if new else 200)

    async def listed(self, request: web.Request) -> web.Response:
        """The latest recorded first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(to=self._numbers.fault))
        reason = self._reveals.check(request, key, query.reveal)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._services.complaints.listed(
            key.account,
            ComplaintFilter(
                since=query.since,
                number=query.to,
                source=query.source,
                campaign_id=query.campaign,
            ),
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda entry: (entry.id,))
        answer = ComplaintPage([_resource(entry, query.reveal) for entry in kept], next_cursor)
        noted = await self._reveals.note(
            key,
            reason,
            "complaints",
            [each.complaint_id for each in answer.data],
            [entry.number for entry in kept],
        )
        return json_response(answer, headers=page.headers(next_cursor) | noted)

    def _word(self, body: bytes) -> ComplaintWord:
        read = read_body(ComplaintRequest, self._body, body)
        asked, faults = read.body, read.faults
        message_id: int | None = None
        if asked is not None:
            message_id = _message_id(asked.message, faults)
            if asked.to is not None and (fault := self._numbers.fault(asked.to)) is not None:
                faults.append(FieldError("number_invalid", f"to {fault}", "/to"))
            if asked.to is None and asked.message is None:
                faults.append(FieldError("field_missing", "to is missing, or message", "/to"))
            now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
            latest = now + timedelta(seconds=AHEAD_SECONDS_MAX)
            if asked.at is not None and not EARLIEST <= asked.at <= latest:
                detail = f"at lies ahead, or before {EARLIEST.year}"
                faults.append(FieldError("out_of_range", detail, "/at"))
        if asked is None or faults:
            raise refusal(faults)
        return ComplaintWord(
            reference=asked.id,
            number=asked.to,
            message_id=message_id,
            campaign_id=asked.campaign,
            source=asked.source,
            source_name=asked.source_name,
            text=asked.text,
            at=None if asked.at is None else asked.at.astimezone(UTC),
        )


def _message_id(text: str | None, faults: list[FieldError]) -> int | None:
    if text is None:
        return None
    try:
        return parse_id("msg", text)
    except ValueError as error:
        faults.append(FieldError("field_type", f"message: {error}", "/message"))
        return None


def _resource(view: ComplaintView, clear: bool = False) -> ComplaintResource:
    every = view.suppressed == EVERY_CATEGORY
    ended = None if view.suppressed is None or every else Category(view.suppressed).label
    return ComplaintResource(
        id=view.reference,
        complaint_id=format_id("cmp", view.id),
        to=shown(view.number, clear=clear),
        to_unreadable=unreadable(view.number),
        erased=erased(view.number),
        source=next(label for label in _SOURCES if label == view.source),
        source_name=view.source_name,
        text=view.text,
        message=None if view.message_id is None else format_id("msg", view.message_id),
        connector=view.connector,
        sender=view.sender,
        category=None if view.category is None else Category(view.category).label,
        campaign=view.campaign_id,
        suppressed="all" if every else ended,
        at=view.at,
        recorded_at=time_of(view.id),
    )
