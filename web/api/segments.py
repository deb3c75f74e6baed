"""The endpoints for saved segments: make, see, change, end; and presets to begin with.

Owns their answers. Must not store (campaigns/segments/desk.py), nor count (segment_counts.py).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.segments.desk import (
    PREFIX,
    SEGMENTS_MAX,
    InUse,
    NameTaken,
    NewSegment,
    SegmentActor,
    TooManySegments,
    VersionDiffers,
    WrongKind,
)
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.presets import PRESETS
from campaigns.segments.shelf import StoredSegment
from messages.models import FieldError
from storage.ids import format_id
from web.api.segment_shapes import (
    PresetList,
    PresetResource,
    SegmentPage,
    SegmentPatch,
    SegmentRequest,
    SegmentResource,
    faults_of,
    resource,
)
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import decoded, given, not_found, path_id, refusal
from web.edge.bodies import BodyReader
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.idempotent import (
    REPEAT_PROBLEMS,
    REQUEST_HEADERS,
    Claim,
    IdempotentRequests,
)
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services

READ = "segments:read"
WRITE = "segments:write"
PATH = "/v1/segments"
ONE = PATH + "/{id}"
WHAT = "segment"
SOURCE_PROBLEMS = ("segment_invalid", "segment_too_complex")
SegmentId = Annotated[str, Meta(description="The segment's id.", examples=["seg_0NX25TC8G2000"])]
IN_PATH = {"id": SegmentId}
_EXAMPLE = {"name": "三个月未登录", "source": "days_since(login) >= 90", "note": "For win-back."}


class SegmentQuery(PageQuery, kw_only=True):
    """The account's segments."""

    name: Annotated[str | None, Meta(description="The one of this name only.")] = None


