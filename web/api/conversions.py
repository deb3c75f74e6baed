"""The endpoints for conversions: what links led to, as the account's site tells it.

Owns their JSON and checks. Must not read tables, nor decide which click counts: conversions come
through shortlinks/conversion_desk.py.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.body_faults import in_list
from messages.models import FieldError
from shortlinks.conversions import (
    MICROS,
    NO_MESSAGE,
    Conflict,
    Conversion,
    ConversionWord,
    Outcome,
    Unknown,
    decimal,
)
from storage.ids import format_id, parse_id, time_of
from web.api.message_answers import ItemError
from web.edge.access import Access
from web.edge.arguments import read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.list_bodies import SLICE_ITEMS, open_list
from web.edge.problems import ProblemError
from web.services import Services

WRITE = "conversions:write"
LIST = "conversions"
ITEMS_MAX = 1_000
AHEAD_SECONDS_MAX = 60  # clocks differ
EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)  # before it there are no clicks
_NAMES, _PRICE = ("click", "message", "link"), ("value", "currency")
_DECIMAL = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")
AttributionName = Literal["last_click", "first_click", "none"]
_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]
_EXAMPLE = {
    "id": "order-1042",
    "event": "order",
    "click": "clk_0anf10jc00000_mfrggzdf",
    "value": "129.90",
    "currency": "CNY",
}
_BATCH_EXAMPLE = {"conversions": [_EXAMPLE]}


class ConversionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One conversion. It names one of `click`, `message` and `link`."""

    id: Annotated[_Label, Meta(description="The site's own; told again, it is one conversion.")]
    event: Annotated[_Label, Meta(description="What happened: `login`, `cart`, `order` …")]
    click: Annotated[
        str | None, Meta(description="The `cid` that the link's target was opened with.")
    ] = None
    message: Annotated[str | None, Meta(description="The message that led to it.")] = None
    link: Annotated[str | None, Meta(description="A short link, or its code.")] = None
    value: Annotated[
        str | None, Meta(description='A decimal with at most 6 places, as text: `"129.90"`.')
    ] = None
    currency: Annotated[
        Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")] | None,
        Meta(description="Of `value`, by ISO 4217."),
    ] = None
    occurred_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When; absent: now.")
    ] = None


