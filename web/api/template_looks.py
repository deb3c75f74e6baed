"""The endpoints that look at a text before anybody gets it: the rules, and what it becomes.

Owns their answers. Must not judge a text (campaigns/templates), nor store anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.contacts.desk import PREFIX as CONTACT_PREFIX
from campaigns.templates.content import Version, version
from campaigns.templates.desk import UNSAVED
from campaigns.templates.findings import Occasion
from campaigns.templates.lengths import Measure, PartsSpread, longest, spread
from campaigns.templates.memory import place_of
from campaigns.templates.people import Person, params_of
from campaigns.templates.rendering import Skipped, render
from campaigns.templates.store import StoredVersion
from messages.body_faults import Faults
from messages.models import FieldError
from recipients.hours import parse_clock
from storage.ids import parse_id
from web.api.template_shapes import (
    TEMPLATE_PROBLEMS,
    FindingView,
    LengthView,
    VersionRequest,
    content_of,
    findings,
    length,
)
from web.api.templates import EXAMPLE_VERSION, PATH, READ, SLICE_TEXTS
from web.edge.access import Access
from web.edge.arguments import read_body, refusal
from web.edge.auth import scope_missing
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.services import Services

ITEMS_MAX = 100
CONTACTS_MAX = 20  # each is read by itself
CONTACTS_READ = "contacts:read"
DAY_SECONDS = 86_400

_Clock = Annotated[str, Meta(pattern=r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z|\A24:00\Z")]
_Stored = Annotated[
    str | None, Meta(description="A stored one: `tpl_…` for its newest version, or `tpl_…@3`.")
]
_Draft = Annotated[VersionRequest | None, Meta(description="One that is not stored.")]


class HoursRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Hours of the day."""

    start: Annotated[_Clock, Meta(description="As in 10:00.")] = msgspec.field(name="from")
    end: Annotated[_Clock, Meta(description="As in 20:00.")] = msgspec.field(name="to")


class LintRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A text, and what is known of its sending. What is not said is not judged."""

    template_id: _Stored = None
    template: _Draft = None
    check_links: Annotated[
        bool, Meta(description="Ask each link whether it answers 200 over TLS: R9.")
    ] = False
    hours: Annotated[HoursRequest | None, Meta(description="In which it is to go: R20.")] = None
    last_used_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When the same template was sent last: R19."),
    ] = None
    first_template_id: Annotated[
        str | None, Meta(description="What the same people got first: R19.")
    ] = None


class LintAnswer(msgspec.Struct, kw_only=True):
    """What the rules find now."""

    errors: int
    warnings: Annotated[int, Meta(description="That nobody has waived.")]
    longest: LengthView
    findings: list[FindingView]


Value = str | int | float


class RenderRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A text, and the values of up to 100 people, or the contacts who have them."""

    template_id: _Stored = None
    template: _Draft = None
    params: Annotated[list[dict[str, Value]], Meta(max_length=ITEMS_MAX)] = []
    contacts: Annotated[
        list[str],
        Meta(
            max_length=CONTACTS_MAX,
            description="Ids of contacts, behind `params`. Their attributes are the values, by "
            "`source`. It takes a key with `contacts:read`.",
        ),
    ] = []


class SkippedView(msgspec.Struct, kw_only=True):
    """Why this one would get no message."""

    variable: str
    reason: Annotated[
        str, Meta(extra_json_schema={"enum": ["missing", "blank", "too_long", "invalid"]})
    ]


class RenderedItem(msgspec.Struct, kw_only=True):
    """What one would get, or why nothing."""

    index: int
    message: LengthView | None
    skipped: SkippedView | None
    fallbacks: Annotated[
        Mapping[str, str], Meta(description="Variables whose fallback is in it, and why.")
    ]
    removed: Annotated[
        Mapping[str, int], Meta(description="What was taken out of values, by kind.")
    ]
    error: Annotated[str | None, Meta(description="Why the text cannot be sent.")]


class PartsView(msgspec.Struct, kw_only=True):
    """Parts of those who would get it."""

    least: int
    median: int
    most: int
    total: int


class RenderAnswer(msgspec.Struct, kw_only=True):
    """One item for each of `params`, then for each of `contacts`, in order."""

    items: list[RenderedItem]
    skipped: int
    parts: PartsView | None
    longest: LengthView


class _Look(msgspec.Struct):
    version: Version
    stored: StoredVersion | None


