"""Higher priority first, first come first served in a band, and nobody waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from dispatch.queue.priority_bands import BANDS, PASSES_MAX, PriorityBands, band_of


class Item(Struct, eq=False):
    priority: int
    number: int
    cost: int = 1


@given(st.lists(st.one_of(st.integers(0, 9), st.none()), max_size=80))
def test_each_comes_once_in_the_order_of_its_band_and_oldest_is_told(
    steps: list[int | None],
) -> None:
    """None takes one; a number is the priority of one that comes."""
    bands: PriorityBands[Item] = PriorityBands()
    waiting: list[Item] = []
    passed = 0
    for number, step in enumerate(steps):
        if step is not None:
            waiting.append(Item(step, number))
            bands.append(waiting[-1], number)
        elif waiting:
            item, since = bands.popleft()
            assert since == item.number
            present = sorted({band_of(each.priority) for each in waiting})
            band = band_of(item.priority)
            assert band == (present[-1] if passed >= PASSES_MAX else present[0])
            passed = passed + 1 if band != present[-1] else 0
            assert item is next(each for each in waiting if band_of(each.priority) == band)
            waiting.remove(item)
        assert bool(bands) == bool(waiting)
        if waiting:
            assert bands.oldest() == waiting[0].number
        assert set(bands) == set(waiting)


def test_a_steady_stream_of_urgent_messages_starves_nobody() -> None:
    bands: PriorityBands[Item] = PriorityBands()
    for number in range(10):
        bands.append(Item(9, number), 0)
    taken: list[int] = []
    while 9 in [item.priority for item in bands]:
        bands.append(Item(0, 0), 0)
        taken.append(bands.popleft()[0].priority)
    assert len(taken) <= 10 * (PASSES_MAX + 1) + 1


def test_the_bands_are_those_of_the_backlog() -> None:
    assert [band_of(priority) for priority in range(10)] == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert BANDS == 3
