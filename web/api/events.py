"""The endpoints for events: what contacts did, as the account's systems tell it.

Owns their JSON and checks. Must not read tables: events come through web/contact_services.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.contacts.attributes import MICROS
from campaigns.contacts.desk import PREFIX as CONTACT
from campaigns.events.desk import EventConflict, EventTaken, EventUnknown, EventWord, Outcome
from messages.body_faults import in_list
from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from storage.ids import format_id, parse_id
from web.api.message_answers import ItemError
from web.edge.access import Access
from web.edge.arguments import read_body
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.list_bodies import SLICE_ITEMS, open_list
from web.edge.problems import ProblemError
from web.services import Services

WRITE = "events:write"
PREFIX = "cev"
LIST = "events"
ITEMS_MAX = 1_000
AHEAD_SECONDS_MAX = 300  # clocks differ
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
PROPS_BYTES_MAX = 4_096
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # in JSON; the database keeps none
_NAMES = ("contact", "external_id", "to")
_DECIMAL = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,6}))?", re.ASCII)
_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]
_EXAMPLE = {
    "event_id": "order-1042-paid",
    "external_id": "crm-1042",
    "name": "order_paid",
    "at": "2026-06-05T10:00:00+08:00",
    "amount": "129.90",
}


class EventRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a contact did. It names one of `contact`, `external_id` and `to`."""

    event_id: Annotated[
        _Label, Meta(description="Your own; told again within 72 hours, it is one event.")
    ]
    name: Annotated[
        str,
        Meta(
            pattern=r"\A[a-z][a-z0-9_]{0,62}\Z",
            description="What happened: `login`, `cart_add`, `order_paid` …",
        ),
    ]
    contact: Annotated[str | None, Meta(description="The contact's id.")] = None
    external_id: Annotated[_Label | None, Meta(description="As you call the contact.")] = None
    to: Annotated[str | None, Meta(description="A number of the contact, in E.164 form.")] = None
    at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When; absent: now. Five minutes ahead at most."),
    ] = None
    amount: Annotated[
        str | None, Meta(description='A decimal with at most 6 places, as text: `"129.90"`.')
    ] = None
    props: Annotated[
        dict[str, Any] | None, Meta(description=f"Up to {PROPS_BYTES_MAX} octets of JSON.")
    ] = None


class EventBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 1 000 events, each by itself."""

    events: list[msgspec.Raw]


class EventItem(msgspec.Struct, omit_defaults=True):
    """What became of one item: `recorded`, `repeated`, or an error."""

    index: int
    status: str | None = None
    id: str | None = None
    contact: str | None = None
    error: ItemError | None = None


class EventBatchAnswer(msgspec.Struct):
    """One item for each event, in order."""

    items: list[EventItem]


class EventsApi:
    """Handlers of /v1/events."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._body = msgspec.json.Decoder(EventRequest)
        self._envelope = msgspec.json.Decoder(EventBatch)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path="/v1/events",
                handler=self.record,
                summary="Tell what contacts did",
                description=f"1 to {ITEMS_MAX} events. Each stands for itself: one that cannot be "
                "taken does not keep the others. Told again under its `event_id` within 72 hours "
                "it is one.",
                scope=WRITE,
                request=EventBatch,
                items={LIST: EventRequest},
                answers={200: EventBatchAnswer},
                problems=("batch_size", "batch_rejected"),
                example={"events": [_EXAMPLE]},
            ),
        ]

    async def record(self, request: web.Request) -> web.Response:
        """200 with what became of each, once it is committed; 422 if none could be taken."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        items = await open_list(EventBatch, self._envelope, body, ITEMS_MAX)
        words: list[EventWord | list[FieldError]] = []
        for place, item in enumerate(items):
            words.append(self._word(bytes(item)))
            if place % SLICE_ITEMS == SLICE_ITEMS - 1:
                await asyncio.sleep(0)
        good = [word for word in words if isinstance(word, EventWord)]
        if not good:
            faults = [
                fault
                for place, word in enumerate(words)
                if not isinstance(word, EventWord)
                for fault in in_list(word, LIST, place)
            ]
            detail = f"none of the {len(words)} events can be taken"
            raise ProblemError("batch_rejected", detail, tuple(faults))
        outcomes = iter(await self._services.contacts.events.record(key.account, good))
        answers = [
            _item(place, next(outcomes)) if isinstance(word, EventWord) else _refused(place, word)
            for place, word in enumerate(words)
        ]
        return json_response(EventBatchAnswer(answers))

    def _word(self, body: bytes) -> EventWord | list[FieldError]:
        read = read_body(EventRequest, self._body, body)
        asked, faults = read.body, read.faults
        if asked is None:
            return faults
        given = [name for name in _NAMES if getattr(asked, name) is not None]
        if len(given) != 1 and faults.spoiled.isdisjoint(_NAMES):
            detail = "one of contact, external_id and to is needed"
            faults.append(FieldError("field_missing", detail, f"/{(given or _NAMES)[-1]}"))
        if asked.to is not None and (fault := self._numbers.fault(asked.to)) is not None:
            faults.append(FieldError("number_invalid", f"to {fault}", "/to"))
        contact = None if asked.contact is None else _contact_id(asked.contact, faults)
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        latest = now + timedelta(seconds=AHEAD_SECONDS_MAX)
        if asked.at is not None and not EARLIEST <= asked.at <= latest:
            detail = f"at lies ahead, or before {EARLIEST.year}"
            faults.append(FieldError("out_of_range", detail, "/at"))
        _judge_props(asked.props, faults)
        amount = _micros(asked.amount, faults)
        if faults:
            return faults
        return EventWord(
            event_id=asked.event_id,
            kind=asked.name,
            contact=contact,
            external_id=asked.external_id,
            number=asked.to,
            at=None if asked.at is None else asked.at.astimezone(UTC),
            amount=amount,
            props=asked.props,
        )


def _contact_id(text: str, faults: list[FieldError]) -> int | None:
    try:
        return parse_id(CONTACT, text)
    except ValueError:
        faults.append(_unknown("contact"))
        return None


def _judge_props(props: dict[str, Any] | None, faults: list[FieldError]) -> None:
    text = b"" if props is None else msgspec.json.encode(props)
    if len(text) > PROPS_BYTES_MAX:
        detail = f"props has more than {PROPS_BYTES_MAX} octets"
        faults.append(FieldError("out_of_range", detail, "/props"))
    elif _NUL.search(text):
        faults.append(FieldError("value_invalid", "props holds a NUL", "/props"))


def _micros(text: str | None, faults: list[FieldError]) -> int | None:
    found = None if text is None else _DECIMAL.fullmatch(text)
    if text is not None and found is None:
        detail = "amount is a decimal of at most 12 digits and 6 places, such as 129.90"
        faults.append(FieldError("value_invalid", detail, "/amount"))
    if found is None:
        return None
    micros = int(found[2]) * MICROS + int((found[3] or "").ljust(6, "0"))
    return -micros if found[1] else micros


def _item(place: int, outcome: Outcome) -> EventItem:
    if isinstance(outcome, EventUnknown):
        return _refused(place, [_unknown(outcome.field)])
    if isinstance(outcome, EventConflict):
        detail = "another event was told under this id"
        return _refused(place, [FieldError("event_conflict", detail, "/event_id")])
    return _taken(place, outcome)


def _taken(place: int, taken: EventTaken) -> EventItem:
    return EventItem(
        place,
        status="recorded" if taken.new else "repeated",
        id=format_id(PREFIX, taken.id),
        contact=None if taken.contact is None else format_id(CONTACT, taken.contact),
    )


def _unknown(field: str) -> FieldError:
    return FieldError("contact_unknown", "this account knows no such contact", f"/{field}")


def _refused(place: int, faults: Sequence[FieldError]) -> EventItem:
    return EventItem(place, error=ItemError.of(in_list(faults, LIST, place)))
