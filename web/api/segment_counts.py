"""The endpoints that say who is in a segment: previews, and members of static ones.

Owns their answers. Must not know the language (campaigns/segments).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web

from campaigns.segments.desk import PREFIX, VersionDiffers, WrongKind
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.previews import Preview, SegmentTooSlow
from campaigns.segments.shelf import Called, Counted, StoredSegment
from messages.models import FieldError
from storage.ids import format_id, parse_id
from web.api.segment_shapes import (
    CONTACT,
    MEMBERS_MAX,
    MemberName,
    MemberPage,
    MemberResource,
    MembersAnswer,
    MembersRequest,
    PreviewRequest,
    PreviewResource,
    SavedPreviewRequest,
    faults_of,
    preview_resource,
)
from web.api.segments import IN_PATH, ONE, PATH, READ, SOURCE_PROBLEMS, WHAT, WRITE, actor, problem
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import decoded, not_found, path_id, refusal
from web.edge.bodies import BodyReader
from web.edge.cursors import PageQuery
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services

_MEMBERS = f"{ONE}/members"
_PREVIEW_PROBLEMS = (*SOURCE_PROBLEMS, "segment_too_slow")
_ADDED = {"add": [{"external_id": "u-1042"}, {"contact": "con_0NX25TC8G2000"}]}


class SegmentCountsApi:
    """Handlers of /v1/segments/preview, and of a segment's preview and members."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._segments = services.segments.book
        self._counter = services.segments.counter
        self._access = access
        self._bodies = bodies
        self._query = QueryReader(PageQuery)
        self._preview = msgspec.json.Decoder(PreviewRequest)
        self._saved = msgspec.json.Decoder(SavedPreviewRequest)
        self._named = msgspec.json.Decoder(MembersRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path=f"{PATH}/preview",
                handler=self.preview,
                summary="Count an expression",
                description="How many contacts are in it as of now, some of them, and how many "
                "lack what it asks about. Nothing is stored.",
                scope=READ,
                request=PreviewRequest,
                answers={200: PreviewResource},
                problems=_PREVIEW_PROBLEMS,
                example={"source": "days_since(login) >= 90"},
            ),
            Endpoint(
                method="POST",
                path=f"{ONE}/preview",
                handler=self.preview_saved,
                summary="Count a segment",
                description="What was counted is kept with the segment, with `today` and `now`.",
                scope=READ,
                path_parameters=IN_PATH,
                request=SavedPreviewRequest,
                request_optional=True,
                headers=if_match.MAY,
                answers={200: PreviewResource},
                problems=(*_PREVIEW_PROBLEMS, if_match.DIFFERS),
                example={"sample": 5},
            ),
            *self._of_members(),
        ]

    def _of_members(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=_MEMBERS,
                handler=self.members,
                summary="Who is in a static segment",
                scope=READ,
                path_parameters=IN_PATH,
                query=PageQuery,
                answers={
                    200: Answer(MemberPage, headers={"Link": "The next page, if there is one."})
                },
            ),
            Endpoint(
                method="POST",
                path=_MEMBERS,
                handler=self.change_members,
                summary="Add and remove members of a static segment",
                description="Whom the account does not know is told, and stops nobody else.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=MembersRequest,
                headers=if_match.MAY,
                answers={200: MembersAnswer},
                problems=("segment_wrong_kind", "batch_size", "member_invalid", if_match.DIFFERS),
                example=_ADDED,
            ),
        ]

    async def preview(self, request: web.Request) -> web.Response:
        """Counted now."""
        key = await self._access.key(request, READ)
        asked = decoded(PreviewRequest, self._preview, await self._bodies.read(request))
        found = await self._counted(key.account, asked.source, asked.sample, None)
        return json_response(preview_resource(asked.source, found))

    async def preview_saved(self, request: web.Request) -> web.Response:
        """Counted now, and kept."""
        key = await self._access.key(request, READ)
        asked = SavedPreviewRequest()
        if request.can_read_body:
            asked = decoded(SavedPreviewRequest, self._saved, await self._bodies.read(request))
        seen = if_match.seen_version(request)
        segment = await self._segments.one(key.account, path_id(request, PREFIX, WHAT))
        if segment is None:
            raise not_found(WHAT)
        if seen not in (None, segment.version):
            raise if_match.differs(segment.version)
        source, itself = _source(segment)
        found = await self._counted(key.account, source, asked.sample, itself)
        counted = Counted(
            version=segment.version,
            contacts=found.contacts,
            inside=found.inside,
            now=found.moment.now,
            today=found.moment.today,
            zone=found.moment.zone,
        )
        await self._segments.keep_count(segment.id, counted)
        return json_response(preview_resource(source, found))

    async def members(self, request: web.Request) -> web.Response:
        """By their ids."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        segment_id = path_id(request, PREFIX, WHAT)
        after = int(page.after[0]) if page.after else 0
        found = await self._segments.members(
            key.account, segment_id, after=after, limit=page.limit + 1
        )
        if found is None:
            raise not_found(WHAT)
        kept, next_cursor = page.cut(found, lambda member: (member.contact,))
        listed = [
            MemberResource(contact=format_id(CONTACT, each.contact), external_id=each.external_id)
            for each in kept
        ]
        answer = MemberPage(listed, next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def change_members(self, request: web.Request) -> web.Response:
        """200 once it is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        asked = decoded(MembersRequest, self._named, body, bytes_max=None)
        members = len(asked.add) + len(asked.remove)
        if not 1 <= members <= MEMBERS_MAX:
            detail = f"{members} members; a request has 1 to {MEMBERS_MAX}"
            raise refusal(FieldError("batch_size", detail, "/add"))
        faults: list[FieldError] = []
        add = _called(asked.add, "add", faults)
        remove = _called(asked.remove, "remove", faults)
        if faults:
            raise refusal(faults)
        segment_id = path_id(request, PREFIX, WHAT)
        try:
            done = await self._segments.change_members(
                actor(key), segment_id, add, remove, if_match.seen_version(request)
            )
        except (WrongKind, VersionDiffers) as refused:
            raise problem(refused) from None
        if done is None:
            raise not_found(WHAT)
        unknown = [
            f"/add/{place}" if place < len(add) else f"/remove/{place - len(add)}"
            for place in done.unknown
        ]
        answer = MembersAnswer(added=done.added, removed=done.removed, unknown=unknown)
        return json_response(answer)

    async def _counted(self, account: int, source: str, sample: int, itself: str | None) -> Preview:
        try:
            return await self._counter.preview(account, source, sample=sample, itself=itself)
        except SegmentRefused as refused:
            raise refusal(faults_of(refused)) from None
        except SegmentTooSlow:
            detail = "the database gave up on counting it"
            raise ProblemError("segment_too_slow", detail) from None


def _source(segment: StoredSegment) -> tuple[str, str | None]:
    """What is to be counted, and whose source it is. Of a static one a reference to it."""
    if segment.source is not None:
        return segment.source, segment.name
    escaped = segment.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'segment("{escaped}")', None


def _called(members: Sequence[MemberName], field: str, faults: list[FieldError]) -> list[Called]:
    """Whom they mean. A contact that is no id names nobody, and is unknown."""
    called: list[Called] = []
    for place, member in enumerate(members):
        if (member.contact is None) == (member.external_id is None):
            detail = "name a contact or an external_id, and not both"
            faults.append(FieldError("member_invalid", detail, f"/{field}/{place}"))
        called.append(Called(_id(member.contact), member.external_id))
    return called


def _id(contact: str | None) -> int | None:
    try:
        return None if contact is None else parse_id(CONTACT, contact)
    except ValueError:
        return None
