"""Ids: order, layout, uniqueness whatever the clock does, and the text form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.ids import (
    EPOCH,
    EPOCH_UNIX_MS,
    ID_MAX,
    IdSource,
    format_id,
    id_at,
    parse_id,
    time_of,
    unix_ms_of,
)

UNIX = datetime(1970, 1, 1, tzinfo=UTC)

ids = st.integers(0, ID_MAX)


class Clock:
    def __init__(self, ms: int) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return EPOCH_UNIX_MS + self.ms


def test_layout_is_milliseconds_node_sequence() -> None:
    source = IdSource(5, Clock(7))
    assert source.next() == 7 << 22 | 5 << 14 | 0
    assert source.next() == 7 << 22 | 5 << 14 | 1


@given(
    node=st.integers(0, 255),
    steps=st.lists(
        st.tuples(st.integers(-10_000, 10_000), st.integers(0, 40), st.booleans()), max_size=30
    ),
)
def test_ids_only_grow_whatever_the_clock_does(
    node: int, steps: list[tuple[int, int, bool]]
) -> None:
    clock = Clock(1_000_000)
    source = IdSource(node, clock)
    made: list[int] = []
    for shift, count, together in steps:
        clock.ms += shift
        made += source.take(count) if together else [source.next() for _ in range(count)]
    assert all(earlier < later for earlier, later in pairwise(made))
    assert {identifier >> 14 & 255 for identifier in made} <= {node}


def test_a_full_millisecond_borrows_from_the_next() -> None:
    source = IdSource(0, Clock(100))
    made = source.take((1 << 14) + 1)
    assert made[-2] == 100 << 22 | (1 << 14) - 1
    assert made[-1] == 101 << 22
    assert source.next() == 101 << 22 | 1


def test_sources_of_two_nodes_never_meet() -> None:
    clock = Clock(3)
    assert not set(IdSource(1, clock).take(20_000)) & set(IdSource(2, clock).take(20_000))


@pytest.mark.parametrize("node", [-1, 256])
def test_a_node_outside_its_bits_is_refused(node: int) -> None:
    with pytest.raises(ValueError, match="node"):
        IdSource(node, Clock(0))


@given(
    st.datetimes(datetime(2024, 1, 1), datetime(2090, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    st.integers(-14, 14),
)
def test_id_at_is_the_lowest_id_of_its_millisecond(naive: datetime, hours: int) -> None:
    moment = naive.replace(tzinfo=UTC).astimezone(timezone(timedelta(hours=hours)))
    lowest = id_at(moment)
    assert timedelta() <= moment - time_of(lowest) < timedelta(milliseconds=1)
    assert lowest == 0 or time_of(lowest - 1) < time_of(lowest)
    assert time_of(lowest | (1 << 22) - 1) == time_of(lowest)
    assert unix_ms_of(lowest | 1) * timedelta(milliseconds=1) == time_of(lowest) - UNIX


def test_outside_the_time_of_ids_everything_is_the_first_or_the_last() -> None:
    assert id_at(EPOCH - timedelta(days=1)) == 0 == id_at(EPOCH)
    assert (
        id_at(datetime(2094, 1, 1, tzinfo=UTC)) == ID_MAX == id_at(datetime.max.replace(tzinfo=UTC))
    )


@given(ids)
def test_text_form_round_trips(identifier: int) -> None:
    text = format_id("msg", identifier)
    assert len(text) == len("msg_") + 13
    assert parse_id("msg", text) == identifier


@given(ids, ids)
def test_text_form_keeps_the_order(one: int, other: int) -> None:
    assert (format_id("msg", one) < format_id("msg", other)) == (one < other)


def test_text_form_is_crockford_base32() -> None:
    assert format_id("msg", 31) == "msg_000000000000z"
    assert format_id("msg", 32) == "msg_0000000000010"
    assert format_id("bat", ID_MAX) == "bat_7zzzzzzzzzzzz"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "msg_",
        "msg",
        "0000000000000",
        "bat_0000000000000",
        "msg_000000000000",  # too short
        "msg_00000000000000",  # too long
        "msg_8000000000000",  # 64 bits
        "msg_000000000000u",  # not in the alphabet
        "msg_000000000000A",
        "msg_000000000000 ",
        "msg_0000000000000\n",
        "msg_٠٠٠٠٠٠٠٠٠٠٠٠٠",  # digits to int(), not to us
    ],
)
def test_anything_else_is_not_an_id(text: str) -> None:
    with pytest.raises(ValueError, match="expected an id like msg_0"):
        parse_id("msg", text)


@pytest.mark.parametrize("identifier", [-1, 1 << 63])
def test_only_63_bits_are_written(identifier: int) -> None:
    with pytest.raises(ValueError, match="63 bits"):
        format_id("msg", identifier)


@given(st.text(max_size=20))
def test_any_text_parses_or_is_a_value_error(text: str) -> None:
    try:
        identifier = parse_id("msg", f"msg_{text}")
    except ValueError:
        return
    assert format_id("msg", identifier) == f"msg_{text}"


def test_a_clock_that_was_set_back_across_a_restart_repeats_no_id() -> None:
    before = IdSource(3, lambda: 1_800_000_000_000)
    highest = before.take(40)[-1]
    after = IdSource(3, lambda: 1_700_000_000_000, above=highest)
    assert after.next() > highest
    assert min(after.take(3)) > highest