class ConversionBatch(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 1 000 conversions, each by itself."""

    conversions: list[msgspec.Raw]


class ConversionResource(msgspec.Struct, kw_only=True):
    """A conversion, and the click that counts for it; what is not known is null."""

    id: str
    object: str = "conversion"
    conversion_id: Annotated[str, Meta(description="As smsgate calls it.")]
    event: str
    value: str | None
    currency: str | None
    occurred_at: datetime
    recorded_at: datetime
    message: Annotated[str | None, Meta(description="null: the link belongs to no message.")]
    link: Annotated[int | None, Meta(description="Which of the message's links, from 0 on.")]
    click: Annotated[
        str | None, Meta(description="The person's click that counts; null: none in the window.")
    ]
    attribution: Annotated[
        AttributionName,
        Meta(description="By which rule that click counts; `none`: no click does."),
    ]


class ConversionItem(msgspec.Struct, omit_defaults=True):
    """What became of one item of a batch: a conversion, or an error."""

    index: int
    conversion: ConversionResource | None = None
    error: ItemError | None = None


class ConversionBatchAnswer(msgspec.Struct):
    """One item for each conversion, in order."""

    items: list[ConversionItem]


class _Named(NamedTuple):
    """What a conversion is of: one of these."""

    click_id: int | None = None
    message_id: int | None = None
    link: tuple[int, int] | None = None


class ConversionsApi:
    """Handlers of /v1/conversions."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._body = msgspec.json.Decoder(ConversionRequest)
        self._envelope = msgspec.json.Decoder(ConversionBatch)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path="/v1/conversions",
                handler=self.record,
                summary="Tell what a link led to",
                description="The last click of a person on the message's links inside the "
                "account's window counts, or the first; without one it is counted apart. Told "
                "again under its id it is answered 200 with what is stored.",
                scope=WRITE,
                request=ConversionRequest,
                answers={200: ConversionResource, 201: ConversionResource},
                problems=(
                    "field_missing", "out_of_range", "value_invalid", "conversion_unknown",
                    "currency_differs", "conversion_conflict",
                ),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="POST",
                path="/v1/conversions/batch",
                handler=self.record_batch,
                summary="Tell what links led to",
                description=f"1 to {ITEMS_MAX} conversions. Each stands for itself: one that "
                "cannot be taken does not keep the others.",
                scope=WRITE,
                request=ConversionBatch,
                items={LIST: ConversionRequest},
                answers={200: ConversionBatchAnswer},
                problems=("batch_size", "batch_rejected"),
                example=_BATCH_EXAMPLE,
            ),
        ]  # fmt: skip

    async def record(self, request: web.Request) -> web.Response:
        """201 once it is committed, 200 where it was before."""
        key = await self._access.key(request, WRITE)
        word = self._word(await self._bodies.read(request), key.account)
        if not isinstance(word, ConversionWord):
            raise refusal(word)
        [outcome] = await self._services.conversions.record(key.account, [word])
        if isinstance(outcome, Conflict):
            faults = _differs(outcome)
            raise ProblemError(faults[0].code, faults[0].detail, tuple(faults))
        if isinstance(outcome, Unknown):
            raise refusal(_unknown(outcome))
        resource = self._resource(key.account, outcome.conversion)
        return json_response(resource, status=201 if outcome.new else 200)

    async def record_batch(self, request: web.Request) -> web.Response:
        """200 with what became of each, once it is committed; 422 if none could be taken."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        items = await open_list(ConversionBatch, self._envelope, body, ITEMS_MAX)
        words: list[ConversionWord | list[FieldError]] = []
        for place, item in enumerate(items):
            words.append(self._word(bytes(item), key.account))
            if place % SLICE_ITEMS == SLICE_ITEMS - 1:
                await asyncio.sleep(0)
        good = [word for word in words if isinstance(word, ConversionWord)]
        faults = [(n, word) for n, word in enumerate(words) if not isinstance(word, ConversionWord)]
        if not good:
            placed = [fault for n, each in faults for fault in in_list(each, LIST, n)]
            detail = f"none of the {len(words)} conversions can be taken"
            raise ProblemError("batch_rejected", detail, tuple(placed))
        outcomes = iter(await self._services.conversions.record(key.account, good))
        answers = [
            self._item(key.account, n, next(outcomes))
            if isinstance(word, ConversionWord)
            else _refused(n, word)
            for n, word in enumerate(words)
        ]
        return json_response(ConversionBatchAnswer(answers))

    def _item(self, account: int, index: int, outcome: Outcome) -> ConversionItem:
        if isinstance(outcome, Conflict):
            return _refused(index, _differs(outcome))
        if isinstance(outcome, Unknown):
            return _refused(index, [_unknown(outcome)])
        return ConversionItem(index, self._resource(account, outcome.conversion))

    def _word(self, body: bytes, account: int) -> ConversionWord | list[FieldError]:
        read = read_body(ConversionRequest, self._body, body)
        asked, faults = read.body, read.faults
        if asked is None:
            return list(faults)
        named = self._named(asked, faults) if faults.spoiled.isdisjoint(_NAMES) else _Named()
        micros = _micros(asked, faults) if faults.spoiled.isdisjoint(_PRICE) else None
        currency = self._services.conversions.rule(account).currency
        if currency and asked.currency is not None and asked.currency != currency:
            detail = f"currency is {currency} in this account"
            faults.append(FieldError("currency_differs", detail, "/currency"))
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        latest = now + timedelta(seconds=AHEAD_SECONDS_MAX)
        at = asked.occurred_at
        if at is not None and not EARLIEST <= at <= latest:
            detail = f"occurred_at lies ahead, or before {EARLIEST.year}"
            faults.append(FieldError("out_of_range", detail, "/occurred_at"))
        if faults:
            return list(faults)
        return ConversionWord(
            reference=asked.id,
            event=asked.event,
            occurred_at=None if at is None else at.astimezone(UTC),
            value_micros=micros,
            currency=asked.currency,
            click_id=named.click_id,
            message_id=named.message_id,
            link=named.link,
        )

    def _named(self, asked: ConversionRequest, faults: list[FieldError]) -> _Named:
        given = [name for name in _NAMES if getattr(asked, name) is not None]
        if len(given) != 1:
            detail = "one of click, message and link is needed"
            faults.append(FieldError("field_missing", detail, f"/{(given or _NAMES)[-1]}"))
            return _Named()
        desk = self._services.conversions
        named = _Named(
            None if asked.click is None else desk.click(asked.click),
            None if asked.message is None else _message_id(asked.message),
            None if asked.link is None else desk.link(asked.link),
        )
        if named == _Named():
            faults.append(_unknown(Unknown(given[0])))
        return named

    def _resource(self, account: int, stored: Conversion) -> ConversionResource:
        desk = self._services.conversions
        click, micros = stored.click_id, stored.value_micros
        attribution: AttributionName = "none"
        if click is not None:
            attribution = "first_click" if desk.rule(account).first else "last_click"
        return ConversionResource(
            id=stored.reference,
            conversion_id=format_id("cnv", stored.id),
            event=stored.event,
            value=None if micros is None else decimal(micros),
            currency=stored.currency,
            occurred_at=stored.occurred_at,
            recorded_at=time_of(stored.id),
            message=message_text(stored),
            link=stored.slot,
            click=None if click is None else desk.click_text(click),
            attribution=attribution,
        )


def message_text(stored: Conversion) -> str | None:
    """Its message's id as the API tells it; None: its link belongs to no message."""
    return None if stored.message_id == NO_MESSAGE else format_id("msg", stored.message_id)


