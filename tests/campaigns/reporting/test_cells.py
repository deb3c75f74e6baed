"""Cells: added up, never less than before, and told apart only where nobody is known by it."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from campaigns.reporting.cells import (
    GROUP_MIN,
    LASTING,
    OTHERS,
    CellKey,
    Cells,
    Sums,
    lasting,
    told_apart,
    total_of,
)


def key(hour: int = 0, *, segments: int = 0) -> CellKey:
    return CellKey(batch=1, version=1, arm=0, operator=0, segments=segments, hour=hour)


def sums(accepted: int, **counts: int) -> Sums:
    return Sums(Counter(accepted=accepted, **counts))


def by_hour(cell: CellKey) -> list[str | None]:
    return [str(cell.hour)]


def by_segment(cell: CellKey) -> list[str | None]:
    return [name for bit, name in enumerate("abc") if cell.segments >> bit & 1] or [None]


def test_groups_of_fewer_than_ten_are_told_as_one() -> None:
    cells = {key(1): sums(40), key(2): sums(6), key(3): sums(7), key(4): sums(10)}
    groups, merged = told_apart(cells, by_hour)
    assert {name: group.counts["accepted"] for name, group in groups.items()} == {
        "1": 40, "4": 10, OTHERS: 13,
    }  # fmt: skip
    assert merged == 2


def test_one_small_group_takes_the_next_one_with_it() -> None:
    """Else the total would tell of the small one."""
    cells = {key(1): sums(40), key(2): sums(6), key(4): sums(12)}
    groups, merged = told_apart(cells, by_hour)
    assert {name: group.counts["accepted"] for name, group in groups.items()} == {
        "1": 40, OTHERS: 18,
    }  # fmt: skip
    assert merged == 2


def test_whoever_is_in_two_small_segments_counts_once_among_the_others() -> None:
    cells = {key(segments=0b011): sums(9), key(segments=0b100): sums(20)}
    groups, _ = told_apart(cells, by_segment)
    assert {name: group.counts["accepted"] for name, group in groups.items()} == {OTHERS: 29}
    cells[key(1, segments=0b010)] = sums(5)
    groups, _ = told_apart(cells, by_segment)
    told = {name: group.counts["accepted"] for name, group in groups.items()}
    assert told == {"c": 20, OTHERS: 14}


def test_groups_that_tell_of_nobody_are_never_merged() -> None:
    groups, merged = told_apart({key(1): sums(1), key(2): sums(2)}, by_hour, least=0)
    assert (set(groups), merged) == ({"1", "2"}, 0)


@given(st.dictionaries(st.integers(0, 20), st.integers(1, 30), max_size=12))
def test_no_group_that_is_told_is_small_and_nobody_is_lost(sizes: dict[int, int]) -> None:
    cells: Cells = {key(hour): sums(size) for hour, size in sizes.items()}
    groups, _ = told_apart(cells, by_hour)
    told = [group.counts["accepted"] for group in groups.values()]
    assert sum(told) == sum(sizes.values()) == total_of(cells).counts["accepted"]
    assert all(size >= GROUP_MIN for size in told) or len(told) <= 1


def test_c36_what_people_did_never_becomes_less() -> None:
    """C36: whoever is erased counts on; what is judged anew may become less."""
    before = {key(): sums(10, replied=3, clicked=4), key(5): sums(1, recalled=1)}
    counted = lasting({key(): sums(10, replied=1, clicked=2, opted_out=2)}, before)
    assert counted[key()].counts["replied"] == 3
    assert counted[key()].counts["clicked"] == 2
    assert counted[key()].counts["opted_out"] == 2
    assert counted[key(5)].counts == Counter(recalled=1)
    assert "clicked" not in LASTING
