"""The endpoints for who must not be texted.

Owns their parameters and JSON, and the check of what a request names. Must not read tables: entries
come through web/services.py. Numbers come in full, and leave masked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from dlr.reasons import Reason
from messages.body_faults import Faults
from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from recipients.suppression_desk import Allow, Suppress, SuppressionFilter, SuppressionView
from storage.categories import Category
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY
from web.api.inbound import accounts_of
from web.api.message_answers import ItemError
from web.edge.access import Access
from web.edge.arguments import read_body
from web.edge.auth import ADMIN
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.list_bodies import SLICE_ITEMS, open_list
from web.edge.parameters import MOMENTS, YEAR_MAX, QueryReader, held
from web.edge.problems import ProblemError
from web.edge.reveals import (
    REASON_HEADER,
    REVEAL_PROBLEMS,
    RevealQuery,
    Reveals,
    Unreadable,
    shown,
)
from web.services import Services

READ = "suppressions:read"
WRITE = "suppressions:write"
END_OPT_OUTS = "suppressions:end_opt_outs"
ITEMS_MAX = 10_000
REASON_CHARACTERS_MAX = 200

CategoryOrAll = Literal["otp", "transactional", "service", "marketing", "all"]
ReasonLabel = Literal[
    "number_invalid", "number_unknown", "number_suspended", "recipient_blocked", "opted_out"
]
_REASONS = {reason.label: reason for reason in Reason}
_EXAMPLE = {"suppressions": [{"number": "+8613812345678", "category": "marketing"}]}
E164 = Annotated[str, Meta(description="In E.164 form.", examples=["+8613812345678"])]


class SuppressionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """One entry: who must not be texted what, why, and until when (absent: for good)."""

    number: E164
    category: CategoryOrAll = "marketing"
    reason: ReasonLabel = "opted_out"
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class SuppressionsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 10 000 entries. Each is taken or refused by itself."""

    suppressions: list[msgspec.Raw]


class SuppressionItem(msgspec.Struct, omit_defaults=True):
    """What became of one entry: `added`, `exists`, or an error."""

    index: int
    status: str | None = None
    error: ItemError | None = None


class SuppressionsAnswer(msgspec.Struct):
    """In force from now on, also for messages that wait."""

    added: int
    existing: int
    rejected: int
    items: list[SuppressionItem]


class SuppressionResource(msgspec.Struct, kw_only=True):
    """One entry. `number` is null when the message that was its evidence is gone, and where it
    cannot be read.
    """

    number: str | None
    number_unreadable: Unreadable = UNSET
    category: str
    every_account: bool
    reason: str
    source: Annotated[str, Meta(description="`receipt`, `keyword`, `complaint` or `api`.")]
    detail: str | None
    senders: Annotated[
        Sequence[str] | None,
        Meta(
            description="Whose messages end: those of these senders, and of their brand where "
            "`opt_out_scope` says so; null: of every sender."
        ),
    ]
    created_at: datetime
    expires_at: datetime | None


class SuppressionList(msgspec.Struct):
    """A page of entries, newest first."""

    data: list[SuppressionResource]
    next_cursor: str | None


class RemovedAnswer(msgspec.Struct):
    """How many entries of the number are gone, and how many opt-outs stay."""

    removed: int
    opt_outs_kept: Annotated[
        int, Meta(description="Only the person's own word ends them, or a key that may.")
    ]


class ListQuery(RevealQuery, kw_only=True):
    """Entries of the account and of every account, newest first."""

    source: Annotated[
        Literal["receipt", "keyword", "page", "complaint", "api"] | None,
        Meta(description="Only those from there."),
    ] = None
    category: Annotated[
        CategoryOrAll | None, Meta(description="Only entries of this category, or of `all`.")
    ] = None


class RemoveQuery(msgspec.Struct, kw_only=True):
    """Which entries go."""

    number: E164
    category: Annotated[
        CategoryOrAll | None, Meta(description="Only the entry of this category; else each one.")
    ] = None
    reason: Annotated[
        str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, description="Why, for the audit.")
    ]