_CONFLICT = "another conversion was told under this id"


def _differs(outcome: Conflict) -> list[FieldError]:
    """Each field that is not as it was told first; the currency is named for itself."""
    if outcome.fields == ("currency",) or outcome.fields == ("value", "currency"):
        detail = "currency is another one than was told first under this id"
        return [FieldError("currency_differs", detail, "/currency")]
    fields = outcome.fields or ("id",)
    return [FieldError("conversion_conflict", _CONFLICT, f"/{field}") for field in fields]


def _micros(asked: ConversionRequest, faults: list[FieldError]) -> int | None:
    if (asked.value is None) != (asked.currency is None):
        missing = "value" if asked.value is None else "currency"
        detail = "value and currency come together"
        faults.append(FieldError("field_missing", detail, f"/{missing}"))
    if asked.value is None:
        return None
    match = _DECIMAL.fullmatch(asked.value) if asked.value.isascii() else None
    if match is None:
        detail = "value is a decimal of at most 12 digits and 6 places, such as 129.90"
        faults.append(FieldError("value_invalid", detail, "/value"))
        return None
    return int(match[1]) * MICROS + int((match[2] or "").ljust(6, "0"))


def _message_id(text: str) -> int | None:
    try:
        return parse_id("msg", text)
    except ValueError:
        return None


def _unknown(outcome: Unknown) -> FieldError:
    what = {"click": "click", "message": "message", "link": "short link"}[outcome.field]
    detail = f"this account has no {what} of this name, or not yet, or no more"
    return FieldError("conversion_unknown", detail, f"/{outcome.field}")


def _refused(index: int, faults: Sequence[FieldError]) -> ConversionItem:
    return ConversionItem(index, error=ItemError.of(in_list(faults, LIST, index)))
