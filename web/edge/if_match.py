"""`If-Match`: a change is made to the version that its author has seen, or not at all.

Owns the header, its refusals and the ETag of an answer. Must not know what has versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from aiohttp import web
from msgspec import Meta

from web.edge.problems import ProblemError

HEADER = "If-Match"
MISSING = "if_match_missing"
DIFFERS = "version_conflict"
PROBLEMS = (MISSING, DIFFERS)
REQUEST_HEADERS: Mapping[str, object] = MappingProxyType(
    {
        HEADER: Annotated[
            str | None,
            Meta(
                description="The ETag that was seen: its `version` in quotes. A change wants it.",
                examples=['"3"'],
            ),
        ]
    }
)
MAY: Mapping[str, object] = MappingProxyType(
    {
        HEADER: Annotated[
            str | None,
            Meta(
                description="The ETag that was seen: what has changed since is left alone, by 412.",
                examples=['"3"'],
            ),
        ]
    }
)
ANSWER_HEADERS: Mapping[str, str] = MappingProxyType({"ETag": "The version, for `If-Match`."})
_TAG = re.compile(r'"(\d{1,9})"')


def etag(version: int) -> dict[str, str]:
    """The header of an answer that shows this version."""
    return {"ETag": f'"{version}"'}


def seen_version(request: web.Request) -> int | None:
    """The version that the client has seen; None: it says none. Raises ProblemError 412 for what
    is no ETag of ours.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    tag = _TAG.fullmatch(given.strip())
    if tag is None:
        raise ProblemError(DIFFERS, 'If-Match names no version: one is written as "3", in quotes')
    return int(tag[1])


def demanded_version(request: web.Request) -> int:
    """As `seen_version`, and raises ProblemError 428 where there is none."""
    version = seen_version(request)
    if version is None:
        raise ProblemError(MISSING, "say in If-Match which version is to be changed")
    return version


def differs(version: int) -> ProblemError:
    """412: somebody else has changed it."""
    return ProblemError(DIFFERS, f"it stands at version {version}", headers=etag(version))
