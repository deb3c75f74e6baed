"""The endpoints that give the suppression list away as a whole, or compare it with a partner's.

Owns their parameters and the columns of their files. Must not read tables: entries come through
web/suppression_services.py. What leaves beside masked numbers is on record before its first octet.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta

from messages.models import FieldError
from recipients.files.comparing import Compared, Comparison
from recipients.partner_hash import HASH_BYTES, PartnerKey
from recipients.suppression_desk import SuppressionView
from storage.categories import Category
from storage.faults import Overloaded
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY
from web.api.file_answers import Form, file_answer, stream
from web.api.inbound import accounts_of
from web.api.suppressions import READ
from web.edge.access import Access
from web.edge.endpoints import Endpoint
from web.edge.file_bodies import CSV, form_of, pieces
from web.edge.file_rows import FileRow, rows_of
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader, invalid
from web.edge.problems import ProblemError
from web.edge.reveals import (
    REASON,
    REASON_HEADER,
    REVEAL_PROBLEMS,
    Reveals,
    Unreadable,
    shown,
)
from web.services import Services

EXCHANGE = "suppressions:exchange"
ROWS_MAX = 1_000_000
STEP_ROWS = 5_000  # of a partner's list, a statement
REFUSED_SHOWN_MAX = 1_000
COMPARISONS_MAX = 2  # in this process; each has a connection and a table of its own
SLICE_ROWS = 200  # between two turns for others

_EXAMPLE_HASH = "74f72ba305b51050f0d5a5ec21ff7fbb345ccc5da83e92b117dc5e42f9fc233e"
_HEX = re.compile(rf"[0-9A-Fa-f]{{{2 * HASH_BYTES}}}", re.ASCII)

Revealing = Annotated[
    bool,
    Meta(
        description="Numbers in clear. Needs the scope `numbers:reveal` and the header "
        f"`{REASON}`, too; audited."
    ),
]


class ExportQuery(msgspec.Struct, kw_only=True):
    """The list as it stands now, expired entries left out."""

    format: Form = "ndjson"
    reveal: Revealing = False
    hash: Annotated[
        str | None,
        Meta(
            description="A partner of the configuration: each number as its hash under the key "
            "shared with that partner. Needs the scope `suppressions:exchange`; audited."
        ),
    ] = None


class CompareQuery(msgspec.Struct, kw_only=True):
    """Whose hashes these are, and how the answer is to be."""

    partner: Annotated[str, Meta(description="A partner of the configuration.", examples=["acme"])]
    format: Form = "ndjson"
    reveal: Revealing = False


class ExportedRow(msgspec.Struct, kw_only=True):
    """One entry. An import takes these columns."""

    number: str | None
    category: str
    reason: str
    source: str
    detail: str | None
    senders: Sequence[str] | None
    every_account: bool
    created_at: datetime
    expires_at: datetime | None
    number_unreadable: Unreadable = UNSET


class HashedRow(msgspec.Struct, kw_only=True):
    """One entry, its number as a hash: 64 hexadecimal digits."""

    number_hash: str | None
    category: str
    reason: str
    senders: Sequence[str] | None
    created_at: datetime
    expires_at: datetime | None


class HashRow(msgspec.Struct, forbid_unknown_fields=True):
    """One number of a partner's list."""

    number_hash: str
    category: object = None
    reason: object = None
    senders: object = None
    created_at: object = None
    expires_at: object = None


class ComparedRow(msgspec.Struct, kw_only=True):
    """An entry of ours that is on the list (`code` is `match`), or a line that is no hash."""

    line: int
    code: str
    number: str | None = None
    category: str | None = None
    reason: str | None = None
    source: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    detail: str | None = None


