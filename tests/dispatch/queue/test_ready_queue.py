"""What may wait in memory is bounded, and urgent messages find room in a queue full of bulk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from dispatch.queue.ready_queue import (
    FILL_PERCENT,
    ReadyQueue,
)

OTP, MARKETING = 0, 3


class Item(Struct, eq=False):
    category: int
    account: int = 1
    cost: int = 1
    priority: int = 5


def push(queue: ReadyQueue[Item], item: Item) -> bool:
    if not queue.reserve(item.cost, item.category):
        return False
    queue.push_reserved([item], 0)
    return True


items = st.builds(Item, st.integers(0, 3), st.integers(1, 3), st.integers(1, 10))


@given(
    st.integers(10, 60),
    st.lists(
        st.tuples(st.sampled_from(["push", "reserve", "release", "take", "resize"]), items),
        max_size=80,
    ),
)
def test_waiting_and_reserved_never_exceed_the_capacity(
    capacity: int, steps: list[tuple[str, Item]]
) -> None:
    queue: ReadyQueue[Item] = ReadyQueue(capacity)
    promised: list[int] = []
    for step, item in steps:
        before = queue.parts + queue.reserved
        if step == "push":
            push(queue, item)
        elif step == "reserve" and queue.reserve(item.cost, item.category):
            promised.append(item.cost)
        elif step == "release" and promised:
            queue.release(promised.pop())
        elif step == "take":
            queue.take(item.cost, 0)
        after = queue.parts + queue.reserved
        assert after <= max(before, capacity, item.cost)
        assert queue.reserved == sum(promised)


def test_a_queue_full_of_marketing_has_room_for_an_otp() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(100)
    pushed = 0
    while push(queue, Item(MARKETING)):
        pushed += 1
    assert pushed == FILL_PERCENT[MARKETING]
    assert push(queue, Item(OTP))
    assert queue.take(1, 0)[0].category == OTP


def test_each_less_urgent_category_leaves_room_for_the_more_urgent() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(100)
    rooms = [queue.room(category) for category in range(4)]
    assert rooms == sorted(rooms, reverse=True)
    assert len(set(rooms)) == 4


def test_a_message_larger_than_the_queue_is_let_into_an_empty_one_only() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(4)
    assert queue.reserve(10, MARKETING)
    assert not queue.reserve(10, MARKETING)
    queue.release(10)
    assert push(queue, Item(OTP))
    assert not queue.reserve(10, MARKETING)


def test_what_comes_back_always_has_room() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(10)
    while push(queue, Item(OTP)):
        pass
    back = Item(OTP, cost=3)
    queue.push_front(back, 0)
    assert queue.parts == 13
    assert queue.room(OTP) == 0
    assert queue.take(3, 0) == [back]


def test_refill_starts_at_half_empty_and_asks_for_all_the_room() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(100)
    for _ in range(51):
        push(queue, Item(OTP))
    assert queue.refill_parts(OTP) == 0
    queue.take(1, 0)
    assert queue.refill_parts(OTP) == 50
    assert queue.refill_parts(MARKETING) == 20
    assert queue.reserve(10, OTP)
    assert queue.refill_parts(OTP) == 0


def test_a_smaller_capacity_keeps_what_waits_and_takes_nothing_new() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(100)
    for _ in range(50):
        push(queue, Item(OTP))
    queue.resize(20)
    assert len(queue) == 50
    assert not queue.reserve(1, OTP)


def test_a_release_without_a_promise_is_a_defect() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(10)
    with pytest.raises(ValueError, match="reserved"):
        queue.release(1)


def test_drain_leaves_promises() -> None:
    queue: ReadyQueue[Item] = ReadyQueue(100)
    item = Item(MARKETING)
    push(queue, item)
    queue.reserve(5, OTP)
    assert queue.drain() == [item]
    assert (queue.parts, queue.reserved) == (0, 5)
