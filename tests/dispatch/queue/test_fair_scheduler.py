"""Urgent first, nobody starved, every account its turn: the properties of the order."""

from __future__ import annotations

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from dispatch.queue.fair_scheduler import ACCOUNT_QUANTUM, WEIGHTS, FairScheduler

OTP, TRANSACTIONAL, SERVICE, MARKETING = range(4)
COST_MAX = 10


class Item(Struct, eq=False):
    category: int
    account: int = 1
    cost: int = 1
    number: int = 0
    priority: int = 5


items = st.builds(
    Item, st.integers(0, 3), st.integers(1, 5), st.integers(1, COST_MAX), st.integers(0, 10**6)
)


def filled(*waiting: Item) -> FairScheduler[Item]:
    scheduler: FairScheduler[Item] = FairScheduler()
    for item in waiting:
        scheduler.push(item, 0)
    return scheduler


def backlog(
    category: int, count: int = 1_000, *, account: int = 1, cost: int = 1
) -> tuple[Item, ...]:
    return tuple(Item(category, account, cost) for _ in range(count))


def parts_by_category(taken: list[Item]) -> Counter[int]:
    parts: Counter[int] = Counter()
    for item in taken:
        parts[item.category] += item.cost
    return parts


@given(st.lists(items, max_size=60), st.lists(st.integers(0, 25), max_size=40))
def test_everything_goes_exactly_once_and_never_more_than_asked_for(
    waiting: list[Item], asks: list[int]
) -> None:
    scheduler = filled(*waiting)
    taken: list[Item] = []
    for parts_max in asks:
        batch = scheduler.take(parts_max, 0)
        assert sum(item.cost for item in batch) <= parts_max
        taken += batch
        assert len(scheduler) == len(waiting) - len(taken)
        assert scheduler.parts == sum(item.cost for item in waiting) - sum(
            item.cost for item in taken
        )
    while len(scheduler):
        taken += scheduler.take(COST_MAX, 0)
    assert sorted(map(id, taken)) == sorted(map(id, waiting))


def test_what_comes_back_again_and_again_to_a_category_alone_earns_it_nothing() -> None:
    """A carrier that throttles must not have the bulk put before what is urgent afterwards."""
    scheduler = filled(*backlog(MARKETING))
    for _ in range(50):
        for item in reversed(scheduler.take(10, 0)):
            scheduler.push_front(item, 0)
    for item in backlog(TRANSACTIONAL):
        scheduler.push(item, 0)
    parts = parts_by_category(scheduler.take(90, 0))
    assert parts[TRANSACTIONAL] >= 60  # 80 by the weights, and ten parts are owed for once


@given(st.lists(items, min_size=1, max_size=60), st.integers(COST_MAX, 60))
def test_work_conserving(waiting: list[Item], parts_max: int) -> None:
    """Room is left only when nothing waits any more, or less than the next item needs."""
    scheduler = filled(*waiting)
    while len(scheduler):
        left = parts_max - sum(item.cost for item in scheduler.take(parts_max, 0))
        assert len(scheduler) == 0 or left < scheduler.next_cost()


@given(st.lists(items, max_size=40), st.lists(st.tuples(st.integers(0, 12), items), max_size=40))
def test_an_accounts_messages_of_a_category_keep_their_order(
    waiting: list[Item], later: list[tuple[int, Item]]
) -> None:
    scheduler: FairScheduler[Item] = FairScheduler()
    taken: list[Item] = []
    steps = [*((0, item) for item in waiting), *later]
    for number, (parts_max, item) in enumerate(steps, start=1):
        item.number = number
        scheduler.push(item, 0)
        taken += scheduler.take(parts_max, 0)
    while len(scheduler):
        taken += scheduler.take(COST_MAX, 0)
    last: dict[tuple[int, int], int] = {}
    for item in taken:
        key = (item.category, item.account)
        assert item.number > last.get(key, 0)
        last[key] = item.number


def test_an_otp_waits_for_nobody_when_none_went_before() -> None:
    scheduler = filled(*backlog(MARKETING), *backlog(TRANSACTIONAL))
    scheduler.take(100, 0)
    otp = Item(OTP)
    scheduler.push(otp, 0)
    assert scheduler.take(1, 0) == [otp]