class SuppressionExportsApi:
    """Handlers of /v1/suppressions/export and /v1/suppressions/compare."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._export_query = QueryReader(ExportQuery)
        self._compare_query = QueryReader(CompareQuery)
        self._reveals = Reveals(services.reveals)
        self._comparing = 0

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/suppressions/export",
                handler=self.export,
                summary="The whole suppression list as a file",
                description="Entries of the account and of every account. With `hash` only the "
                "account's own.",
                scope=READ,
                query=ExportQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={200: file_answer("A row for each entry")},
            ),
            Endpoint(
                method="POST",
                path="/v1/suppressions/compare",
                handler=self.compare,
                summary="Which of our suppressed numbers are on a partner's list of hashes",
                description="CSV with the column `number_hash`, or a JSON object a line. Nothing "
                "of it is kept.",
                scope=EXCHANGE,
                file=HashRow,
                file_example=f"number_hash\n{_EXAMPLE_HASH}\n",
                query=CompareQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={200: file_answer("A row for each entry that is on the list")},
            ),
        ]

    async def export(self, request: web.Request) -> web.Response:
        """A stream of entries."""
        key = await self._access.key(request, READ)
        query = self._export_query.read(request)
        reason = self._reveals.check(request, key, query.reveal)
        own = accounts_of(key)
        if query.hash is not None:
            if query.reveal:
                raise invalid("parameter_invalid", "hash", "not together with reveal")
            await self._access.key(request, EXCHANGE)
            partner = self._partner("hash", query.hash)
            detail = {"partner": query.hash, "rows": await self._services.exports.count(own)}
            await self._note(key, "suppression.export", detail)
            return await stream(query.format, HashedRow, self._hashed(own, partner))
        accounts = tuple({key.account, EVERY_ACCOUNT})
        rows = self._exported(key, accounts, reason)
        return await stream(query.format, ExportedRow, rows)

    async def compare(self, request: web.Request) -> web.Response:
        """A stream of what both have."""
        key = await self._access.key(request, EXCHANGE)
        query = self._compare_query.read(request)
        reason = self._reveals.check(request, key, query.reveal)
        partner = self._partner("partner", query.partner)
        form = form_of(request)
        if self._comparing >= COMPARISONS_MAX:
            raise Overloaded()
        async with AsyncExitStack() as stack:
            self._comparing += 1
            stack.callback(self._compared)
            comparison = await self._services.exports.comparison(partner)
            stack.push_async_callback(comparison.close)
            taken = await _take(request, form, comparison)
            detail = {"partner": query.partner, "rows": taken.rows}
            await self._note(key, "suppression.compare", detail)
            pages = comparison.matches(self._services.exports.entries(accounts_of(key)))
            rows = self._matches(stack.pop_all(), taken.shown, pages, key, reason)
            headers = {"Rows-Read": str(taken.rows), "Rows-Refused": str(taken.refused)}
            return await stream(query.format, ComparedRow, rows, headers)

    def _compared(self) -> None:
        self._comparing -= 1

    def _partner(self, parameter: str, name: str) -> PartnerKey:
        partner = self._services.exports.partners.get(name)
        if partner is None:
            raise invalid("parameter_invalid", parameter, "no partner of the configuration")
        return partner

    async def _note(self, key: StoredKey, action: str, detail: dict[str, object]) -> None:
        await self._services.exports.note(key.account, f"key {key.id}", action, detail)

    async def _exported(
        self, key: StoredKey, accounts: Sequence[int], reason: str | None
    ) -> AsyncIterator[list[ExportedRow]]:
        clear = () if reason is None else accounts_of(key)
        async for page in self._services.exports.entries(accounts):
            await self._shown(key, reason, "suppressions.export", page, clear)
            yield [_exported(view, clear=view.account in clear) for view in page]

    async def _matches(
        self,
        ends: AsyncExitStack,
        refused: list[ComparedRow],
        pages: AsyncIterator[list[Compared]],
        key: StoredKey,
        reason: str | None,
    ) -> AsyncIterator[list[ComparedRow]]:
        clear = () if reason is None else accounts_of(key)
        async with ends:
            yield refused
            async for page in pages:
                if page:
                    views = [each.entry for each in page]
                    await self._shown(key, reason, "suppressions.compare", views, clear)
                    yield [_match(each, clear=each.entry.account in clear) for each in page]

    async def _shown(
        self,
        key: StoredKey,
        reason: str | None,
        what: str,
        page: Sequence[SuppressionView],
        clear: Sequence[int],
    ) -> None:
        """Put the numbers of a page on record before it leaves."""
        await self._reveals.note(
            key,
            reason,
            what,
            [view.created_at.isoformat() for view in page],
            [view.number for view in page if view.account in clear],
        )

    async def _hashed(
        self, accounts: Sequence[int], partner: PartnerKey
    ) -> AsyncIterator[list[HashedRow]]:
        async for page in self._services.exports.entries(accounts):
            yield [_hashed(view, partner) for view in page]


class _Taken(msgspec.Struct):
    """How much of a partner's list was read; `shown` are the first rows that are no hashes."""

    rows: int = 0
    refused: int = 0
    shown: list[ComparedRow] = []


