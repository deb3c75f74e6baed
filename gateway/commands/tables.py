"""Tables of text, as commands print them, and text of others that a terminal must not obey.

Owns the widths of columns. Must not know what stands in them, nor cut anything: a terminal that is
too narrow wraps the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

# Control characters, and those that turn the direction of what follows.
_OBEYED: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def plain(text: str) -> str:
    """The text with what a terminal would obey written out, as in `\\x1b`: it stays one line."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of rows of equal length, each column as wide as its widest cell."""
    rows = [[plain(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def rate_line(rate: dict[str, float | int | None]) -> str:
    """A rate of the API: its value with its bounds, and of how many."""
    value, low, high = rate["value"], rate["low"], rate["high"]
    if value is None or low is None or high is None:
        return "-"
    return f"{value:.1%} ({low:.1%} to {high:.1%} of {rate['denominator']})"
