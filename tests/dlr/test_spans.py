"""A span is cut so that each message is counted once, and no more is read than it needs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dlr.rollups.columns import QUARTERS_PER_DAY, quarter_of, quarter_of_id
from dlr.spans import NOTHING, Pieces, pieces_of, widened
from storage.ids import id_at

START = datetime(2026, 11, 1, tzinfo=UTC)
moments = st.integers(0, 5 * 24 * 60 * 60).map(lambda second: START + timedelta(seconds=second))


def told_by(pieces: Pieces, identifier: int, cursor: int) -> int:
    """How many pieces count the message with this id."""
    quarter = quarter_of_id(identifier)
    first, end = pieces.days
    rolled = identifier < cursor
    return (
        (rolled and first <= quarter // QUARTERS_PER_DAY < end)
        + sum(rolled and a <= quarter < b for a, b in pieces.quarters)
        + sum(a <= identifier < b for a, b in pieces.ids)
    )


@given(moments, moments, moments, st.lists(moments, min_size=20), st.booleans())
def test_g11_each_message_of_a_span_is_in_one_piece(
    since: datetime, until: datetime, merged: datetime, when: list[datetime], by_day: bool
) -> None:
    cursor = id_at(merged) + 12_345
    pieces = pieces_of(since, until, cursor, by_day=by_day)
    near = [
        moment for edge in (since, until, merged) for moment in (edge, edge - timedelta.resolution)
    ]
    for moment in [*when, *near]:
        for identifier in (id_at(moment), id_at(moment) + 12_344, id_at(moment) + 12_345):
            inside = id_at(since) <= identifier < id_at(until)
            assert told_by(pieces, identifier, cursor) == inside
    assert by_day or pieces.days == NOTHING


def test_whole_days_are_read_as_days_and_the_open_one_too() -> None:
    now = datetime(2026, 11, 5, 13, 20, tzinfo=UTC)
    cursor = id_at(now - timedelta(minutes=2))
    since = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    pieces = pieces_of(since, now, cursor, by_day=True)
    day = quarter_of(START) // QUARTERS_PER_DAY
    assert pieces.days == (day + 1, day + 5)
    assert pieces.quarters == ((quarter_of(since), (day + 1) * QUARTERS_PER_DAY),)
    assert pieces.edges == ()
    assert pieces.beyond == (cursor, id_at(now))


def test_a_span_within_one_quarter_is_counted_from_messages() -> None:
    since = datetime(2026, 11, 1, 6, 31, tzinfo=UTC)
    until = since + timedelta(minutes=5)
    cursor = id_at(until + timedelta(days=1))
    assert pieces_of(since, until, cursor, by_day=True).ids == [(id_at(since), id_at(until))]


@given(moments, moments)
def test_a_widened_span_needs_no_messages(since: datetime, until: datetime) -> None:
    wide = widened(since, until)
    assert wide[0] <= since
    assert until <= wide[1]
    assert not pieces_of(*wide, id_at(START + timedelta(days=9)), by_day=True).ids