class SuppressionsApi:
    """Handlers of /v1/suppressions and /v1/numbers."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._list_query = QueryReader(ListQuery)
        self._reveals = Reveals(services.reveals)
        self._remove_query = QueryReader(RemoveQuery)
        self._envelope = msgspec.json.Decoder(SuppressionsRequest)
        self._item = msgspec.json.Decoder(SuppressionRequest)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/suppressions",
                handler=self.listed,
                summary="Who must not be texted",
                scope=READ,
                query=ListQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={
                    200: Answer(
                        SuppressionList, headers={"Link": "The next page, if there is one."}
                    )
                },
            ),
            Endpoint(
                method="POST",
                path="/v1/suppressions",
                handler=self.add,
                summary="Suppress numbers",
                description="For this account. Answered when stored and in force; what exists "
                "stays as it is.",
                scope=WRITE,
                request=SuppressionsRequest,
                items={"suppressions": SuppressionRequest},
                answers={200: SuppressionsAnswer},
                problems=("batch_size", "batch_rejected"),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="DELETE",
                path="/v1/suppressions",
                handler=self.remove,
                summary="Allow a number again",
                description="Takes out this account's entries; with the scope admin also those "
                "of every account, and what was held against the number counts no more. Opt-outs "
                f"stay, unless the key has {END_OPT_OUTS}.",
                scope=WRITE,
                query=RemoveQuery,
                answers={200: RemovedAnswer},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """A page of entries, newest first."""
        key = await self._access.key(request, READ)
        query = self._list_query.read(request)
        reason = self._reveals.check(request, key, query.reveal)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._services.suppressions.suppressions(
            (key.account, EVERY_ACCOUNT),
            SuppressionFilter(
                source=query.source,
                category=None if query.category is None else _category(query.category),
            ),
            after=_place(page.after) if page.after else None,
            limit=page.limit + 1,
        )
        kept, next_cursor = page.cut(found, _position)
        own = accounts_of(key) if query.reveal else ()
        entries = [resource_of(view, clear=view.account in own) for view in kept]
        noted = await self._reveals.note(
            key,
            reason,
            "suppressions",
            [each.created_at.isoformat() for each in entries],
            [view.number for view in kept if view.account in own],
        )
        answer = SuppressionList(entries, next_cursor)
        return json_response(answer, headers=page.headers(next_cursor) | noted)

    async def add(self, request: web.Request) -> web.Response:
        """Add entries, each by itself. 422 when none is good."""
        key = await self._access.key(request, WRITE)
        raw = await open_list(
            SuppressionsRequest, self._envelope, await self._bodies.read(request), ITEMS_MAX
        )
        checked: list[Suppress | Faults] = []
        for index, item in enumerate(raw):
            checked.append(self._check(item, f"/suppressions/{index}"))
            if index % SLICE_ITEMS == SLICE_ITEMS - 1:
                await asyncio.sleep(0)
        good = [each for each in checked if isinstance(each, Suppress)]
        if not good:
            detail = f"none of the {len(checked)} entries can be stored"
            faults = [each for each in checked if isinstance(each, Faults)]
            raise ProblemError("batch_rejected", detail, tuple(chain.from_iterable(faults)))
        new = iter(await self._services.suppressions.suppress(key.account, f"key {key.id}", good))
        items: list[SuppressionItem] = []
        for index, each in enumerate(checked):
            if isinstance(each, Faults):
                error = ItemError.of(each)
                items.append(SuppressionItem(index, error=error))
            else:
                items.append(SuppressionItem(index, "added" if next(new) else "exists"))
        added = sum(item.status == "added" for item in items)
        return json_response(
            SuppressionsAnswer(added, len(good) - added, len(checked) - len(good), items)
        )

    async def remove(self, request: web.Request) -> web.Response:
        """Delete a number's entries. Where there are none it is no error: the number may be texted,
        as asked.
        """
        key = await self._access.key(request, WRITE)
        query = self._remove_query.read(request, held(number=self._numbers.fault))
        allowed = await self._services.suppressions.allow(
            accounts_of(key),
            f"key {key.id}",
            Allow(
                query.number,
                None if query.category is None else _category(query.category),
                query.reason,
                not {END_OPT_OUTS, ADMIN}.isdisjoint(key.scopes),
            ),
        )
        return json_response(RemovedAnswer(allowed.removed, allowed.kept))

    def _check(self, raw: msgspec.Raw | bytes, pointer: str) -> Suppress | Faults:
        """The entries to be stored, or everything that is wrong, with pointers into the request."""
        read = read_body(SuppressionRequest, self._item, raw)
        item, faults = read.body, read.faults
        if item is not None:
            if (number_fault := self._numbers.fault(item.number)) is not None:
                faults.append(FieldError("number_invalid", f"number {number_fault}", "/number"))
            now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
            until = item.expires_at
            if until is not None and not now < until < MOMENTS[1]:
                detail = f"expires_at is past, or after {YEAR_MAX}"
                faults.append(FieldError("out_of_range", detail, "/expires_at"))
            if not faults:
                category, reason = _category(item.category), _REASONS[item.reason]
                return Suppress(item.number, category, reason, until)
        return Faults([FieldError(f.code, f.detail, f"{pointer}{f.pointer}") for f in faults])


def _category(label: str) -> int:
    return EVERY_CATEGORY if label == "all" else int(Category.of(label))


def _position(view: SuppressionView) -> tuple[int | str, ...]:
    microseconds = round(view.created_at.timestamp() * 1_000_000)
    return microseconds, view.to_idx.hex(), view.account, view.category


def _place(position: Sequence[int | str]) -> tuple[datetime, bytes, int, int]:
    microseconds, to_idx, account, category = position
    seconds, rest = divmod(int(microseconds), 1_000_000)
    created_at = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return created_at, bytes.fromhex(str(to_idx)), int(account), int(category)


def resource_of(view: SuppressionView, *, clear: bool = False) -> SuppressionResource:
    """An entry as the API shows it. The number is masked unless `clear`."""
    every = view.category == EVERY_CATEGORY
    return SuppressionResource(
        number=shown(view.number, clear=clear),
        number_unreadable=True if view.unreadable else UNSET,
        category="all" if every else Category(view.category).label,
        every_account=view.account == EVERY_ACCOUNT,
        reason=view.reason,
        source=view.source,
        detail=view.detail,
        senders=view.senders,
        created_at=view.created_at,
        expires_at=view.expires_at,
    )