async def _take(request: web.Request, form: str, comparison: Comparison) -> _Taken:
    """Read a partner's list. Raises ProblemError, StorageDown."""
    taken, reader = _Taken(), rows_of(form == CSV, HashRow)
    hashes: list[tuple[int, bytes]] = []

    async def take(rows: Iterator[FileRow[HashRow]]) -> None:
        for row in rows:
            taken.rows += 1
            if taken.rows > ROWS_MAX:
                raise ProblemError("rows_max", f"the list has more than {ROWS_MAX} rows")
            found = _hash_of(row)
            if isinstance(found, bytes):
                hashes.append((row.line, found))
            else:
                taken.refused += 1
                if len(taken.shown) < REFUSED_SHOWN_MAX:
                    taken.shown.append(found)
            if taken.rows % SLICE_ROWS == 0:
                await asyncio.sleep(0)
            if len(hashes) >= STEP_ROWS:
                await comparison.add(hashes)
                hashes.clear()

    async for piece in pieces(request):
        await take(reader.feed(piece))
    await take(reader.close())
    await comparison.add(hashes)
    return taken


def _hash_of(row: FileRow[HashRow]) -> bytes | ComparedRow:
    faults = list(row.faults)
    if row.row is not None and not faults:
        text = row.row.number_hash
        if _HEX.fullmatch(text):
            return bytes.fromhex(text)
        detail = f"number_hash is not {2 * HASH_BYTES} hexadecimal digits of HMAC-SHA256"
        faults.append(FieldError("hash_invalid", detail, "/number_hash"))
    return ComparedRow(line=row.line, code=faults[0].code, detail=faults[0].detail)


def _category(view: SuppressionView) -> str:
    return "all" if view.category == EVERY_CATEGORY else Category(view.category).label


def _exported(view: SuppressionView, *, clear: bool) -> ExportedRow:
    return ExportedRow(
        number=shown(view.number, clear=clear),
        category=_category(view),
        reason=view.reason,
        source=view.source,
        detail=view.detail,
        senders=view.senders,
        every_account=view.account == EVERY_ACCOUNT,
        created_at=view.created_at,
        expires_at=view.expires_at,
        number_unreadable=True if view.unreadable else UNSET,
    )


def _hashed(view: SuppressionView, partner: PartnerKey) -> HashedRow:
    return HashedRow(
        number_hash=None if view.number is None else partner.hash(view.number).hex(),
        category=_category(view),
        reason=view.reason,
        senders=view.senders,
        created_at=view.created_at,
        expires_at=view.expires_at,
    )


def _match(each: Compared, *, clear: bool) -> ComparedRow:
    view = each.entry
    return ComparedRow(
        line=each.line,
        code="match",
        number=shown(view.number, clear=clear),
        category=_category(view),
        reason=view.reason,
        source=view.source,
        created_at=view.created_at,
        expires_at=view.expires_at,
    )
