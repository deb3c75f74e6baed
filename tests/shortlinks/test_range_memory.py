"""Ranges in memory: each number leads where its row says, within both bounds, at one cost."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shortlinks.range_memory import LinkRange, RangeMemory, RangeRow

LATER = datetime(2030, 1, 1, tzinfo=UTC)
PLENTY = 1 << 40


def made(first_seq: int, messages: int) -> LinkRange:
    targets = ["https://shop.example/"]
    ids = list(range(first_seq, first_seq + messages))
    return LinkRange(RangeRow(first_seq, 1, ids, targets, [1] * messages, LATER))


@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=30),
    gaps=st.lists(st.integers(0, 200), min_size=30, max_size=30),
    used=st.lists(st.integers(0, 12_000), max_size=60),
    ranges_max=st.integers(1, 12),
)
def test_memory_is_a_map_of_the_ranges_used_last(
    sizes: list[int], gaps: list[int], used: list[int], ranges_max: int
) -> None:
    memory = RangeMemory(ranges_max=ranges_max, bytes_max=PLENTY)
    model: OrderedDict[int, LinkRange] = OrderedDict()
    first, uses = 0, iter(used)
    for size, gap in zip(sizes, gaps, strict=False):
        first += gap
        kept = made(first, size)
        first = kept.end_seq
        memory.keep(kept)
        model[kept.first_seq] = kept
        if len(model) > ranges_max:
            model.popitem(last=False)
        for seq in [number for _, number in zip(range(3), uses, strict=False)]:
            expected = next(
                (one for one in model.values() if one.first_seq <= seq < one.end_seq), None
            )
            assert memory.find(seq) is expected
            if expected is not None:
                model.move_to_end(expected.first_seq)
    assert len(memory) == len(model)
    assert memory.bytes_held == sum(one.bytes_held for one in model.values())
    for kept in model.values():
        for seq in (kept.first_seq, kept.end_seq - 1):
            found = memory.find(seq)
            assert found is kept
            leads = found.destination(seq, 0)
            assert leads is not None
            assert (leads.message_id, leads.link_seq) == (seq, seq)


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    memory = RangeMemory(ranges_max=2, bytes_max=PLENTY)
    for number in range(50):
        memory.keep(made(number * 100, 90))
    assert len(memory) == 2
    assert sum(map(len, memory._chunks.values())) == sum(
        len(made(number * 100, 90).chunks()) for number in (48, 49)
    )
