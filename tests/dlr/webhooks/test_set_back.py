"""A clock that stood ahead and was set back keeps no webhook from its receiver."""

from __future__ import annotations

from datetime import timedelta

from dlr.status import Status
from dlr.webhooks.schedule import (
    ATTEMPTS_MAX,
    REPLAY_EVENTS_MAX,
    REPLAY_PER_SECOND,
    WAITS_SECONDS,
    longest_seconds,
    wait_seconds,
)
from dlr.webhooks.set_back import due_after_all
from tests.dlr.webhooks.receiver import receiving
from tests.dlr.webhooks.world import Hooks, now

SECOND = timedelta(seconds=1)


def test_no_wait_is_longer_than_the_longest() -> None:
    for attempt in range(1, ATTEMPTS_MAX):
        for asked in (None, 0.0, 3_000.0, 1e9):
            longest = wait_seconds(attempt, asked, 1.0)
            assert WAITS_SECONDS[attempt] <= longest <= longest_seconds(attempt) + 1e-6


async def test_what_was_put_off_by_a_clock_ahead_is_told(hooks: Hooks) -> None:
    """Fresh ones and those of batches, from the very row that the clock ahead has written."""
    async with receiving() as receiver, hooks.serving() as webhooks:
        hooks.later = timedelta(days=2)
        one = await hooks.endpoint("final", url=receiver.url, batch_max=10, batch_wait_ms=5_000)
        await hooks.tell(3)
        await hooks.until("SELECT count(*) > 0 FROM webhook_delivery", True)
        hooks.later = timedelta()
        await webhooks.tidying.turn()
        await hooks.until("SELECT count(*) FROM webhook_delivery", 0)
        heard = [each for told in receiver.heard for each in told.told["data"]["events"]]
    assert len(heard) == 3
    assert await hooks.waiting(one) == []


async def test_each_kind_has_a_bound_of_its_own(hooks: Hooks) -> None:
    """Just within it a row waits on; a little beyond it, no clock that was right has written it."""
    endpoint = await hooks.endpoint("final", batch_max=10, batch_wait_ms=2_000)
    await hooks.tell(1, Status.DELIVERED)
    await hooks.fanned()
    [row] = await hooks.waiting(endpoint)
    at = now()
    kinds = [(0, False, 2 * SECOND), (0, True, 800 * SECOND)]
    kinds += [(made, False, longest_seconds(made) * SECOND) for made in range(1, ATTEMPTS_MAX)]
    for attempt, replayed, bound in kinds:
        for further, moved in ((-SECOND, 0), (SECOND, 1)):
            await hooks.connection.execute(
                "UPDATE webhook_delivery SET attempt = $1, replayed = $2, next_at = $3",
                attempt, replayed, at + bound + further,
            )  # fmt: skip
            assert await due_after_all(hooks.connection, at) == moved
            [row] = await hooks.waiting(endpoint)
            assert row["next_at"] == (at if moved else at + bound + further)


async def test_what_another_process_has_claimed_is_left_to_it(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("final")
    await hooks.tell(1)
    await hooks.fanned()
    await hooks.connection.execute(
        "UPDATE webhook_delivery SET owner = $1, next_at = $2", hooks.term, now() + 9_000 * SECOND
    )
    assert await due_after_all(hooks.connection, now()) == 0
    assert len(await hooks.waiting(endpoint)) == 1


def test_a_replay_is_bounded_by_its_own_rate() -> None:
    assert REPLAY_EVENTS_MAX / REPLAY_PER_SECOND <= 400
