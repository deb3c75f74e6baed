"""How far the backlog of one connector and category was read, and where to read on.

Owns the order of the priority bands in a claim. Owns the stretches that a claim may read, around
batches that are stopped or have a rate of their own. Must not read rows. Pure.

Within a band the order is the index's: by unit (a batch, or a message without one), then by id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

BANDS = 3  # priorities 0-3, 4-6, 7-9: priority * 3 / 10 in SQL
# Which band a claim reads first. Of 13 claims two begin with the middle band and one with the last,
# so a steady stream of urgent messages never starves them.
FIRST_BAND = (0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 1, 0, 0)
UNIT_MAX = (1 << 63) - 1

Spans = tuple[list[int], list[int], list[int], list[int]]


class BacklogCursor:
    """The position of one connector and category in each band."""

    __slots__ = ("_positions", "_turn")

    def __init__(self) -> None:
        self._positions: list[tuple[int, int]] = [(0, 0)] * BANDS  # unit, id of the last one read
        self._turn = 0

    def rewind(self) -> None:
        """Read from the beginning again, since ids may be committed out of order."""
        self._positions = [(0, 0)] * BANDS

    def advance(self, read: Iterable[tuple[int, int, int]]) -> None:
        """Move on: these (band, unit, id) were taken, in this order."""
        for band, unit, message_id in read:
            self._positions[band] = (unit, message_id)

    def spans(self, stepped_over: Sequence[int] = ()) -> Spans:
        """The bands of the next claim, and for each stretch its first (unit, id) and the unit it
        ends before.

        `stepped_over` are batches, in ascending order.
        """
        first = FIRST_BAND[self._turn]
        self._turn = (self._turn + 1) % len(FIRST_BAND)
        spans: Spans = ([], [], [], [])
        for band in (first, *(other for other in range(BANDS) if other != first)):
            unit, message_id = self._positions[band]
            for batch in stepped_over:
                if batch > unit:
                    _append(spans, band, unit, message_id, batch)
                if batch >= unit:
                    unit, message_id = batch, UNIT_MAX
            _append(spans, band, unit, message_id, UNIT_MAX)
        return spans


def _append(spans: Spans, *values: int) -> None:
    for column, value in zip(spans, values, strict=True):
        column.append(value)
