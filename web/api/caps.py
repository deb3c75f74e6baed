"""The endpoints for caps by group: make, see, change, end.

Owns their shapes and answers. Must not store (campaigns/caps/desk.py), nor cap anybody.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from campaigns.caps.desk import (
    CAPS_MAX,
    PREFIX,
    CapActor,
    CapDiffers,
    GroupTaken,
    GroupUnknown,
    NoLimit,
    TooManyCaps,
)
from campaigns.caps.store import Group, Limits, StoredCap
from messages.body_faults import Mended
from messages.models import FieldError
from storage.ids import format_id
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import decoded, given, not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.idempotent import (
    REPEAT_PROBLEMS,
    REQUEST_HEADERS,
    Claim,
    IdempotentRequests,
)
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.services import Services

READ = "campaigns:read"
WRITE = "campaigns:write"
PATH = "/v1/caps"
ONE = PATH + "/{id}"
WHAT = "cap"
CapId = Annotated[str, Meta(description="The cap's id.", examples=["cap_0NX25TC8G2000"])]
IN_PATH = {"id": CapId}
_EXAMPLE = {"tag": "vip", "week": 3, "month": 8}
_GROUPS, _SPANS = ("tag", "segment"), ("day", "week", "month")

_Limit = Annotated[int, Meta(ge=0, le=1000, description="Marketing messages; 0: none.")]
_Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00]*\Z")]


class CapRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A cap for those with a tag, or in a saved segment: name one of the two."""

    tag: Annotated[_Name | None, Meta(description="A tag that contacts have.")] = None
    segment: Annotated[_Name | None, Meta(description="The name of a saved segment.")] = None
    day: Annotated[_Limit | None, Meta(description="In 24 hours; null: any.")] = None
    week: Annotated[_Limit | None, Meta(description="In 7 days; null: any.")] = None
    month: Annotated[_Limit | None, Meta(description="In 30 days; null: any.")] = None


class CapPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Limits that are to be different; null: any number. What is not given stays."""

    day: _Limit | UnsetType | None = UNSET
    week: _Limit | UnsetType | None = UNSET
    month: _Limit | UnsetType | None = UNSET


class CapResource(msgspec.Struct, kw_only=True):
    """A cap as it stands. Spans roll, as those of the account's own caps do.

    The contacts of a segment are read every minute or so; null: not yet. Those with a tag are
    asked each time.
    """

    id: str
    object: str = "cap"
    tag: str | None
    segment: str | None
    day: int | None
    week: int | None
    month: int | None
    version: int
    changed_at: datetime
    members: Annotated[int | None, Meta(description="Contacts in the segment.")]
    members_at: Annotated[datetime | None, Meta(description="When they were read.")]
    fault: Annotated[
        str | None, Meta(description="Why they could not be read since; those before stay.")
    ]


class CapList(msgspec.Struct):
    """All caps of the account, the oldest first."""

    data: list[CapResource]


class CapsApi:
    """Handlers of /v1/caps."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._caps = services.caps
        self._access = access
        self._bodies = bodies
        self._idempotent = IdempotentRequests(services.idempotency)
        self._new = msgspec.json.Decoder(CapRequest)
        self._patch = msgspec.json.Decoder(CapPatch)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="The account's caps by group",
                scope=READ,
                answers={200: CapList},
            ),
            Endpoint(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Cap the marketing that a group gets",
                description="It holds beside the account's own caps: the strictest of all does.",
                scope=WRITE,
                request=CapRequest,
                answers={
                    201: Answer(
                        CapResource, headers={"Location": "The cap.", **if_match.ANSWER_HEADERS}
                    )
                },
                headers=REQUEST_HEADERS,
                problems=(
                    "cap_invalid", "group_unknown", "group_capped", "caps_max", *REPEAT_PROBLEMS,
                ),
                example=_EXAMPLE,
            ),
            *self._of_one(),
        ]  # fmt: skip

    def _of_one(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="One cap as it stands",
                scope=READ,
                path_parameters=IN_PATH,
                answers={200: Answer(CapResource, headers=if_match.ANSWER_HEADERS)},
            ),
            Endpoint(
                method="PATCH",
                path=ONE,
                handler=self.change,
                summary="Change what a group gets",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=CapPatch,
                headers=if_match.REQUEST_HEADERS,
                answers={200: Answer(CapResource, headers=if_match.ANSWER_HEADERS)},
                problems=("cap_invalid", *if_match.PROBLEMS),
                example={"week": 2},
            ),
            Endpoint(
                method="DELETE",
                path=ONE,
                handler=self.delete,
                summary="End a cap",
                scope=WRITE,
                path_parameters=IN_PATH,
                headers=if_match.REQUEST_HEADERS,
                answers={204: Answer(None, "It has ended", content_type=None)},
                problems=(if_match.DIFFERS,),
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """The oldest first."""
        key = await self._access.key(request, READ)
        found = await self._caps.listed(key.account)
        return json_response(CapList([_resource(each) for each in found]))

    async def create(self, request: web.Request) -> web.Response:
        """201 once it is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create(key, body, claim)
        )

    async def _create(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        asked = _checked(read_body(CapRequest, self._new, body))
        cap = self._caps.new_id() if claimed is None else claimed.ids[0]
        group = Group(tag=asked.tag, segment=asked.segment)
        limits = Limits(day=asked.day, week=asked.week, month=asked.month)
        try:
            stored = await self._caps.create(_actor(key), cap, group, limits)
        except _REFUSALS as refused:
            raise _problem(refused, group) from None
        return _shown(stored, 201, {"Location": f"{PATH}/{format_id(PREFIX, stored.id)}"})

    async def one(self, request: web.Request) -> web.Response:
        """As it stands."""
        key = await self._access.key(request, READ)
        found = await self._caps.one(key.account, path_id(request, PREFIX, WHAT))
        if found is None:
            raise not_found(WHAT)
        return _shown(found)

    async def change(self, request: web.Request) -> web.Response:
        """What is named, at once, or nothing."""
        key = await self._access.key(request, WRITE)
        asked = decoded(CapPatch, self._patch, await self._bodies.read(request))
        version = if_match.demanded_version(request)
        cap = path_id(request, PREFIX, WHAT)
        try:
            changed = await self._caps.change(_actor(key), cap, version, given(asked))
        except _REFUSALS as refused:
            raise _problem(refused, Group()) from None
        if changed is None:
            raise not_found(WHAT)
        return _shown(changed)

    async def delete(self, request: web.Request) -> web.Response:
        """204 once it has ended."""
        key = await self._access.key(request, WRITE)
        version = if_match.seen_version(request)
        cap = path_id(request, PREFIX, WHAT)
        try:
            ended = await self._caps.delete(_actor(key), cap, version)
        except CapDiffers as refused:
            raise if_match.differs(refused.version) from None
        if not ended:
            raise not_found(WHAT)
        return web.Response(status=204)


def _checked(read: Mended[CapRequest]) -> CapRequest:
    """Raises ProblemError with everything that is wrong with it."""
    asked, faults = read.body, read.faults
    if asked is None:
        raise refusal(faults)
    named = [name for name in _GROUPS if getattr(asked, name) is not None]
    if len(named) != 1 and faults.spoiled.isdisjoint(_GROUPS):
        detail = "name a tag or a segment, and not both"
        faults.append(FieldError("cap_invalid", detail, "/tag"))
    spans = [name for name in _SPANS if getattr(asked, name) is not None]
    if not spans and faults.spoiled.isdisjoint(_SPANS):
        faults.append(_no_limit())
    if faults:
        raise refusal(faults)
    return asked


def _no_limit() -> FieldError:
    return FieldError("cap_invalid", "it caps nothing: name day, week or month", "/week")


_Refusal = GroupUnknown | GroupTaken | NoLimit | TooManyCaps | CapDiffers
_REFUSALS = (GroupUnknown, GroupTaken, NoLimit, TooManyCaps, CapDiffers)


def _problem(refused: _Refusal, group: Group) -> ProblemError:
    where = "/segment" if group.tag is None else "/tag"
    match refused:
        case GroupUnknown():
            detail = "this account has no such tag or segment"
            return refusal(FieldError("group_unknown", detail, where))
        case GroupTaken():
            detail = "there is a cap for this group"
            return refusal(FieldError("group_capped", detail, where))
        case NoLimit():
            return refusal(_no_limit())
        case TooManyCaps():
            return ProblemError("caps_max", f"an account has at most {CAPS_MAX} caps")
        case CapDiffers():
            return if_match.differs(refused.version)


def _actor(key: StoredKey) -> CapActor:
    return CapActor(key.account, f"key {key.id}")


def _resource(stored: StoredCap) -> CapResource:
    return CapResource(
        id=format_id(PREFIX, stored.id),
        tag=stored.group.tag,
        segment=stored.group.segment,
        day=stored.limits.day,
        week=stored.limits.week,
        month=stored.limits.month,
        version=stored.version,
        changed_at=stored.changed_at,
        members=stored.members,
        members_at=stored.members_at,
        fault=stored.fault,
    )


def _shown(
    stored: StoredCap, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    fields = {**if_match.etag(stored.version), **(headers or {})}
    return json_response(_resource(stored), status=status, headers=fields)
