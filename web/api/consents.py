"""The endpoints of the consent ledger: who allowed this account to send what, and how it is known.

Owns their parameters, JSON and checks. Must not read tables: entries come through web/services.py.
Numbers come in full, and leave as reveals.py says.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from messages.models import FieldError
from messages.words import CategoryName
from recipients.consent import RecordedConsent, missing
from recipients.consent_desk import ConsentView, ConsentWord
from recipients.numbers.plan import NumberPlan
from shortlinks.addresses import stored_prefix
from storage.categories import Category
from web.edge.access import Access
from web.edge.arguments import read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.idempotent import REPEAT_PROBLEMS, REQUEST_HEADERS, IdempotentRequests
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader, held
from web.edge.reveals import (
    REASON_HEADER,
    REVEAL_PROBLEMS,
    RevealQuery,
    Reveals,
    Unreadable,
    shown,
    unreadable,
)
from web.services import Services

READ = "consents:read"
WRITE = "consents:write"
AHEAD_SECONDS_MAX = 60  # clocks differ
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)  # before text messages there was nothing to consent to
_EXAMPLE = {
    "to": "+8613812345678",
    "action": "granted",
    "source": "website",
    "purpose": "offers",
    "channel": "web",
    "text_version": "2026-06",
    "address": "203.0.113.7",
    "evidence": "form 4711",
    "incentive": "coupon of 10",
}

CategoryLabel = Literal["otp", "transactional", "service", "marketing"]
Action = Literal["granted", "withdrawn"]
Channel = Literal["web", "app", "sms", "voice", "email", "paper", "in_person", "other"]
_Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]
_Evidence = Annotated[str, Meta(min_length=1, max_length=1000, pattern=r"\A[^\x00]+\Z")]


class ConsentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One word of one person; the latest `at` holds. Nothing in the ledger is ever changed."""

    to: Annotated[str, Meta(description="In E.164 form.")]
    action: Action
    source: Annotated[_Label, Meta(description="Where it was given: website, shop, app, event …")]
    category: CategoryLabel = "marketing"
    purpose: Annotated[
        _Label | None, Meta(description="What for, as the person was told: offers, a newsletter …")
    ] = None
    channel: Annotated[Channel | None, Meta(description="How it was given.")] = None
    text_version: Annotated[
        _Label | None, Meta(description="Which version of the wording the person was shown.")
    ] = None
    operator: Annotated[_Label | None, Meta(description="Who took it, where a person did.")] = None
    address: Annotated[
        str | None, Meta(description="The IP address it was given from; shown with `reveal` only.")
    ] = None
    evidence: Annotated[_Evidence | None, Meta(description="Where the proof is kept.")] = None
    incentive: Annotated[
        _Label | None, Meta(description="What was promised for it: a coupon, points …")
    ] = None
    at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="When; absent: now.")
    ] = None


class ConsentResource(msgspec.Struct, kw_only=True):
    """An entry of the ledger."""

    id: str
    to: str | None
    to_unreadable: Unreadable = UNSET
    category: CategoryName
    action: str
    source: str
    purpose: str | None
    channel: str | None
    text_version: str | None
    operator: str | None
    address: Annotated[
        str | None, Meta(description="In clear with `reveal`; else the network it is of.")
    ]
    evidence: str | None
    incentive: str | None
    missing: Annotated[
        tuple[str, ...],
        Meta(
            description="What an authority asks for and a grant does not say; `operator`: neither "
            "who took it nor from which address."
        ),
    ]
    at: datetime
    recorded_at: datetime


class ConsentPage(msgspec.Struct):
    """A page of entries, the latest recorded first."""

    data: list[ConsentResource]
    next_cursor: str | None


class ConsentQuery(RevealQuery, kw_only=True):
    """The account's entries."""

    to: Annotated[str | None, Meta(description="Those of this number only; + is %2B.")] = None


