"""The endpoints for files of contacts: CSV, a JSON object a line, or an XLSX workbook.

Owns their parameters and JSON, and the way from a body to the database. Must not read a row: a
file is taken as a whole, and its rows are taken behind the answer. Numbers leave masked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.contacts.attributes import NAME
from campaigns.contacts.deciding import Mode
from campaigns.contacts.desk import PREFIX as CONTACT
from campaigns.contacts.files.jobs import CSV, NDJSON, PREFIX, XLSX, FileWish, JobView, RowView
from campaigns.contacts.files.mapping import FIELDS
from campaigns.contacts.files.tables import DELIMITERS, FileRefused
from campaigns.contacts.verdicts import Verdict
from messages.models import FieldError
from storage.ids import format_id
from web.api.contacts import READ, WRITE
from web.edge.access import Access
from web.edge.arguments import not_found, path_id, refusal
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.file_bodies import pieces
from web.edge.idempotent import REPLAYED
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held
from web.edge.problems import ProblemError
from web.services import Services

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FORMS: Mapping[str, str] = MappingProxyType(
    {
        "text/csv": CSV, "application/x-ndjson": NDJSON, "application/ndjson": NDJSON,
        SHEET: XLSX,
    }
)  # fmt: skip
_COLUMNS_MAX = 200
VerdictName = Literal[
    "created", "updated", "unchanged", "merged", "duplicate_in_file", "invalid", "undone", "kept"
]
_Id = Annotated[
    str,
    Meta(
        pattern=r"^cim_[0-9a-z]{13}$", description="Of an import.", examples=["cim_0aq3zk5m80000"]
    ),
]
PATH_ID: Mapping[str, object] = {"id": _Id}


class ImportQuery(msgspec.Struct, kw_only=True):
    """How a file is taken."""

    mode: Annotated[
        Mode,
        Meta(
            description="Of contacts that are known: `fill` what is missing, `overwrite` what the "
            "file has, or `skip` them."
        ),
    ] = "fill"
    dry_run: Annotated[bool, Meta(description="Every verdict, and no contact is touched.")] = False
    mapping: Annotated[
        str | None,
        Meta(
            description="A JSON object of columns and what they are: "
            f"{', '.join(f'`{name}`' for name in FIELDS[:5])}, `attr.city` or `consent_…`. "
            "Absent: columns are known by their names."
        ),
    ] = None
    delimiter: Annotated[
        str | None,
        Meta(description="Of CSV: `,` `;` `|` or `tab`. Absent: what the header has most of."),
    ] = None


class ContactImport(msgspec.Struct, kw_only=True):
    """How far an import is."""

    id: str
    object: str = "contact_import"
    state: Annotated[
        Literal["receiving", "waiting", "running", "done", "failed", "undoing", "undone"],
        Meta(description="`undone`: what nobody changed since is as it was."),
    ]
    detail: Annotated[str | None, Meta(description="Why it failed.")]
    format: Literal["csv", "ndjson", "xlsx"]
    encoding: Annotated[str | None, Meta(description="As it was found: `utf-8`, `gb18030` …")]
    mode: Mode
    dry_run: bool
    bytes: int
    rows: Annotated[int, Meta(description="Rows that have their verdict.")]
    counts: Annotated[
        Mapping[str, int], Meta(description="Rows by verdict, and by code; a row may have several.")
    ]
    columns_ignored: Sequence[str]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ContactImportPage(msgspec.Struct):
    """A page of imports, the latest first."""

    data: list[ContactImport]
    next_cursor: str | None


class ImportsQuery(PageQuery, kw_only=True):
    """Imports of the account, the latest first."""


class RowsQuery(PageQuery, kw_only=True):
    """Rows of one import, in order."""

    verdict: Annotated[VerdictName | None, Meta(description="Only those with this verdict.")] = None


class ImportedRow(msgspec.Struct, kw_only=True):
    """What became of one row."""

    line: int
    verdict: VerdictName
    codes: Annotated[Sequence[str], Meta(description="What is wrong with it, or worth knowing.")]
    number: Annotated[str | None, Meta(description="Masked.")]
    contact: str | None


class ImportedRowPage(msgspec.Struct):
    """A page of rows."""

    data: list[ImportedRow]
    next_cursor: str | None


class ContactFileRow(msgspec.Struct, kw_only=True):
    """A row by the names that are known without a mapping; attributes stand under theirs."""

    external_id: str | None = None
    number: str | None = None
    tags: str | None = None
    source: str | None = None
    time_zone: str | None = None
    consent: str | None = None
    consent_at: str | None = None
    consent_source: str | None = None
    consent_purpose: str | None = None
    consent_channel: str | None = None
    consent_text_version: str | None = None
    consent_evidence: str | None = None
    consent_operator: str | None = None
    consent_incentive: str | None = None


class ContactImportsApi:
    """Handlers of /v1/contacts/import."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._files = services.contacts.files
        self._access = access
        self._query = QueryReader(ImportQuery)
        self._list_query = QueryReader(ImportsQuery)
        self._rows_query = QueryReader(RowsQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path="/v1/contacts/import",
                handler=self.take,
                summary="Import contacts from a file",
                description="CSV in UTF-8 or GB18030, a JSON object a line, or an XLSX workbook. A "
                "bad row sinks no other, and each has a verdict. The same file, asked for in the "
                "same way, is one import, unless that failed. No mode undoes an opt-out.",
                scope=WRITE,
                file=ContactFileRow,
                file_example="手机号,标签\n13812345678,会员\n",
                query=ImportQuery,
                answers={
                    202: Answer(
                        ContactImport,
                        headers={"Location": "The import.", REPLAYED: "It was sent before."},
                    )
                },
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts/import",
                handler=self.listed,
                summary="Imports of contacts",
                scope=READ,
                query=ImportsQuery,
                answers={200: ContactImportPage},
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts/import/{id}",
                handler=self.get,
                summary="How far an import of contacts is",
                scope=READ,
                path_parameters=PATH_ID,
                answers={200: ContactImport},
            ),
            *self._of_one(),
        ]

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/v1/contacts/import/{id}/rows",
                handler=self.rows,
                summary="What became of the rows of an import",
                scope=READ,
                path_parameters=PATH_ID,
                query=RowsQuery,
                answers={200: ImportedRowPage},
            ),
            Endpoint(
                method="POST",
                path="/v1/contacts/import/{id}/undo",
                handler=self.undo,
                summary="Take an import of contacts back",
                description="Contacts that were changed since, or did something, are kept. So are "
                "consents.",
                scope=WRITE,
                path_parameters=PATH_ID,
                answers={202: ContactImport},
                problems=("import_not_done",),
            ),
        ]

    async def take(self, request: web.Request) -> web.Response:
        """202 once the whole file is stored."""
        key = await self._access.key(request, WRITE)
        query = self._query.read(request, held(mapping=_mapping_fault, delimiter=_delimiter_fault))
        form = _FORMS.get(request.content_type.lower())
        if form is None:
            sent = f"the body is sent as {request.content_type}"
            raise ProblemError("format_unsupported", f"{sent}; send one of {', '.join(_FORMS)}")
        wish = FileWish(
            format=form,
            mapping=None if query.mapping is None else _mapping(query.mapping),
            mode=query.mode,
            dry_run=query.dry_run,
            delimiter=None if query.delimiter is None else _delimiter(query.delimiter),
        )
        files = self._files
        try:
            async with files.receiving(key.account, f"key {key.id}", wish) as intake:
                async for octets in pieces(request):
                    await intake.add(octets)
                job, known = await intake.received()
        except FileRefused as refused:
            raise refusal(FieldError(refused.code, str(refused), refused.pointer)) from None
        headers = {"Location": f"/v1/contacts/import/{format_id(PREFIX, job)}"}
        if known:
            headers[REPLAYED] = "true"
        view = await self._of(key.account, job)
        return json_response(resource_of(view), status=202, headers=headers)

    async def listed(self, request: web.Request) -> web.Response:
        """A page of imports, the latest first."""
        key = await self._access.key(request, READ)
        page = self._services.cursors.page(request, key.account, self._list_query.read(request))
        before = int(page.after[0]) if page.after else None
        found = await self._files.listed(key.account, before, page.limit + 1)
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = ContactImportPage([resource_of(view) for view in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """How far one import is."""
        key = await self._access.key(request, READ)
        view = await self._of(key.account, path_id(request, PREFIX, "import"))
        return json_response(resource_of(view))

    async def rows(self, request: web.Request) -> web.Response:
        """A page of rows, in order."""
        key = await self._access.key(request, READ)
        query = self._rows_query.read(request)
        view = await self._of(key.account, path_id(request, PREFIX, "import"))
        page = self._services.cursors.page(request, key.account, query)
        found = await self._files.rows(
            view.id,
            int(page.after[0]) if page.after else 0,
            None if query.verdict is None else Verdict[query.verdict.upper()],
            page.limit + 1,
        )
        kept, next_cursor = page.cut(found, lambda row: (row.line,))
        answer = ImportedRowPage([_row(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def undo(self, request: web.Request) -> web.Response:
        """202 once it is on record that it is to be taken back."""
        key = await self._access.key(request, WRITE)
        view = await self._of(key.account, path_id(request, PREFIX, "import"))
        files = self._files
        if not await files.undo(key.account, f"key {key.id}", view.id):
            said = "a rehearsal" if view.dry_run else view.state
            raise ProblemError("import_not_done", f"it is {said}")
        return json_response(resource_of(await self._of(key.account, view.id)), status=202)

    async def _of(self, account: int, job: int) -> JobView:
        view = await self._files.view(account, job)
        if view is None:
            raise not_found("import")
        return view


def resource_of(view: JobView) -> ContactImport:
    """An import as the API shows it."""
    values = {
        name: getattr(view, name)
        for name in ("state", "detail", "format", "mode", "dry_run", "bytes", "counts")
    }
    return ContactImport(
        id=format_id(PREFIX, view.id),
        encoding=view.encoding or None,
        rows=view.rows_read,
        columns_ignored=view.ignored,
        created_at=view.created_at,
        updated_at=view.touched_at,
        finished_at=view.finished_at,
        **values,
    )


def _row(row: RowView) -> ImportedRow:
    return ImportedRow(
        line=row.line,
        verdict=msgspec.convert(row.verdict.label, VerdictName),
        codes=row.codes,
        number=row.shown,
        contact=None if row.contact is None else format_id(CONTACT, row.contact),
    )


def _mapping(text: str) -> Mapping[str, str]:
    return msgspec.json.decode(text.encode(), type=dict[str, str])


def _mapping_fault(text: str) -> str | None:
    try:
        mapping = _mapping(text)
    except (msgspec.DecodeError, RecursionError):
        return "is no JSON object of texts"
    if not 1 <= len(mapping) <= _COLUMNS_MAX:
        return f"has 1 to {_COLUMNS_MAX} columns"
    for column, field in mapping.items():
        if "\0" in column:
            return "names a column with a NUL"
        if field not in FIELDS and re.fullmatch(rf"attr\.{NAME}", field, re.ASCII) is None:
            return f"maps {column[:40]!r} to something that is no field"
    return None


def _delimiter(text: str) -> str:
    return "\t" if text == "tab" else text


def _delimiter_fault(text: str) -> str | None:
    return None if _delimiter(text) in DELIMITERS else "is one of , ; | tab"