class SegmentsApi:
    """Handlers of /v1/segments."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._segments = services.segments.book
        self._access = access
        self._bodies = bodies
        self._idempotent = IdempotentRequests(services.idempotency)
        self._query = QueryReader(SegmentQuery)
        self._new = msgspec.json.Decoder(SegmentRequest)
        self._patch = msgspec.json.Decoder(SegmentPatch)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="The account's segments",
                scope=READ,
                query=SegmentQuery,
                answers={
                    200: Answer(SegmentPage, headers={"Link": "The next page, if there is one."})
                },
            ),
            Endpoint(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Make a segment",
                description="Every mistake in `source` is told with its `column`.",
                scope=WRITE,
                request=SegmentRequest,
                answers={
                    201: Answer(
                        SegmentResource,
                        headers={"Location": "The segment.", **if_match.ANSWER_HEADERS},
                    )
                },
                headers=REQUEST_HEADERS,
                problems=(
                    *SOURCE_PROBLEMS, "segment_name_taken", "segments_max", *REPEAT_PROBLEMS,
                ),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="GET",
                path=f"{PATH}/presets",
                handler=self.presets,
                summary="Segments to begin with",
                scope=READ,
                answers={200: PresetList},
            ),
            *self._of_one(),
        ]  # fmt: skip

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="One segment as it stands",
                scope=READ,
                path_parameters=IN_PATH,
                answers={200: Answer(SegmentResource, headers=if_match.ANSWER_HEADERS)},
            ),
            Endpoint(
                method="PATCH",
                path=ONE,
                handler=self.change,
                summary="Change a segment",
                description="Refused if another segment that refers to it would be wrong then.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=SegmentPatch,
                headers=if_match.REQUEST_HEADERS,
                answers={200: Answer(SegmentResource, headers=if_match.ANSWER_HEADERS)},
                problems=(
                    *SOURCE_PROBLEMS, "segment_name_taken", "segment_in_use", "segment_wrong_kind",
                    *if_match.PROBLEMS,
                ),
                example={"source": "days_since(login) >= 60"},
            ),
            Endpoint(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="End a segment, with its members",
                scope=WRITE,
                path_parameters=IN_PATH,
                headers=if_match.REQUEST_HEADERS,
                answers={204: Answer(None, "It has ended", content_type=None)},
                problems=("segment_in_use", if_match.DIFFERS),
            ),
        ]  # fmt: skip

    async def listed(self, request: web.Request) -> web.Response:
        """The oldest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        after = int(page.after[0]) if page.after else 0
        found = await self._segments.listed(
            key.account, after=after, limit=page.limit + 1, name=query.name
        )
        kept, next_cursor = page.cut(found, lambda segment: (segment.id,))
        answer = SegmentPage([resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def presets(self, request: web.Request) -> web.Response:
        """All of them."""
        await self._access.key(request, READ)
        listed = [PresetResource(**msgspec.structs.asdict(each)) for each in PRESETS]
        return json_response(PresetList(listed))

    async def create(self, request: web.Request) -> web.Response:
        """201 once it is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create(key, body, claim)
        )

    async def _create(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        asked = decoded(SegmentRequest, self._new, body)
        segment_id = self._segments.new_id() if claimed is None else claimed.ids[0]
        new = NewSegment(name=asked.name, source=asked.source, note=asked.note)
        try:
            stored = await self._segments.create(actor(key), segment_id, new)
        except _REFUSALS as refused:
            raise problem(refused) from None
        return _shown(stored, 201, {"Location": f"{PATH}/{format_id(PREFIX, stored.id)}"})

    async def one(self, request: web.Request) -> web.Response:
        """As it stands."""
        key = await self._access.key(request, READ)
        found = await self._segments.one(key.account, path_id(request, PREFIX, WHAT))
        if found is None:
            raise not_found(WHAT)
        return _shown(found)

    async def change(self, request: web.Request) -> web.Response:
        """What is named, at once, or nothing."""
        key = await self._access.key(request, WRITE)
        asked = decoded(SegmentPatch, self._patch, await self._bodies.read(request))
        version = if_match.demanded_version(request)
        segment_id = path_id(request, PREFIX, WHAT)
        try:
            changed = await self._segments.change(actor(key), segment_id, version, given(asked))
        except _REFUSALS as refused:
            raise problem(refused) from None
        if changed is None:
            raise not_found(WHAT)
        return _shown(changed)

    async def delete(self, request: web.Request) -> web.Response:
        """204 once it has ended."""
        key = await self._access.key(request, WRITE)
        version = if_match.seen_version(request)
        segment_id = path_id(request, PREFIX, WHAT)
        try:
            ended = await self._segments.delete(actor(key), segment_id, version)
        except _REFUSALS as refused:
            raise problem(refused) from None
        if not ended:
            raise not_found(WHAT)
        return web.Response(status=204)


_Refusal = SegmentRefused | NameTaken | TooManySegments | VersionDiffers | InUse | WrongKind
_REFUSALS = (SegmentRefused, NameTaken, TooManySegments, VersionDiffers, InUse, WrongKind)


def problem(refused: _Refusal) -> ProblemError:
    """What a client is told of it."""
    match refused:
        case SegmentRefused():
            return refusal(faults_of(refused))
        case NameTaken():
            detail = "the account has a segment of this name"
            return refusal(FieldError("segment_name_taken", detail, "/name"))
        case TooManySegments():
            detail = f"an account has at most {SEGMENTS_MAX} segments"
            return ProblemError("segments_max", detail)
        case VersionDiffers():
            return if_match.differs(refused.version)
        case InUse():
            return ProblemError("segment_in_use", str(refused))
        case WrongKind():
            detail = "a static segment has members and no source, another one a source alone"
            return ProblemError("segment_wrong_kind", detail)


def actor(key: StoredKey) -> SegmentActor:
    """Who asks."""
    return SegmentActor(key.account, f"key {key.id}")


def _shown(
    segment: StoredSegment, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    fields = {**if_match.etag(segment.version), **(headers or {})}
    return json_response(resource(segment), status=status, headers=fields)
