"""The stretches of a claim: all of the backlog but what is stepped over, and none of it twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dispatch.outbox.backlog_cursor import BANDS, FIRST_BAND, BacklogCursor, Spans

UNITS = st.integers(1, 30)


def read(spans: Spans, rows: list[tuple[int, int, int]], limit: int) -> list[tuple[int, int, int]]:
    """As the query does it."""
    found: list[tuple[int, int, int]] = []
    for band, unit, message_id, until in zip(*spans, strict=True):
        found += sorted(
            row
            for row in rows
            if row[0] == band and row[1:] > (unit, message_id) and row[1] < until
        )
    return found[:limit]


@given(
    st.lists(st.tuples(st.integers(0, BANDS - 1), UNITS, st.integers(1, 100)), unique=True),
    st.lists(UNITS, unique=True).map(sorted),
    st.integers(1, 7),
)
def test_everything_is_read_once_in_order_but_what_is_stepped_over(
    rows: list[tuple[int, int, int]], over: list[int], limit: int
) -> None:
    cursor = BacklogCursor()
    taken: list[tuple[int, int, int]] = []
    while found := read(cursor.spans(over), rows, limit):
        cursor.advance(found)
        taken += found
    wanted = sorted(row for row in rows if row[1] not in over)
    assert sorted(taken) == wanted
    for band in range(BANDS):
        assert [row for row in taken if row[0] == band] == [r for r in wanted if r[0] == band]
    cursor.rewind()
    assert len(read(cursor.spans(over), rows, len(rows) + 1)) == len(wanted)


def test_the_most_urgent_band_comes_first_and_no_band_starves() -> None:
    cursor = BacklogCursor()
    firsts = [cursor.spans()[0][0] for _ in range(len(FIRST_BAND))]
    assert [firsts.count(band) for band in range(BANDS)] == [10, 2, 1]
    assert all(set(cursor.spans()[0]) == set(range(BANDS)) for _ in range(3))
