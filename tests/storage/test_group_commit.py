"""Group commit: order, bounds, results per item, and what a failing or closed writer leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import storage.group_commit as module
from storage.group_commit import GroupCommit, QueueClosed, QueueFull

if TYPE_CHECKING:
    from collections.abc import Sequence


class Refused(Exception):
    """What a flush in these tests raises."""


class Writer:
    """A flush that waits for the test to let it through."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.attempts: list[int] = []
        self.errors: list[Exception] = []
        self.running = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def flush(self, items: list[int], attempt: int) -> Sequence[int]:
        self.batches.append(items)
        self.attempts.append(attempt)
        self.running.set()
        await self.gate.wait()
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        return [item * 10 for item in items]


def group_commit(
    writer: Writer,
    *,
    items_per_flush_max: int = 5,
    items_waiting_max: int = 100,
    rest_seconds_max: float = 0.0,
) -> GroupCommit[int, int]:
    return GroupCommit(
        writer.flush,
        name="test",
        items_per_flush_max=items_per_flush_max,
        items_waiting_max=items_waiting_max,
        rest_seconds_max=rest_seconds_max,
    )


@pytest.fixture
def long_rest(monkeypatch: pytest.MonkeyPatch) -> float:
    """A rest that no test waits for the end of, after a flush of one item."""
    monkeypatch.setattr(module, "REST_SECONDS_PER_ITEM", 600.0)
    return 600.0


async def resting(writer: Writer, rest: float, **bounds: int) -> GroupCommit[int, int]:
    """A writer that has just flushed item 1 and rests, while item 2 waits."""
    group = group_commit(writer, rest_seconds_max=rest, **bounds)
    await group.submit([1])
    group.offer([2])
    for _ in range(20):
        await asyncio.sleep(0)
    assert writer.batches == [[1]]
    return group


async def test_a_busy_writer_rests_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REST_SECONDS_PER_ITEM", 0.02)
    writer = Writer()
    group = await resting(writer, 0.02)
    group.offer([3])
    await group.drain()
    assert writer.batches == [[1], [2, 3]]


async def test_who_can_do_nothing_else_ends_the_rest(long_rest: float) -> None:
    writer = Writer()
    group = await resting(writer, long_rest)
    group.hurry()
    await group.drain()
    assert writer.batches == [[1], [2]]
    group.hurry()  # nothing waits yet: it holds for what comes
    await group.submit([3])
    assert writer.batches == [[1], [2], [3]]


async def test_enough_items_end_the_rest(long_rest: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ITEMS_ENOUGH", 3)
    writer = Writer()
    group = await resting(writer, long_rest)
    group.offer([3])
    group.offer([4])
    await group.drain()
    assert writer.batches == [[1], [2, 3, 4]]
    await group.submit([5, 6, 7])  # and such a batch does not rest at all
    assert writer.batches[-1] == [5, 6, 7]


async def test_who_waits_for_everything_ends_the_rest(long_rest: float) -> None:
    writer = Writer()
    group = await resting(writer, long_rest)
    await group.drain()
    assert writer.batches == [[1], [2]]


async def test_items_of_the_running_flush_are_no_company_for_the_next(
    long_rest: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ITEMS_ENOUGH", 2)
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer, rest_seconds_max=long_rest)
    first = group.submit([1])
    await writer.running.wait()
    group.offer([2])
    writer.gate.set()
    await first
    for _ in range(20):
        await asyncio.sleep(0)
    assert writer.batches == [[1]]
    await group.drain()
    assert writer.batches == [[1], [2]]


async def test_closing_ends_the_rest(long_rest: float) -> None:
    writer = Writer()
    group = await resting(writer, long_rest)
    await group.close()
    assert writer.batches == [[1], [2]]


async def test_the_rest_grows_with_the_flush_so_that_a_lone_caller_is_served_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REST_SECONDS_PER_ITEM", 0.0)
    writer = Writer()
    group = group_commit(writer, rest_seconds_max=600.0)
    for number in range(5):
        await group.submit([number])
    assert len(writer.batches) == 5


async def test_without_a_rest_the_next_flush_follows_at_once(long_rest: float) -> None:
    writer = Writer()
    group = group_commit(writer)
    for number in range(5):
        await group.submit([number])
    assert len(writer.batches) == 5


async def test_submissions_of_one_moment_share_a_flush() -> None:
    writer = Writer()
    group = group_commit(writer)
    first, second = group.submit([1, 2]), group.submit([3])
    assert (await first, await second) == ([10, 20], [30])
    assert writer.batches == [[1, 2, 3]]
    assert (group.flushes, group.items_flushed, group.waiting) == (1, 3, 0)


async def test_while_one_flush_runs_the_next_gathers() -> None:
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer)
    first = group.submit([1])
    await writer.running.wait()
    later = [group.submit([2]), group.submit([3])]
    group.offer([4])
    writer.gate.set()
    assert await asyncio.gather(first, *later) == [[10], [20], [30]]
    await group.drain()
    assert writer.batches == [[1], [2, 3, 4]]


async def test_a_long_submission_spreads_over_flushes_and_stays_in_order() -> None:
    writer = Writer()
    group = group_commit(writer)
    results = await group.submit(range(12))
    assert results == [item * 10 for item in range(12)]
    assert [len(batch) for batch in writer.batches] == [5, 5, 2]


