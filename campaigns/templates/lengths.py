"""How long texts of a template become: at most, and over the people that it is rendered for.

Owns the bound and the spread. Must not count characters itself: the counting of the accepter is
handed in. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from campaigns.templates.content import Version
from campaigns.templates.rendering import Rendered, render_longest

BOUNDARY = "1"  # as much as what is never cut may leave unused at the end of a part


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A text as it would be sent, with all that the account adds. `units` as its alphabet counts.

    `forced_by`: characters that GSM 03.38 does not have, the first 20. `opt_out_link`: whether it
    ends with the link to the recipient's opt-out page. `fault`: why it cannot be sent.
    """

    text: str
    encoding: str
    parts: int
    units: int
    units_left: int
    forced_by: str = ""
    opt_out_link: bool = False
    fault: str | None = None


class Measure(Protocol):
    """Counts as the accepter does, for one account."""

    def __call__(self, rendered: Rendered, category: str, /) -> Measured:
        """Of one text. Never raises."""


class PartsSpread(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of many texts. `median`: half of them need no more."""

    least: int
    median: int
    most: int
    total: int


def longest(version: Version, measure: Measure) -> Measured:
    """What the longest text costs. No text of this version needs more parts.

    An emoji is never cut, and so may leave a character unused at the end of a part. Where there
    are values, a character more is counted for each of those ends.
    """
    category = version.content.category
    rendered = render_longest(version)
    most = measure(rendered, category)
    if not version.content.variables:
        return most
    parts, padded = 0, most
    while padded.parts > max(parts, 1):
        parts = padded.parts
        longer = msgspec.structs.replace(rendered, text=rendered.text + BOUNDARY * (parts - 1))
        padded = measure(longer, category)
    return msgspec.structs.replace(most, parts=max(most.parts, padded.parts))


def spread(counts: Mapping[int, int]) -> PartsSpread | None:
    """Of so many texts by their parts; None: of no text."""
    total = sum(counts.values())
    if not total:
        return None
    sizes = sorted(parts for parts, count in counts.items() if count)
    seen = 0
    median = sizes[-1]
    for parts in sizes:
        seen += counts[parts]
        if 2 * seen >= total:
            median = parts
            break
    return PartsSpread(
        least=sizes[0],
        median=median,
        most=sizes[-1],
        total=sum(parts * count for parts, count in counts.items()),
    )
