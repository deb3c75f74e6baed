"""The endpoints for imports of suppressions: files of up to a million rows.

Owns their parameters and JSON, and the way from a body to steps. Must not store anything itself:
steps go through web/suppression_services.py. Numbers come in full, and leave masked.

The rows of a body are committed while it comes. So its sender is never faster than the database,
and what is answered is stored.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from recipients.files.import_plan import ImportRow, RefusedRow
from recipients.files.importing import ImportRefused
from recipients.files.imports import ImportView, ImportWish
from recipients.numbers.plan import NumberPlan
from storage.faults import RETRY_AFTER_SECONDS, StorageDown
from storage.ids import format_id
from web.api.file_answers import Form, file_answer, stream
from web.api.suppression_rows import LISTS, PASSED_OVER, RowCheck, SuppressionRow
from web.api.suppressions import READ, WRITE, CategoryOrAll, ReasonLabel
from web.edge.access import Access
from web.edge.arguments import not_found, path_id
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.file_bodies import CSV, form_of, pieces
from web.edge.file_rows import FileRow, FileRows, rows_of
from web.edge.idempotent import HEADER, REPEAT_PROBLEMS, REPLAYED, REQUEST_HEADERS, idempotency_key
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services
from web.suppression_services import ImportRun

PREFIX = "imp"
ROWS_MAX = 1_000_000
STEP_ROWS = 2_000  # a commit
STEP_SECONDS_MAX = 5.0  # of a slow body; what came until then is committed
SLICE_ROWS = 100  # between two turns for others: below 5 ms

Row = ImportRow | RefusedRow
_Slice = list[FileRow[SuppressionRow]]
_WHY: Mapping[str, str] = MappingProxyType(
    {"body_slow": "slow", "body_too_large": "too_large", "rows_max": "too_many_rows"}
)
_Id = Annotated[
    str,
    Meta(
        pattern=r"^imp_[0-9a-z]{13}$", description="Of an import.", examples=["imp_0aq3zk5m80000"]
    ),
]
PATH_ID: Mapping[str, object] = {"id": _Id}


class ImportQuery(msgspec.Struct, kw_only=True):
    """What holds for rows that do not say otherwise."""

    category: Annotated[CategoryOrAll, Meta(description="Of rows that name none.")] = "marketing"
    reason: Annotated[ReasonLabel, Meta(description="Of rows that name none.")] = "opted_out"
    taken_back: Annotated[
        Literal["refuse", "add"],
        Meta(
            description="What becomes of entries that were taken back here, or that the person has "
            "consented after."
        ),
    ] = "refuse"
    dry_run: Annotated[bool, Meta(description="Every verdict, and nothing is suppressed.")] = False


class ImportResource(msgspec.Struct, kw_only=True):
    """How far an import is.

    `interrupted`: send the same file with the same `Idempotency-Key` again, and it goes on.
    """

    id: str
    state: str
    detail: Annotated[
        str | None,
        Meta(
            description="Why it was interrupted: `cut_off`, `slow`, `too_large`, `too_many_rows`, "
            "`storage`, `stopped`, or `gone` for a process that is."
        ),
    ]
    format: str
    dry_run: bool
    rows: int
    added: int
    existing: int
    refused: int
    refused_by: Annotated[Mapping[str, int], Meta(description="Refused rows by code.")]
    columns_ignored: Annotated[
        Sequence[str], Meta(description="Columns that are known and not stored.")
    ]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


class ImportList(msgspec.Struct):
    """A page of imports, the latest first."""

    data: list[ImportResource]
    next_cursor: str | None


class ImportsQuery(PageQuery, kw_only=True):
    """Imports of the account, the latest first."""


class VerdictQuery(msgspec.Struct, kw_only=True):
    """Which verdicts, and how."""

    format: Form = "ndjson"
    rows: Annotated[
        Literal["refused", "all"],
        Meta(description="Refused rows only; or these first, then all others."),
    ] = "refused"


class RowVerdict(msgspec.Struct):
    """What became of one row: `added`, `exists`, or the code of its first mistake."""

    line: int
    code: str
    number: str | None
    detail: str | None
    field: str | None


class SuppressionImportsApi:
    """Handlers of /v1/suppressions/import and /v1/suppressions/imports."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._numbers = NumberPlan()
        self._query = QueryReader(ImportQuery)
        self._list_query = QueryReader(ImportsQuery)
        self._verdict_query = QueryReader(VerdictQuery)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/suppressions/import",
                handler=self.take,
                summary="Suppress the numbers of a file",
                description="CSV with a header, or a JSON object a line; up to 1 000 000 rows. "
                "Rows are committed while the body comes. A bad row sinks no other. What exists "
                "stays as it is, unless a row asks for more.",
                scope=WRITE,
                file=SuppressionRow,
                file_example="number,category\n+8613812345678,marketing\n",
                query=ImportQuery,
                headers=REQUEST_HEADERS,
                answers={
                    202: Answer(ImportResource, headers={"Location": "The import."}),
                },
                problems=REPEAT_PROBLEMS,
            ),
            Endpoint(
                method="GET",
                path="/v1/suppressions/imports",
                handler=self.listed,
                summary="Imports of suppressions",
                scope=READ,
                query=ImportsQuery,
                answers={200: ImportList},
            ),
            Endpoint(
                method="GET",
                path="/v1/suppressions/imports/{id}",
                handler=self.get,
                summary="How far an import is",
                scope=READ,
                path_parameters=PATH_ID,
                answers={200: ImportResource},
            ),
            Endpoint(
                method="GET",
                path="/v1/suppressions/imports/{id}/verdicts",
                handler=self.verdicts,
                summary="What became of the rows of an import",
                scope=READ,
                path_parameters=PATH_ID,
                query=VerdictQuery,
                answers={200: file_answer("A row for each verdict, numbers masked")},
            ),
        ]

    async def take(self, request: web.Request) -> web.Response:
        """Import the body. 202 when all of it is committed."""
        key = await self._access.key(request, WRITE)
        query = self._query.read(request)
        form = form_of(request)
        given = request.headers.getall(HEADER, ())
        request_key = idempotency_key(given) if given else None
        reader = rows_of(form == CSV, SuppressionRow, lists=LISTS)
        body = _rows(request, reader)
        first: _Slice = await anext(body, [])  # a header that is wrong: nothing is begun
        wish = ImportWish(
            format=form,
            dry_run=query.dry_run,
            parameters={
                "category": query.category, "reason": query.reason, "taken_back": query.taken_back,
            },
            request_key=request_key,
            ignored=[name for name in reader.columns if name in PASSED_OVER],
        )  # fmt: skip
        bring_back = query.taken_back == "add"
        with _as_problems():
            run = await self._services.imports.begin(
                key.account, f"key {key.id}", wish, bring_back=bring_back
            )
        check = RowCheck(query.category, query.reason, self._numbers, self._services.wall_ms)
        intake = _Intake(run, check, self._services.monotonic)
        try:
            with _as_problems():
                await intake.all(first, body)
        finally:
            run.over()
        view = await self._services.imports.view(key.account, run.id)
        assert view is not None
        headers = {"Location": f"/v1/suppressions/imports/{format_id(PREFIX, run.id)}"}
        if run.done:
            headers[REPLAYED] = "true"
        return json_response(resource_of(view), status=202, headers=headers)

    async def listed(self, request: web.Request) -> web.Response:
        """A page of imports, the latest first."""
        key = await self._access.key(request, READ)
        page = self._services.cursors.page(request, key.account, self._list_query.read(request))
        found = await self._services.imports.listed(
            key.account, before=int(page.after[0]) if page.after else None, limit=page.limit + 1
        )
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = ImportList([resource_of(view) for view in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def get(self, request: web.Request) -> web.Response:
        """How far one import is."""
        key = await self._access.key(request, READ)
        return json_response(resource_of(await self._view(request, key.account)))

    async def verdicts(self, request: web.Request) -> web.Response:
        """A stream of verdicts."""
        key = await self._access.key(request, READ)
        query = self._verdict_query.read(request)
        view = await self._view(request, key.account)

        async def rows() -> AsyncIterator[list[RowVerdict]]:
            found = self._services.imports.verdicts(view.id, every=query.rows == "all")
            async for verdicts in found:
                yield [RowVerdict(*verdict) for verdict in verdicts]

        return await stream(query.format, RowVerdict, rows())

    async def _view(self, request: web.Request, account: int) -> ImportView:
        view = await self._services.imports.view(account, path_id(request, PREFIX, "import"))
        if view is None:
            raise not_found("import")
        return view


class _Intake:
    """The rows of one body on their way into steps."""

    def __init__(self, run: ImportRun, check: RowCheck, monotonic: Callable[[], float]) -> None:
        self._run = run
        self._check = check
        self._monotonic = monotonic
        self._rows = 0
        self._waiting: list[Row] = []
        self._digest = run.digest_done
        self._stepped_at = monotonic()

    async def all(self, first: _Slice, rest: AsyncIterator[_Slice]) -> None:
        """Commit what comes, to the end. An end that comes too early is put on record."""
        try:
            await self._slice(first)
            async for each in rest:
                await self._slice(each)
            await self._step()
            if self._rows < self._run.rows_done:
                raise ImportRefused("other")
            await self._run.finish()
        except BaseException as error:
            with contextlib.suppress(StorageDown, ImportRefused):
                await self._run.interrupt(_why(error))
            raise

    async def _slice(self, rows: _Slice) -> None:
        run = self._run
        for row in rows:
            self._rows += 1
            if self._rows > ROWS_MAX:
                name = format_id(PREFIX, run.id)
                raise ProblemError("rows_max", f"{name} has the first {ROWS_MAX} rows, and no more")
            if self._rows > run.rows_done and not run.done:
                self._waiting.append(self._check.checked(row))
                self._digest = row.digest
            elif self._rows > run.rows_done or (
                self._rows == run.rows_done and row.digest != run.digest_done
            ):
                raise ImportRefused("other")
        if (
            len(self._waiting) >= STEP_ROWS
            or self._monotonic() - self._stepped_at >= STEP_SECONDS_MAX
        ):
            await self._step()
        await asyncio.sleep(0)

    async def _step(self) -> None:
        self._stepped_at = self._monotonic()
        if self._waiting:
            await self._run.step(self._waiting, self._digest)
            self._waiting = []


async def _rows(request: web.Request, reader: FileRows[SuppressionRow]) -> AsyncIterator[_Slice]:
    """The rows of a body in slices, each as soon as it is there."""
    rows: _Slice = []
    async for piece in pieces(request):
        for row in reader.feed(piece):
            rows.append(row)
            if len(rows) == SLICE_ROWS:
                yield rows
                rows = []
        if rows:
            yield rows
            rows = []
    for row in reader.close():
        rows.append(row)
    if rows:
        yield rows


def _why(error: BaseException) -> str:
    if isinstance(error, ProblemError):
        return _WHY.get(error.code, "cut_off")
    if isinstance(error, StorageDown):
        return "storage"
    if isinstance(error, (ConnectionError, web.RequestPayloadError)):
        return "cut_off"
    return "stopped"


@contextlib.contextmanager
def _as_problems() -> Iterator[None]:
    """ImportRefused as the problem for its request."""
    try:
        yield
    except ImportRefused as refused:
        if refused.why == "running":
            raise ProblemError(
                "idempotency_in_progress",
                "a request with this key is being imported",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None
        raise ProblemError(
            "idempotency_key_reused", "the key was used for another file, or other parameters"
        ) from None


def resource_of(view: ImportView) -> ImportResource:
    """An import as the API shows it."""
    return ImportResource(
        id=format_id(PREFIX, view.id),
        state=view.state,
        detail=view.detail,
        format=view.format,
        dry_run=view.dry_run,
        rows=view.rows_read,
        added=view.added,
        existing=view.existing,
        refused=view.refused,
        refused_by=view.refused_by,
        columns_ignored=view.ignored,
        created_at=view.created_at,
        updated_at=view.touched_at,
        finished_at=view.finished_at,
    )
