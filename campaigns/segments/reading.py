"""What the names in a segment stand for, read from the tables.

Owns these reads. Must not write, nor judge a source.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from campaigns.segments.checking import references
from campaigns.segments.limits import REFERENCES_DEEP_MAX
from campaigns.segments.names import Names, SavedSegment
from storage import sql
from storage.pool import Connection

_SQL: Final = sql.load("campaigns")


async def names_of(
    connection: Connection, account: int, source: str, *, itself: str | None = None
) -> Names:
    """All attributes and tags of the account, and the segments that the source leads to.

    `itself`: the name of the segment whose source this is. Raises SegmentRefused for a source that
    is too long.
    """
    segments: dict[str, SavedSegment] = {}
    asked = set(references(source))
    for _ in range(REFERENCES_DEEP_MAX):
        if not asked:
            break
        found = await connection.fetch(_SQL["segments_named"], account, sorted(asked))
        segments |= {row["name"]: SavedSegment(row["id"], row["source"]) for row in found}
        asked = {name for row in found for name in row["refers_to"]} - segments.keys()
    return await names_with(connection, account, segments, itself=itself)


async def names_with(
    connection: Connection,
    account: int,
    segments: Mapping[str, SavedSegment],
    *,
    itself: str | None = None,
) -> Names:
    """All attributes and tags of the account, and these segments."""
    attributes = await connection.fetch(_SQL["attribute_types"], account)
    tags = await connection.fetch(_SQL["tag_ids"], account)
    return Names(
        account=account,
        attributes={row["name"]: row["type"] for row in attributes},
        tags={row["name"]: row["id"] for row in tags},
        segments=segments,
        itself=itself,
    )
