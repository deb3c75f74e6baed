"""What is due is sent, over real sockets: signed, in turns, again until taken, never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from dlr.status import Status
from dlr.webhooks import client, deliveries, desk, endpoints, worker
from dlr.webhooks.changes import tell_rows
from dlr.webhooks.deliveries import LogState
from dlr.webhooks.endpoint_state import IN_A_ROW_MAX, State
from dlr.webhooks.events import event_name
from dlr.webhooks.tidying import Tidying, Waiting
from storage.terms import HostIdentity, OwnerTerm
from tests.dlr.webhooks.receiver import Heard, bad, good, receiving
from tests.dlr.webhooks.world import KEY, MASKED, NUMBER, POLL_SECONDS, Hooks, now
from tests.smpp.recording import WAIT_SECONDS

# What is owed, and what is not handed to an endpoint yet, as of one moment.
NOTHING_WAITS = (
    "SELECT (SELECT count(*) FROM webhook_change) + (SELECT count(*) FROM webhook_delivery)"
)


async def test_w1_the_octets_on_the_socket_are_those_that_are_stored(hooks: Hooks) -> None:
    async with receiving() as receiver, hooks.serving():
        await hooks.endpoint("final", url=receiver.url, headers={"authorization": "Bearer x"})
        await hooks.tell(3)
        heard = await receiver.until(3)
        await hooks.until(NOTHING_WAITS, 0)
    rows = await hooks.connection.fetch("SELECT id, body FROM webhook_event")
    stored = {event_name(row["id"]): row["body"] for row in rows}
    assert {each.id: each.body for each in heard} == stored
    for each in heard:
        each.verify()
        assert each.headers["content-type"] == "application/json"
        assert each.headers["authorization"] == "Bearer x"
        assert each.told["data"]["to"] == MASKED
    assert await hooks.logged() == [(1, LogState.DELIVERED, 204)] * 3
    assert await hooks.connection.fetchval("SELECT last_success_at FROM webhook_endpoint")


async def test_w2_three_attempts_have_one_id_and_one_body(hooks: Hooks) -> None:
    async with receiving(bad) as receiver, hooks.serving() as webhooks:
        await hooks.endpoint("final", url=receiver.url, full_numbers=True)
        await hooks.tell()
        for attempt in (1, 2, 3):
            await receiver.until(attempt)
            await hooks.until("SELECT max(attempt)::int FROM webhook_attempt", attempt)
            hooks.later += timedelta(hours=1)
            if attempt == 2:
                receiver.answer = good
            webhooks.worker.wake()
        await hooks.until(NOTHING_WAITS, 0)
    first, second, third = receiver.heard
    assert first.id == second.id == third.id
    assert first.body == second.body == third.body
    assert first.told["data"]["to"] == NUMBER
    stamps = [int(each.headers["webhook-timestamp"]) for each in receiver.heard]
    assert stamps[0] + 3_000 < stamps[1] < stamps[2] - 3_000
    assert await hooks.logged() == [
        (1, LogState.FAILED, 500), (2, LogState.FAILED, 500), (3, LogState.DELIVERED, 204),
    ]  # fmt: skip


async def test_batches_hold_each_event_whole_with_its_id(hooks: Hooks) -> None:
    failed: list[Heard] = []

    def once(heard: Heard) -> web.Response:
        failed.append(heard)
        return bad(heard) if len(failed) == 1 else good(heard)

    async with receiving(once) as receiver, hooks.serving() as webhooks:
        await hooks.endpoint("final", url=receiver.url, batch_max=100, batch_wait_ms=200)
        for _ in range(5):
            await hooks.tell(4)
        await receiver.until(1)
        await hooks.until("SELECT count(*) FROM webhook_attempt", 1)
        await hooks.tell(1)
        hooks.later = timedelta(seconds=30)
        webhooks.worker.wake()
        await hooks.until(NOTHING_WAITS, 0)
    first = receiver.heard[0]
    first.verify()
    assert first.id.startswith("whb_")
    again = [each for each in receiver.heard[1:] if each.id == first.id]
    assert [each.body for each in again] == [first.body]  # nothing joined it
    told = [event["id"] for each in receiver.heard[1:] for event in each.told["data"]["events"]]
    rows = await hooks.connection.fetch("SELECT id FROM webhook_event")
    assert sorted(told) == sorted(event_name(row["id"]) for row in rows)
    assert {"type", "timestamp", "data", "id"} == set(first.told["data"]["events"][0])


async def test_w14_a_dead_endpoint_holds_up_no_other(hooks: Hooks) -> None:
    hanging = asyncio.Event()

    async def hangs(_: Heard) -> web.Response:
        await hanging.wait()
        return web.Response(status=204)

    async with receiving(hangs) as dead, receiving() as living, hooks.serving():
        await hooks.endpoint("final", url=dead.url)
        await hooks.endpoint("final", url=living.url)
        await hooks.tell(300)
        await living.until(300)
        assert 0 < len(dead.heard) <= 4
        hanging.set()
        await dead.until(300)
        await hooks.until(NOTHING_WAITS, 0)


async def test_w16_what_happened_while_an_endpoint_was_disabled_can_be_told_later(
    hooks: Hooks,
) -> None:
    async with receiving(lambda _: web.Response(status=410)) as receiver, hooks.serving():
        endpoint = await hooks.endpoint("final", url=receiver.url)
        other = await hooks.endpoint("endpoint.*", url=receiver.url)
        started = now()
        await hooks.tell()
        await hooks.until(
            f"SELECT state::int FROM webhook_endpoint WHERE id = {endpoint.id}", State.DISABLED
        )
        receiver.answer = good
        await hooks.tell(2)
        await hooks.until(
            "SELECT sum(cardinality(event_ids))::int FROM webhook_attempt WHERE state = 3", 3
        )
        await hooks.until(f"SELECT count(*) FROM webhook_delivery WHERE endpoint = {other.id}", 0)
        [told] = [each.told for each in receiver.heard if each.told["type"] == "endpoint.disabled"]
        assert told["data"]["reason"] == "it answered 410 Gone"
        receiver.heard.clear()
        await hooks.enter(endpoint, State.ACTIVE)
        replayed = await desk.replay(
            hooks.connection, endpoint, since=started - timedelta(minutes=1),
            until=now() + timedelta(minutes=1), ids=hooks.ids, now=now(),
        )  # fmt: skip
        assert (replayed.events, replayed.cursor) == (3, None)
        twice = await desk.replay(
            hooks.connection, endpoint, since=started - timedelta(minutes=1),
            until=now() + timedelta(minutes=1), ids=hooks.ids, now=now(),
        )  # fmt: skip
        assert twice.events == 0
        await receiver.until(3)
        await hooks.until(NOTHING_WAITS, 0)
    rows = await hooks.connection.fetch(
        "SELECT id FROM webhook_event WHERE type = 'message.delivered'"
    )
    assert sorted(receiver.ids) == sorted(event_name(row["id"]) for row in rows)


async def test_w22_a_process_whose_term_was_lost_in_flight_changes_nothing(hooks: Hooks) -> None:
    """Two processes are at one delivery. The receiver hears it twice under one id, and only the one
    that holds it says what became of it.
    """
    answered = asyncio.Event()

    async def slowly(heard: Heard) -> web.Response:
        if len(receiver.heard) == 1:
            await answered.wait()
            return bad(heard)
        return good(heard)

    async with receiving(slowly) as receiver:
        other = await OwnerTerm.acquire(hooks.connection, HostIdentity.current())
        async with hooks.serving(other.term):
            await hooks.endpoint("final", url=receiver.url)
            await hooks.tell()
            await receiver.until(1)
            await other.release(hooks.connection)
            async with hooks.serving():
                await receiver.until(2)
                await hooks.until(NOTHING_WAITS, 0)
            answered.set()
    assert len(set(receiver.ids)) == 1
    assert receiver.heard[0].body == receiver.heard[1].body
    assert await hooks.count("webhook_delivery") == 0


async def test_the_tenth_attempt_is_the_last_and_can_be_redelivered(hooks: Hooks) -> None:
    async with receiving(bad) as receiver, hooks.serving() as webhooks:
        endpoint = await hooks.endpoint("final", url=receiver.url)
        await hooks.tell()
        for attempt in range(1, 11):
            await hooks.until("SELECT count(*) FROM webhook_attempt", attempt)
            hooks.later += timedelta(hours=30)
            webhooks.worker.wake()
        await hooks.until(NOTHING_WAITS, 0)
        assert webhooks.results.exhausted == 1
        assert (await hooks.logged())[-1] == (10, LogState.EXHAUSTED, 500)
        receiver.answer = good
        [row] = await hooks.connection.fetch("SELECT DISTINCT delivery FROM webhook_attempt")
        assert await desk.redeliver(hooks.connection, endpoint, row["delivery"], now())
        await hooks.until(NOTHING_WAITS, 0)
    assert len(receiver.heard) == 11
    assert len({(each.id, each.body) for each in receiver.heard}) == 1


async def test_an_endpoint_that_fails_gets_probes_and_keeps_its_attempts(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlr.webhooks.endpoint_state.PROBE_SECONDS_MIN", 0.05)
    monkeypatch.setattr("dlr.webhooks.endpoint_state.PROBE_SECONDS_MAX", 0.05)
    async with receiving(bad) as receiver, hooks.serving():
        endpoint = await hooks.endpoint("final", url=receiver.url)
        await hooks.tell(40)
        state = f"SELECT state::int FROM webhook_endpoint WHERE id = {endpoint.id}"
        await hooks.until(state, State.FAILING)
        await receiver.until(30)
        attempts = await hooks.connection.fetch("SELECT attempt FROM webhook_delivery")
        assert all(row["attempt"] <= 1 for row in attempts)
        receiver.answer = good
        await hooks.until(state, State.ACTIVE)


async def test_ordered_events_of_a_message_wait_for_one_another(hooks: Hooks) -> None:
    release = asyncio.Event()

    async def first_waits(heard: Heard) -> web.Response:
        if heard.told["data"]["status"] == "sent":
            await release.wait()
        return good(heard)

    async with receiving(first_waits) as receiver, hooks.serving():
        await hooks.endpoint("message.*", url=receiver.url, ordered=True)
        message = await hooks.message()
        await tell_rows(hooks.connection, [hooks.part(message, Status.SENT)], hooks.ids)
        await receiver.until(1)
        await tell_rows(hooks.connection, [hooks.part(message, Status.DELIVERED)], hooks.ids)
        await hooks.tell()
        await receiver.until(2)
        assert receiver.heard[1].told["data"]["id"] != receiver.heard[0].told["data"]["id"]
        release.set()
        await receiver.until(3)
        await hooks.until(NOTHING_WAITS, 0)
    assert receiver.heard[2].told["data"]["status"] == "delivered"


async def test_a_stop_gives_back_what_was_claimed(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = asyncio.Event()

    async def hangs(_: Heard) -> web.Response:
        await hanging.wait()
        return web.Response(status=204)

    async with receiving(hangs) as receiver:
        async with hooks.serving() as webhooks:
            await hooks.endpoint("final", url=receiver.url)
            await hooks.tell(20)
            await receiver.until(4)
            asyncio.get_running_loop().call_later(0.05, hanging.set)
            await webhooks.worker.stop(60)
        waiting = await hooks.waiting()
        assert len(waiting) == 16
        assert {row["owner"] for row in waiting} == {0}


async def test_what_waits_too_long_is_skipped(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("final", url="https://shop.example/")
    await hooks.enter(endpoint, State.PAUSED)
    async with hooks.serving() as webhooks:
        await hooks.tell(3)
        await hooks.until(NOTHING_WAITS, 3)
        await webhooks.tidying.turn()
        assert (webhooks.waiting.events, webhooks.skipped) == (3, 0)
        hooks.later = timedelta(days=deliveries.WAITING_DAYS_MAX, minutes=1)
        await webhooks.tidying.turn()
        assert (webhooks.waiting.events, webhooks.skipped) == (0, 3)
    assert await hooks.count("webhook_delivery") == 0


async def test_w17_a_test_is_sent_at_most_once_in_five_minutes(hooks: Hooks) -> None:
    async with receiving() as receiver, hooks.serving() as webhooks:
        endpoint = await hooks.endpoint("final", url=receiver.url)
        await hooks.enter(endpoint, State.DISABLED)
        other = await hooks.endpoint("final", url=receiver.url)
        made, _ = await asyncio.gather(webhooks.tests.enable(endpoint), webhooks.tests.test(other))
        assert made.status == 204
        with pytest.raises(desk.TooSoon):
            await webhooks.tests.test(endpoint)
        state = "SELECT state FROM webhook_endpoint WHERE id = $1"
        assert await hooks.connection.fetchval(state, endpoint.id) == State.ACTIVE
        receiver.heard[0].verify(KEY)
        assert receiver.heard[0].told["type"] == "webhook.test"
        [row] = await desk.logged(hooks.connection, endpoint.id, limit=10)
        assert (row.state, row.types, row.status) == ("delivered", ["webhook.test"], 204)


async def test_no_handles_of_ours_use_up_no_attempt_and_are_not_the_endpoints_fault(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "UNSAID_SECONDS", POLL_SECONDS)
    really, refused = client.WebhookClient.post, 0

    async def post(self: client.WebhookClient, *args: Any, **named: Any) -> client.Attempt:
        nonlocal refused
        if refused < 3 * IN_A_ROW_MAX:
            refused += 1
            return client.Attempt(error=client.Failure.NO_HANDLES, milliseconds=0)
        return await really(self, *args, **named)

    monkeypatch.setattr(client.WebhookClient, "post", post)
    async with receiving() as receiver, hooks.serving():
        endpoint = await hooks.endpoint("final", url=receiver.url)
        await hooks.tell(3)
        await receiver.until(3)
        await hooks.until(NOTHING_WAITS, 0)
    assert await hooks.logged() == [(1, LogState.DELIVERED, 204)] * 3
    state = "SELECT state FROM webhook_endpoint WHERE id = $1"
    assert await hooks.connection.fetchval(state, endpoint.id) == State.ACTIVE


async def test_what_no_handle_was_there_for_is_free_again_after_a_stop(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = asyncio.Event()

    async def post(*_: object, **__: object) -> client.Attempt:
        asked.set()
        return client.Attempt(error=client.Failure.NO_HANDLES, milliseconds=0)

    monkeypatch.setattr(worker, "UNSAID_SECONDS", POLL_SECONDS)
    monkeypatch.setattr(client.WebhookClient, "post", post)
    async with hooks.serving():
        endpoint = await hooks.endpoint("final")
        await hooks.tell()
        await asyncio.wait_for(asked.wait(), WAIT_SECONDS)
    [row] = await hooks.waiting(endpoint)
    assert (row["owner"], row["attempt"]) == (0, 0)
    assert await hooks.logged() == []


async def test_what_cannot_be_signed_today_is_tried_again(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("final")
    # As of an endpoint that was sealed with another key.
    await hooks.connection.execute("UPDATE webhook_endpoint SET secrets_enc = NULL")
    async with hooks.serving():
        await hooks.tell()
        await hooks.until("SELECT count(*)::int FROM webhook_attempt", 1)
        assert await hooks.logged() == [(1, LogState.FAILED, None)]
        error = await hooks.connection.fetchval("SELECT error FROM webhook_attempt")
        assert error == "secret_unreadable"
        assert len(await hooks.waiting(endpoint)) == 1


async def test_a_deleted_endpoint_is_told_nothing_more(hooks: Hooks) -> None:
    async with receiving() as receiver, hooks.serving() as webhooks:
        endpoint = await hooks.endpoint("final", url=receiver.url)
        await hooks.enter(endpoint, State.PAUSED)
        await webhooks.subscriptions.settled(alone=True)
        await hooks.tell(3)
        await hooks.until(NOTHING_WAITS, 3)
        async with hooks.connection.transaction():
            assert await endpoints.delete(hooks.connection, 1, endpoint.id, now())
        await webhooks.tidying.turn()
        await hooks.until(NOTHING_WAITS, 0)
        assert receiver.heard == []


async def test_a_long_backlog_is_counted_in_fewer_turns(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlr.webhooks.tidying.COUNTED_QUICKLY", 1)
    endpoint = await hooks.endpoint("final", url="https://shop.example/")
    await hooks.enter(endpoint, State.PAUSED)
    await hooks.subscriptions.learn(hooks.connection)
    waiting = Waiting()
    tidying = Tidying(
        hooks.database.dedicated("tidying"), hooks.subscriptions, waiting, ids=hooks.ids, now=now,
        freed=lambda: None, ended=lambda _: None,
    )  # fmt: skip
    counted = []
    for _ in range(6):
        await tidying.turn()
        counted.append(waiting.events)
        await hooks.tell()
        await hooks.fanned()
    assert counted == [0, 1, 1, 3, 3, 3]


async def test_what_cannot_be_stored_is_trouble_until_it_can(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlr.webhooks.results.RETRY_SECONDS", 0.01)
    async with receiving() as receiver, hooks.serving() as webhooks:
        assert webhooks.trouble() is None
        await hooks.connection.execute("ALTER TABLE webhook_attempt RENAME TO elsewhere")
        await hooks.endpoint("final", url=receiver.url)
        await hooks.tell()
        await receiver.until(1)
        async with asyncio.timeout(WAIT_SECONDS):
            while webhooks.trouble() is None:
                await asyncio.sleep(POLL_SECONDS)
        await hooks.connection.execute("ALTER TABLE elsewhere RENAME TO webhook_attempt")
        await hooks.until(NOTHING_WAITS, 0)
        async with asyncio.timeout(WAIT_SECONDS):
            while webhooks.trouble() is not None:
                await asyncio.sleep(POLL_SECONDS)
    assert await hooks.logged() == [(1, LogState.DELIVERED, 204)]
