"""What the endpoints that change a campaign have in common.

Owns the form of `/v1/campaigns/{id}/<verb>`, and how a refusal is told. Must not change anything.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import msgspec
from aiohttp import web

from campaigns.running.desk import CampaignActor, CampaignRefused, RevisionDiffers
from campaigns.running.store import StoredCampaign
from campaigns.segments.mistakes import SegmentRefused
from messages.models import FieldError
from web.api.campaign_views import IN_PATH, ONE, WHAT, shown
from web.edge import if_match
from web.edge.arguments import not_found, read_body, refusal
from web.edge.endpoints import Endpoint, Handler
from web.edge.idempotent import REPEAT_PROBLEMS, REQUEST_HEADERS
from web.edge.keys import StoredKey
from web.edge.reveals import reason_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Asked = TypeVar("Asked", bound=msgspec.Struct)


def verb(
    name: str,
    handler: Handler,
    summary: str,
    scope: str,
    answer: type[msgspec.Struct],
    *,
    problems: tuple[str, ...],
    description: str = "",
    request: type[msgspec.Struct] | None = None,
    request_optional: bool = False,
    once: bool = False,
    example: dict[str, object] | None = None,
) -> Endpoint:
    """What is done to one campaign. `once`: under an Idempotency-Key."""
    return Endpoint(
        method="POST",
        path=f"{ONE}/{name}",
        handler=handler,
        summary=summary,
        description=description,
        scope=scope,
        path_parameters=IN_PATH,
        request=request,
        request_optional=request_optional,
        headers={**if_match.MAY, **(REQUEST_HEADERS if once else {})},
        answers={200: answer},
        problems=(*problems, if_match.DIFFERS, *(REPEAT_PROBLEMS if once else ())),
        example=example,
    )


def decoded_with_reason(
    kind: type[Asked], decoder: msgspec.json.Decoder[Asked], raw: bytes, name: str = "reason"
) -> Asked:
    """The body, whose field `name` is a reason that can be kept, or null. Raises ProblemError with
    all of its faults.
    """
    read = read_body(kind, decoder, raw)
    reason = getattr(read.body, name, None)
    if reason is not None and (fault := reason_fault(reason)) is not None:
        read.faults.append(FieldError("reason_invalid", fault, f"/{name}"))
    if read.body is None or read.faults:
        raise refusal(read.faults)
    return read.body


@contextmanager
def told() -> Iterator[None]:
    """What stands against a change, in the words of the API."""
    try:
        yield
    except CampaignRefused as refused:
        raise refusal(refused.faults) from None
    except RevisionDiffers as differs:
        raise if_match.differs(differs.revision) from None
    except SegmentRefused as refused:
        where = "/audience/segment"
        faults = [FieldError("segment_invalid", str(each), where) for each in refused.mistakes]
        raise refusal(faults) from None


def found(stored: StoredCampaign | None) -> web.Response:
    """The campaign as it stands. Raises ProblemError 404 where there is none."""
    if stored is None:
        raise not_found(WHAT)
    return shown(stored)


def actor(key: StoredKey, request: web.Request | None = None) -> CampaignActor:
    """Who asks, and what they have seen of the campaign. Raises ProblemError 412."""
    seen = None if request is None else if_match.seen_version(request)
    return CampaignActor(key.account, f"key {key.id}", seen)