async def test_a_full_queue_takes_nothing_and_recovers() -> None:
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer, items_waiting_max=7)
    taken = group.submit(range(6))
    with pytest.raises(QueueFull):
        group.submit([7, 8])
    with pytest.raises(QueueFull):
        group.offer([7, 8])
    assert group.waiting == 6
    group.offer([9])
    await writer.running.wait()
    assert group.waiting == 7  # what is being flushed counts until it is done
    writer.gate.set()
    await taken
    await group.drain()
    assert group.waiting == 0
    assert await group.submit(range(7)) == [item * 10 for item in range(7)]


async def test_nothing_is_flushed_for_an_empty_submission() -> None:
    writer = Writer()
    assert await group_commit(writer).submit([]) == []
    assert writer.batches == []


async def test_only_the_items_of_the_failed_flush_get_its_exception() -> None:
    writer = Writer()
    group = group_commit(writer)
    error = Refused()
    writer.errors.append(error)
    long, short = group.submit(range(6)), group.submit([7])
    assert await long == [error] * 5 + [50]
    assert await short == [70]
    assert (group.flushes, group.flush_failures, group.items_flushed) == (1, 1, 2)


async def test_a_flush_that_forgets_an_item_fails_its_batch() -> None:
    async def forgetful(items: list[int], attempt: int) -> Sequence[int]:
        return items[1:]

    group: GroupCommit[int, int] = GroupCommit(forgetful, name="test")
    results = await group.submit([1, 2])
    assert [type(result) for result in results] == [RuntimeError, RuntimeError]


async def test_a_retried_batch_is_the_same_one_before_anything_later() -> None:
    writer = Writer()
    writer.errors += [Refused(), Refused()]
    asked: list[tuple[type[BaseException], int]] = []

    def retry(error: BaseException, attempt: int) -> float | None:
        asked.append((type(error), attempt))
        return 0.0

    group = GroupCommit(writer.flush, name="test", items_per_flush_max=2, retry=retry)
    group.offer([1, 2])
    assert await group.submit([3]) == [30]
    assert writer.batches == [[1, 2], [1, 2], [1, 2], [3]]
    assert writer.attempts == [0, 1, 2, 0]
    assert asked == [(Refused, 0), (Refused, 1)]
    assert (group.flushes, group.flush_failures, group.items_flushed) == (2, 2, 3)


async def test_a_retry_that_gives_up_hands_the_error_over() -> None:
    writer = Writer()
    writer.errors += [Refused(), Refused()]
    group = GroupCommit(
        writer.flush, name="test", retry=lambda error, attempt: 0.0 if attempt == 0 else None
    )
    results = await group.submit([1])
    assert [type(result) for result in results] == [Refused]
    assert writer.attempts == [0, 1]


async def test_who_stopped_waiting_disturbs_nobody() -> None:
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer)
    gone, patient = group.submit([1]), group.submit([2])
    await writer.running.wait()
    gone.cancel()
    writer.gate.set()
    assert await patient == [20]
    assert writer.batches == [[1, 2]]


async def test_close_flushes_what_is_queued_and_refuses_the_rest() -> None:
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer)
    last = group.submit(range(8))
    closing = asyncio.create_task(group.close())
    await writer.running.wait()
    with pytest.raises(QueueClosed):
        group.submit([9])
    with pytest.raises(QueueClosed):
        group.offer([9])
    assert not closing.done()
    writer.gate.set()
    await closing
    assert last.done()
    assert await last == [item * 10 for item in range(8)]


async def test_a_close_that_is_given_up_leaves_nobody_waiting() -> None:
    writer = Writer()
    writer.gate.clear()
    group = group_commit(writer)
    long, queued = group.submit(range(7)), group.submit([8])
    closing = asyncio.create_task(group.close())
    await writer.running.wait()
    closing.cancel()
    results = [*await long, *await queued]
    assert [type(result) for result in results] == [QueueClosed] * 8
    assert group.waiting == 0
    await asyncio.wait({closing})
    assert closing.cancelled()


@settings(max_examples=100)
@given(
    submissions=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30),
    per_flush=st.integers(1, 12),
    bound=st.integers(1, 60),
    pauses=st.lists(st.booleans(), min_size=30, max_size=30),
)
def test_order_bounds_and_results_hold_for_any_load(
    submissions: list[tuple[int, bool]], per_flush: int, bound: int, pauses: list[bool]
) -> None:
    async def run() -> None:
        writer = Writer()
        group = group_commit(writer, items_per_flush_max=per_flush, items_waiting_max=bound)
        taken: list[int] = []
        waiting_for: list[tuple[list[int], asyncio.Future[list[int | BaseException]]]] = []
        number = 0
        for (count, waits), pause in zip(submissions, pauses, strict=False):
            items = list(range(number, number + count))
            before = group.waiting
            try:
                if waits:
                    waiting_for.append((items, group.submit(items)))
                else:
                    group.offer(items)
            except QueueFull:
                assert before + count > bound
            else:
                taken += items
                number += count
            assert group.waiting <= bound
            if pause:
                await asyncio.sleep(0)
        await group.close()
        assert [item for batch in writer.batches for item in batch] == taken
        assert all(len(batch) <= per_flush for batch in writer.batches)
        assert group.waiting == 0
        for items, future in waiting_for:
            assert future.result() == [item * 10 for item in items]

    asyncio.run(run())