class ConsentsApi:
    """Handlers of /v1/consents."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._body = msgspec.json.Decoder(ConsentRequest)
        self._query = QueryReader(ConsentQuery)
        self._reveals = Reveals(services.reveals)
        self._idempotent = IdempotentRequests(services.idempotency)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/consents",
                handler=self.entries,
                summary="The consent ledger",
                scope=READ,
                query=ConsentQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={200: ConsentPage},
            ),
            Endpoint(
                method="POST",
                path="/v1/consents",
                handler=self.record,
                summary="Record that a person consented, or withdrew it",
                description="In force when answered, also for messages that wait. Accounts demand "
                "consent by `require_consent`.",
                scope=WRITE,
                request=ConsentRequest,
                headers=REQUEST_HEADERS,
                answers={201: ConsentResource},
                problems=("number_invalid", "out_of_range", "address_invalid", *REPEAT_PROBLEMS),
                example=_EXAMPLE,
            ),
        ]

    async def record(self, request: web.Request) -> web.Response:
        """Record one word. 201 once it is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda _: self._record(key, body)
        )

    async def _record(self, key: StoredKey, body: bytes) -> web.Response:
        recorded = await self._services.consents.record(key.account, self._word(body))
        return json_response(_resource(recorded), status=201)

    async def entries(self, request: web.Request) -> web.Response:
        """A page of entries, the latest recorded first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(to=self._numbers.fault))
        reason = self._reveals.check(request, key, query.reveal)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._services.consents.entries(
            key.account,
            number=query.to,
            before=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda entry: (entry.id,))
        answer = ConsentPage([_resource(entry, query.reveal) for entry in kept], next_cursor)
        noted = await self._reveals.note(
            key,
            reason,
            "consents",
            [each.id for each in answer.data],
            [entry.number for entry in kept],
        )
        return json_response(answer, headers=page.headers(next_cursor) | noted)

    def _word(self, body: bytes) -> ConsentWord:
        read = read_body(ConsentRequest, self._body, body)
        asked, faults = read.body, read.faults
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        at = now
        if asked is not None:
            if (number_fault := self._numbers.fault(asked.to)) is not None:
                faults.append(FieldError("number_invalid", f"to {number_fault}", "/to"))
            at = now if asked.at is None else asked.at
            if not EARLIEST <= at <= now + timedelta(seconds=AHEAD_SECONDS_MAX):
                detail = f"at lies ahead, or before {EARLIEST.year}"
                faults.append(FieldError("out_of_range", detail, "/at"))
            if asked.address is not None and not is_address(asked.address):
                detail = "address is no IPv4 or IPv6 address, such as 203.0.113.7"
                faults.append(FieldError("address_invalid", detail, "/address"))
        if asked is None or faults:
            raise refusal(faults)
        return ConsentWord(
            number=asked.to,
            category=Category.of(asked.category),
            granted=asked.action == "granted",
            source=asked.source,
            purpose=asked.purpose,
            channel=asked.channel,
            operator=asked.operator,
            address=asked.address,
            incentive=asked.incentive,
            text_version=asked.text_version,
            evidence=asked.evidence,
            at=at.astimezone(UTC),
        )


def is_address(text: str) -> bool:
    """Whether this is an IP address."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text  # the zone of an IPv6 address says nothing elsewhere


def _resource(view: ConsentView, clear: bool = False) -> ConsentResource:
    return consent_resource(view, view.number, clear)


def consent_resource(
    view: ConsentView | RecordedConsent, number: str | None, clear: bool
) -> ConsentResource:
    """An entry of the ledger as the API shows it."""
    return ConsentResource(
        id=str(view.id),
        to=shown(number, clear=clear),
        to_unreadable=unreadable(number),
        category=Category(view.category).label,
        action="granted" if view.granted else "withdrawn",
        source=view.source,
        purpose=view.purpose,
        channel=view.channel,
        text_version=view.text_version,
        operator=view.operator,
        address=view.address if clear or view.address is None else stored_prefix(view.address),
        evidence=view.evidence,
        incentive=view.incentive,
        missing=missing(view),
        at=view.at,
        recorded_at=view.recorded_at,
    )