@pytest.mark.parametrize("parts_max", [1, 7, 100])
def test_otp_gets_four_parts_of_five_while_others_wait(parts_max: int) -> None:
    scheduler = filled(*backlog(OTP), *backlog(MARKETING))
    parts: Counter[int] = Counter()
    while parts.total() < 1_000:
        parts += parts_by_category(scheduler.take(parts_max, 0))
    assert parts[OTP] / parts.total() == pytest.approx(0.8, abs=0.01)


def test_otp_gets_everything_while_nobody_waits_and_owes_nothing_afterwards() -> None:
    scheduler = filled(*backlog(OTP, 200))
    assert len(scheduler.take(100, 0)) == 100
    for item in backlog(MARKETING, 10):
        scheduler.push(item, 0)
    assert [item.category for item in scheduler.take(4, 0)] == [OTP] * 4


@pytest.mark.parametrize("cost", [1, 3, COST_MAX])
@pytest.mark.parametrize("parts_max", [COST_MAX, 64, 1000])
def test_the_others_share_by_weight(cost: int, parts_max: int) -> None:
    scheduler = filled(
        *(
            item
            for category in (TRANSACTIONAL, SERVICE, MARKETING)
            for item in backlog(category, 4_000 // cost, cost=cost)
        )
    )
    parts: Counter[int] = Counter()
    while parts.total() < 2_600:
        parts += parts_by_category(scheduler.take(parts_max, 0))
    for category in (TRANSACTIONAL, SERVICE, MARKETING):
        share = WEIGHTS[category] / sum(WEIGHTS)
        assert parts[category] / parts.total() == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("with_otp", [False, True])
def test_no_backlogged_category_is_starved_over_any_stretch(with_otp: bool) -> None:
    """Ten seconds at 100 parts a second: each category gets its share of any 1 000 parts."""
    scheduler = filled(
        *(
            item
            for category in (TRANSACTIONAL, SERVICE, MARKETING)
            for item in backlog(category, 3_000)
        )
    )
    for item in backlog(OTP, 3_000 if with_otp else 0):
        scheduler.push(item, 0)
    order = [item.category for _ in range(300) for item in scheduler.take(10, 0)]
    left = 0.2 if with_otp else 1.0
    for start in range(0, 2_000, 100):
        stretch = Counter(order[start : start + 1_000])
        for category in (TRANSACTIONAL, SERVICE, MARKETING):
            share = left * WEIGHTS[category] / sum(WEIGHTS)
            assert stretch[category] >= 1_000 * share - max(WEIGHTS)


@given(
    st.lists(st.integers(1, COST_MAX), min_size=80, max_size=80),
    st.lists(st.integers(1, COST_MAX), min_size=80, max_size=80),
    st.integers(COST_MAX, 30),
)
def test_two_equal_accounts_differ_by_at_most_a_turn_and_an_item(
    first: list[int], second: list[int], parts_max: int
) -> None:
    scheduler = filled(
        *(Item(MARKETING, 1, cost) for cost in first),
        *(Item(MARKETING, 2, cost) for cost in second),
    )
    parts = Counter({1: 0, 2: 0})
    waiting = {1: 80, 2: 80}
    while True:
        for item in scheduler.take(parts_max, 0):
            parts[item.account] += item.cost
            waiting[item.account] -= 1
            if not min(waiting.values()):
                return
            assert abs(parts[1] - parts[2]) <= ACCOUNT_QUANTUM + COST_MAX


def test_an_account_with_a_million_waiting_does_not_delay_one_with_one() -> None:
    scheduler = filled(*backlog(MARKETING, 10_000, account=1))
    scheduler.take(50, 0)
    late = Item(MARKETING, account=2)
    scheduler.push(late, 0)
    assert late in scheduler.take(2 * ACCOUNT_QUANTUM, 0)


def test_an_idle_account_takes_no_memory() -> None:
    scheduler: FairScheduler[Item] = FairScheduler()
    for account in range(10_000):
        scheduler.push(Item(MARKETING, account), 0)
        scheduler.take(1, 0)
    lane = scheduler._lanes[MARKETING]
    assert not lane.flows
    assert not lane.turns


def test_an_item_too_big_for_what_is_left_keeps_its_turn() -> None:
    big, small = Item(MARKETING, account=1, cost=5), Item(MARKETING, account=1)
    scheduler = filled(big, small)
    assert scheduler.take(4, 0) == []
    assert scheduler.next_cost() == 5
    assert scheduler.take(5, 0) == [big]
    assert scheduler.take(5, 0) == [small]


def test_slots_freed_one_by_one_add_up_for_a_big_item() -> None:
    big = Item(TRANSACTIONAL, account=2, cost=COST_MAX)
    scheduler = filled(big, *backlog(MARKETING, 200))
    free = 0
    for _ in range(40):
        free += 1
        taken = scheduler.take(free, 0)
        free -= sum(item.cost for item in taken)
        if big in taken:
            return
    pytest.fail("the big item never went")


def test_only_otp_passes_an_item_that_waits_for_room() -> None:
    big, otp = Item(TRANSACTIONAL, cost=5), Item(OTP)
    scheduler = filled(big, Item(MARKETING))
    assert scheduler.take(3, 0) == []
    scheduler.push(otp, 0)
    assert scheduler.take(3, 0) == [otp]
    assert scheduler.take(6, 0)[0] is big


def test_otp_goes_on_although_the_item_it_owes_to_does_not_fit() -> None:
    scheduler = filled(*backlog(OTP, 100), Item(MARKETING, cost=COST_MAX))
    taken = [item for _ in range(60) for item in scheduler.take(1, 0)]
    assert [item.category for item in taken] == [OTP] * 60
    assert scheduler.take(COST_MAX, 0)[0].category == MARKETING


def test_what_came_back_goes_first_in_its_category_in_its_order() -> None:  # E36
    waiting = [Item(SERVICE, account, number=account) for account in range(6)]
    scheduler = filled(*waiting)
    first = scheduler.take(3, 0)
    for item in reversed(first):
        scheduler.push_front(item, 0)
    assert scheduler.take(3, 0) == first
    assert {item.number for item in scheduler.take(9, 0)} == {3, 4, 5}


def test_coming_back_costs_a_category_no_second_share() -> None:
    scheduler = filled(*backlog(SERVICE, 4_000), *backlog(MARKETING, 4_000))
    parts: Counter[int] = Counter()
    for step in range(400):
        taken = scheduler.take(5, 0)
        if step % 2:
            for item in reversed(taken):
                scheduler.push_front(item, 0)
        else:
            parts += parts_by_category(taken)
    assert parts[SERVICE] / parts.total() == pytest.approx(0.8, abs=0.02)


@given(st.lists(items, max_size=30))
def test_depths_and_ages(waiting: list[Item]) -> None:
    scheduler: FairScheduler[Item] = FairScheduler()
    for second, item in enumerate(waiting):
        scheduler.push(item, second)
    for category in range(4):
        mine = [item for item in waiting if item.category == category]
        assert scheduler.depth(category) == len(mine)
        assert scheduler.parts_of(category) == sum(item.cost for item in mine)
        oldest = next((at for at, item in enumerate(waiting) if item.category == category), 100)
        assert scheduler.oldest_age(category, 100) == 100 - oldest


def test_waits_are_summed() -> None:
    scheduler: FairScheduler[Item] = FairScheduler()
    scheduler.push(Item(SERVICE), 10)
    scheduler.push(Item(SERVICE), 20)
    scheduler.take(2, 50)
    scheduler.push(Item(SERVICE), 60)
    scheduler.drain()
    assert scheduler.waits(SERVICE) == (2, 40 + 30)


@given(st.lists(items, max_size=30), st.integers(0, 30))
def test_drain_gives_everything_and_leaves_a_working_scheduler(
    waiting: list[Item], parts_max: int
) -> None:
    scheduler = filled(*waiting)
    taken = scheduler.take(parts_max, 0)
    drained = scheduler.drain()
    assert sorted(map(id, taken + drained)) == sorted(map(id, waiting))
    assert [item.category for item in drained] == sorted(item.category for item in drained)
    assert len(scheduler) == 0
    again = Item(OTP)
    scheduler.push(again, 0)
    assert scheduler.take(COST_MAX, 0) == [again]


def test_each_account_with_work_is_served_within_one_round() -> None:
    """However many accounts: between two turns of one, every other has one turn at most."""
    accounts = 300
    scheduler = filled(
        *(Item(MARKETING, account) for account in range(accounts) for _ in range(20))
    )
    order = deque(item.account for _ in range(60) for item in scheduler.take(100, 0))
    positions: dict[int, list[int]] = {}
    for position, account in enumerate(order):
        positions.setdefault(account, []).append(position)
    for account in range(accounts):
        gaps = [
            later - earlier
            for earlier, later in zip(positions[account], positions[account][1:], strict=False)
        ]
        assert max(gaps) <= (accounts - 1) * ACCOUNT_QUANTUM + 1