class TemplateLooksApi:
    """Handlers of /v1/templates/lint and /v1/templates/render."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._desk = services.templates.book
        self._access = access
        self._bodies = bodies
        self._lint = msgspec.json.Decoder(LintRequest)
        self._render = msgspec.json.Decoder(RenderRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path=f"{PATH}/lint",
                handler=self.lint,
                summary="What the rules find in a text",
                description="Of a stored version or of a text that is not stored. It is measured "
                "as it would be sent, with what the account adds.",
                scope=READ,
                request=LintRequest,
                answers={200: LintAnswer},
                problems=(*TEMPLATE_PROBLEMS, "template_unknown", "template_conflict"),
                example={"template": EXAMPLE_VERSION, "hours": {"from": "10:00", "to": "20:00"}},
            ),
            Endpoint(
                method="POST",
                path=f"{PATH}/render",
                handler=self.render,
                summary="What a text becomes for people's values",
                description="By the renderer that sends. Nothing is sent, nothing is stored.",
                scope=READ,
                request=RenderRequest,
                answers={200: RenderAnswer},
                problems=(
                    *TEMPLATE_PROBLEMS,
                    "template_unknown",
                    "template_conflict",
                    "contact_unknown",
                ),
                example={"template": EXAMPLE_VERSION, "params": [{"name": "王女士"}, {}]},
            ),
        ]

    async def lint(self, request: web.Request) -> web.Response:
        """200, whatever is found."""
        key = await self._access.key(request, READ)
        read = read_body(LintRequest, self._lint, await self._bodies.read(request))
        asked, faults = read.body, read.faults
        look = None if asked is None else await self._look(key.account, asked, faults)
        occasion = None if asked is None else self._occasion(asked, faults)
        if asked is None or look is None or occasion is None or faults:
            raise refusal(faults)
        if asked.check_links:
            links = await self._services.templates.link_faults(look.version.content.links)
            occasion = msgspec.structs.replace(occasion, links=links)
        found = self._desk.lint(key.account, look.version, occasion)
        views = findings(found, () if look.stored is None else look.stored.waivers)
        return json_response(
            LintAnswer(
                errors=sum(each.level == "error" for each in views),
                warnings=sum(each.level == "warning" and each.waived is None for each in views),
                longest=length(longest(look.version, self._desk.measure(key.account))),
                findings=views,
            )
        )

    async def render(self, request: web.Request) -> web.Response:
        """200, also when everybody would be skipped."""
        key = await self._access.key(request, READ)
        read = read_body(RenderRequest, self._render, await self._bodies.read(request))
        asked, faults = read.body, read.faults
        look = None if asked is None else await self._look(key.account, asked, faults)
        if asked is not None and asked.contacts and CONTACTS_READ not in key.scopes:
            raise scope_missing(CONTACTS_READ)
        people: list[Mapping[str, Any]] = []
        if asked is not None and look is not None:
            people = [*asked.params, *await self._contacts(key.account, asked, look, faults)]
        if look is None or faults:
            raise refusal(faults)
        measure = self._desk.measure(key.account)
        items: list[RenderedItem] = []
        for index, params in enumerate(people):
            items.append(_rendered(index, look.version, params, measure))
            if index % SLICE_TEXTS == SLICE_TEXTS - 1:
                await asyncio.sleep(0)
        return json_response(
            RenderAnswer(
                items=items,
                skipped=sum(each.skipped is not None for each in items),
                parts=_parts(spread(_counted(items))),
                longest=length(longest(look.version, measure)),
            )
        )

    async def _look(
        self, account: int, asked: LintRequest | RenderRequest, faults: Faults
    ) -> _Look | None:
        """The one version that is asked about; what is wrong is added to `faults`."""
        if not faults.spoiled.isdisjoint(("template", "template_id")):
            return None
        if (asked.template_id is None) == (asked.template is None):
            detail = "name a template_id or send a template, one of them"
            faults.append(FieldError("template_conflict", detail, "/template_id"))
            return None
        if asked.template is not None:
            before = len(faults)
            content = content_of(asked.template, faults, "/template")
            return None if len(faults) > before else _Look(version(0, UNSAVED, content), None)
        place = place_of(asked.template_id or "")
        stored = None if place is None else await self._desk.one(account, place)
        if stored is None:
            detail = "this account has no such template"
            faults.append(FieldError("template_unknown", detail, "/template_id"))
            return None
        return _Look(stored.version, stored)

    async def _contacts(
        self, account: int, asked: RenderRequest, look: _Look, faults: list[FieldError]
    ) -> list[dict[str, str]]:
        """The values of each; one that there is not is added to `faults`."""
        values: list[dict[str, str]] = []
        book, money = self._services.contacts.book, set[str]()
        if asked.contacts:
            defined = await book.attributes(account)
            money = {each.name for each in defined if each.type == "money"}
        for index, named in enumerate(asked.contacts):
            try:
                contact_id = parse_id(CONTACT_PREFIX, named)
            except ValueError:
                contact_id = 0
            found = await book.contact(account, contact_id)
            if found is None:
                detail = "this account has no such contact"
                faults.append(FieldError("contact_unknown", detail, f"/contacts/{index}"))
                continue
            who = Person(found.attrs, found.external_id, found.source, found.time_zone)
            values.append(params_of(look.version, who, money))
        if not asked.contacts and not asked.params:
            detail = "params or contacts name somebody"
            faults.append(FieldError("out_of_range", detail, "/params"))
        return values

    def _occasion(self, asked: LintRequest, faults: list[FieldError]) -> Occasion:
        first = None
        if asked.first_template_id is not None:
            place = place_of(asked.first_template_id)
            if place is None:
                detail = "this names no template"
                faults.append(FieldError("template_unknown", detail, "/first_template_id"))
            else:
                first = place[0]
        days = None
        if asked.last_used_at is not None:
            now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
            days = (now - asked.last_used_at).total_seconds() / DAY_SECONDS
        hours = asked.hours
        return Occasion(
            hours=None if hours is None else (parse_clock(hours.start), parse_clock(hours.end)),
            days_since_used=days,
            first_touch=first,
        )


def _rendered(index: int, of: Version, params: Mapping[str, Any], measure: Measure) -> RenderedItem:
    made = render(of, params)
    if isinstance(made, Skipped):
        skipped = SkippedView(variable=made.variable, reason=made.reason)
        return RenderedItem(
            index=index, message=None, skipped=skipped, fallbacks={}, removed={}, error=None
        )
    measured = measure(made, of.content.category)
    return RenderedItem(
        index=index,
        message=length(measured),
        skipped=None,
        fallbacks=made.fallbacks,
        removed=made.removed,
        error=measured.fault,
    )


def _counted(items: Sequence[RenderedItem]) -> Counter[int]:
    return Counter(each.message.parts for each in items if each.message is not None)


def _parts(found: PartsSpread | None) -> PartsView | None:
    return None if found is None else PartsView(**msgspec.structs.asdict(found))
