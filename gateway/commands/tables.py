"""Tables of text, as commands print them.

Owns the widths of columns. Must not know what stands in them, nor cut anything: a terminal that is
too narrow wraps the line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of rows of equal length, each column as wide as its widest cell."""
    rows = list(rows)
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
