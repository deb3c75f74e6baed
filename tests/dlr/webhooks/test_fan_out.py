"""From a change to events and deliveries: who is told, what, in which order, and nothing twice."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.in_doubt import drop
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions
from dlr.reasons import Reason
from dlr.receipt_rows import ReceiptRow
from dlr.silence import give_up
from dlr.status import Status, fold
from dlr.webhooks import deliveries, endpoints, events
from dlr.webhooks.changes import (
    MessageEvent,
    happened,
    tell,
    tell_messages,
    tell_of_messages,
    tell_rows,
)
from dlr.webhooks.endpoint_state import State
from storage.ids import format_id, id_at
from tests.dlr.webhooks.world import BOX, MASKED, NUMBER, VAULT, Hooks, now


async def stored(hooks: Hooks, *rows: SubmissionRow) -> bool:
    """As the recorder stores results."""
    async with hooks.connection.transaction():
        await insert_submissions(hooks.connection, rows)
        return await hooks.log.put(hooks.connection, rows, [])


async def received(hooks: Hooks, row: SubmissionRow, status: Status, **given: object) -> None:
    """As the recorder applies a receipt."""
    receipt = ReceiptRow(
        connector=7, carrier_id="1", submission_id=row.id, status=status, reason=Reason.NONE,
        error=None, done_at=now(), received_at=now(), certain=True,
    )  # fmt: skip
    for name, value in given.items():
        setattr(receipt, name, value)
    async with hooks.connection.transaction():
        applied = await apply_receipts(hooks.connection, [receipt], hooks.ids)
        await hooks.log.put(hooks.connection, [], applied)


async def test_with_nobody_to_tell_nothing_is_written(hooks: Hooks) -> None:
    assert not await stored(hooks, hooks.part(await hooks.message()))
    await tell_messages(hooks.connection, [(1, 1)], hooks.ids)
    await tell(hooks.connection, [happened("connector.down", 0, now(), {})], hooks.ids)
    assert await hooks.count("webhook_change") == 0


async def test_a_message_is_told_as_it_changes(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("message.*")
    message = await hooks.message(client_ref="order 7", tags=["spring"])
    row = hooks.part(message)
    await stored(hooks, row)
    await hooks.fanned()
    await received(hooks, row, Status.UNDELIVERED, reason=Reason.HANDSET_UNREACHABLE, error="021")
    await hooks.fanned()
    sent, undelivered = await hooks.events()
    assert (sent["type"], undelivered["type"]) == ("message.sent", "message.undelivered")
    data = undelivered["data"]
    assert data["done_at"].endswith("Z")
    assert data["created_at"].endswith("Z")
    assert {**data, "done_at": None, "created_at": None} == {
        "to": MASKED, "id": format_id("msg", message), "status": "undelivered", "previous": "sent",
        "final": True, "sequence": Status.UNDELIVERED, "from": "SHOP", "category": "transactional",
        "parts": 1, "parts_delivered": 0, "client_ref": "order 7", "batch_id": None,
        "campaign_id": None, "variant": None, "tags": ["spring"], "created_at": None,
        "done_at": None, "callback_data": None,
        "error": {"code": "handset_unreachable", "permanent": False, "carrier_code": "021"},
    }  # fmt: skip
    assert len(await hooks.waiting(endpoint)) == 2
    assert await hooks.count("webhook_change") == 0


async def test_a_filter_decides_what_is_made_at_all(hooks: Hooks) -> None:
    endpoint = await hooks.endpoint("final")
    others = await hooks.endpoint("message.sent", account=2)
    message = await hooks.message()
    row = hooks.part(message)
    assert not await stored(hooks, row)
    await received(hooks, row, Status.DELIVERED)
    await hooks.fanned()
    assert await hooks.statuses() == [("delivered", "sent", Status.DELIVERED)]
    assert len(await hooks.waiting(endpoint)) == 1
    assert await hooks.waiting(others) == []


async def test_w18_any_order_of_changes_ends_at_the_highest_sequence(hooks: Hooks) -> None:
    """Two processes write down; what the second one knows may be fanned out first."""
    await hooks.endpoint("message.*")
    message = await hooks.message()
    row = hooks.part(message)
    async with hooks.connection.transaction():
        await insert_submissions(hooks.connection, [row])
    await received(hooks, row, Status.DELIVERED)
    await hooks.fanned()
    await tell_rows(hooks.connection, [row], hooks.ids)  # "sent", later
    await hooks.fanned()
    assert await hooks.statuses() == [("delivered", "sent", Status.DELIVERED)]
    assert events.standing([events.PartState(Status.SENT)], 1).sequence < Status.DELIVERED


async def test_a_part_that_is_delivered_before_another_has_a_status_stops_nobody(
    hooks: Hooks,
) -> None:
    """A session broke between the two: the second part is in doubt, and is sent once more."""
    await hooks.endpoint("message.*")
    message = await hooks.message(parts=2)
    first, second = (hooks.part(message, part=part, parts=2) for part in (1, 2))
    await stored(hooks, first)
    await received(hooks, first, Status.DELIVERED)
    await hooks.fanned()
    assert await hooks.statuses() == [("sent", None, Status.DELIVERED)]
    await stored(hooks, second)
    await received(hooks, second, Status.DELIVERED)
    await hooks.fanned()
    assert (await hooks.statuses())[-1] == ("delivered", "sent", 2 * Status.DELIVERED)


@given(st.lists(st.sampled_from(Status), min_size=1, max_size=4), st.integers(0, 4))
def test_a_message_stands_somewhere_whatever_its_parts_are(parts: list[Status], of: int) -> None:
    stands = events.standing([events.PartState(part) for part in parts], of)
    assert stands.status is fold(parts, of=of)


@pytest.mark.parametrize(
    ("said", "word"),
    [(Status.UNCONFIRMED, "unconfirmed"), (Status.EXPIRED, "expired"), (Status.FAILED, "failed")],
)
async def test_what_a_further_way_came_to_is_told_above_all_that_was_told_before(
    hooks: Hooks, said: Status, word: str
) -> None:
    """It may have fewer parts, or end lower. A late delivery by the first way is above that, too;
    what the further way comes to then is no news.
    """
    await hooks.endpoint("message.*")
    message = await hooks.message(parts=3)
    rows = [hooks.part(message, part=part, parts=3) for part in (1, 2, 3)]
    await stored(hooks, *rows)
    await hooks.fanned()
    await hooks.connection.execute("UPDATE submission SET replaced = true")
    await stored(hooks, hooks.part(message, said, way=1))
    await hooks.fanned()
    await received(hooks, rows[0], Status.UNDELIVERED)  # the way before: it does not count
    await hooks.fanned()
    for row in rows:
        await received(hooks, row, Status.DELIVERED)
    await stored(hooks, hooks.part(message, Status.FAILED, way=1))
    await hooks.fanned()
    told = await hooks.statuses()
    assert [status for status, _, _ in told] == ["sent", word, "delivered"]
    assert [sequence for _, _, sequence in told] == sorted({each[2] for each in told})


async def test_parts_are_one_message_and_its_sequence_rises(hooks: Hooks) -> None:
    await hooks.endpoint("message.*")
    message = await hooks.message(parts=2)
    rows = [hooks.part(message, part=part, parts=2) for part in (1, 2)]
    await stored(hooks, *rows)
    await hooks.fanned()
    await received(hooks, rows[0], Status.DELIVERED)
    await hooks.fanned()
    await received(hooks, rows[1], Status.DELIVERED)
    await hooks.fanned()
    assert await hooks.statuses() == [
        ("sent", None, 2 * Status.SENT),
        ("delivered", "sent", 2 * Status.DELIVERED),
    ]
    assert (await hooks.events())[-1]["data"]["parts_delivered"] == 2


async def test_what_ends_or_is_given_up_elsewhere_is_told(hooks: Hooks) -> None:
    await hooks.endpoint("message.*")
    suppressed, silent, doubtful = [await hooks.message() for _ in range(3)]
    connection = hooks.connection
    async with connection.transaction():
        ended = hooks.part(suppressed, Status.SUPPRESSED, part=0, reason=Reason.OPTED_OUT)
        await insert_submissions(connection, [ended])
        await tell_rows(connection, [ended], hooks.ids)
    await stored(hooks, hooks.part(silent), hooks.part(doubtful, Status.UNCONFIRMED))
    await hooks.fanned()
    async with connection.transaction():
        later = now() + timedelta(hours=1)
        given_up = await give_up(connection, id_at(now() - timedelta(1)), later, after_hours=0)
        await tell_messages(connection, given_up.changed, hooks.ids)
        await drop(connection, [doubtful])
        await tell_messages(connection, [(doubtful, 1)], hooks.ids)
    await hooks.fanned()
    assert await hooks.statuses() == [
        ("suppressed", None, 71),
        ("sent", None, 10),
        ("unconfirmed", None, 5),
        ("unknown", "sent", 20),
        ("failed", "unconfirmed", 15),
    ]
    assert (await hooks.events())[0]["data"]["error"] == {
        "code": "opted_out", "permanent": True, "carrier_code": None,
    }  # fmt: skip


async def test_other_events_with_their_number_sealed(hooks: Hooks) -> None:
    told = await hooks.endpoint("recipient.*", "endpoint.*")
    spared = await hooks.endpoint("endpoint.*")
    other = await hooks.endpoint("connector.down", account=2)
    await tell(
        hooks.connection,
        [
            happened("recipient.opted_out", 1, now(), {"scope": "all"}, number=VAULT.seal(NUMBER)),
            happened("endpoint.failing", 1, now(), {"reason": "x"}, spared=spared.id),
            happened("connector.down", 0, now(), {"connector": "carrier-a"}),
        ],
        hooks.ids,
    )
    assert NUMBER[3:].encode() not in await hooks.connection.fetchval(
        "SELECT changes FROM webhook_change"
    )
    await hooks.fanned()
    row = await hooks.connection.fetchrow("SELECT * FROM webhook_event ORDER BY id LIMIT 1")
    assert row is not None
    body = json.loads(row["body"])
    assert body["data"] == {"number": MASKED, "scope": "all"}
    whole = json.loads(events.with_number(row["body"], MASKED, VAULT.open(row["number_enc"])))
    assert whole == {**body, "data": {"number": NUMBER, "scope": "all"}}
    assert [len(await hooks.waiting(each)) for each in (told, spared, other)] == [2, 0, 1]


async def test_a_callback_is_told_under_its_origin(hooks: Hooks) -> None:
    callback = {"url": "https://shop.example/a?b=1", "data": {"order": 7}}
    silent = await hooks.message(callback=callback)
    await stored(hooks, hooks.part(silent, Status.DELIVERED))  # nobody has a callback secret yet
    await endpoints.store_callback_secrets(hooks.connection, BOX, 1, [])
    await hooks.subscriptions.learn(hooks.connection)
    for url in ("https://shop.example/a", "https://SHOP.example/b"):
        message = await hooks.message(callback={**callback, "url": url})
        row = hooks.part(message)
        await stored(hooks, row)
        await received(hooks, row, Status.DELIVERED)
    await hooks.fanned()
    rows = await hooks.waiting()
    assert [row["url"] for row in rows] == ["https://shop.example/a", "https://SHOP.example/b"]
    assert len({row["endpoint"] for row in rows}) == 1
    [origin] = hooks.subscriptions.endpoints.values()
    assert (origin.callback, origin.url) == (True, "https://shop.example")
    assert (await hooks.events())[-1]["data"]["callback_data"] == {"order": 7}


async def test_batches_share_a_row_up_to_their_bounds(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = await hooks.endpoint("final", batch_max=4, batch_wait_ms=5_000)
    ordered = await hooks.endpoint("final", ordered=True)
    rows = [hooks.part(await hooks.message(), Status.DELIVERED) for _ in range(10)]
    await stored(hooks, *rows)
    await hooks.fanned()
    assert [len(row["event_ids"]) for row in await hooks.waiting(batched)] == [4, 4, 2]
    assert all(row["next_at"] > now() for row in await hooks.waiting(batched))
    subjects = [row["subject"] for row in await hooks.waiting(ordered)]
    assert subjects == [row.message_id for row in rows]
    monkeypatch.setattr(deliveries, "BATCH_OCTETS_MAX", 1_000)
    await stored(hooks, *[hooks.part(await hooks.message(), Status.DELIVERED) for _ in range(3)])
    await hooks.fanned()
    assert [len(row["event_ids"]) for row in await hooks.waiting(batched)][3:] == [2, 1]


async def test_what_cannot_wait_is_skipped_and_stays_on_record(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    disabled = await hooks.endpoint("final")
    full = await hooks.endpoint("final")
    await hooks.enter(disabled, State.DISABLED)
    monkeypatch.setattr(deliveries, "WAITING_MAX", 5)
    hooks.waits[full.id] = 5
    await stored(hooks, hooks.part(await hooks.message(), Status.DELIVERED))
    await hooks.fanned()
    assert await hooks.waiting() == []
    rows = await hooks.connection.fetch("SELECT * FROM webhook_attempt ORDER BY id")
    assert [(row["endpoint"], row["state"], row["attempt"], row["error"]) for row in rows] == [
        (disabled.id, deliveries.LogState.SKIPPED, 0, "the endpoint is disabled"),
        (full.id, deliveries.LogState.SKIPPED, 0, "too many events wait"),
    ]
    [event] = await hooks.connection.fetch("SELECT id FROM webhook_event")
    assert all(row["event_ids"] == [event["id"]] for row in rows)
    assert hooks.fan_out.skipped == 2


async def test_w21_processes_that_race_make_each_event_once(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uniqueness comes from who takes the change out, not from a constraint over days."""
    await hooks.endpoint("message.*")
    monkeypatch.setattr("dlr.webhooks.fan_out.CHANGES_MAX", 10)
    messages = [await hooks.message() for _ in range(40)]
    for message in messages:
        await stored(hooks, hooks.part(message))
    others = [hooks.fan_out]
    for number in range(3):
        other = type(hooks.fan_out)(
            hooks.database.dedicated(f"other-{number}"), hooks.subscriptions, box=BOX, vault=VAULT,
            ids=hooks.ids, now=now, made=lambda _: None, waiting=lambda _: 0,
        )  # fmt: skip
        others.append(other)
    while await hooks.count("webhook_change"):
        await asyncio.gather(*(each.turn() for each in others))
    told = [event["data"]["id"] for event in await hooks.events()]
    assert sorted(told) == sorted(format_id("msg", message) for message in messages)


async def test_a_turn_that_dies_is_taken_again_whole(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hooks.endpoint("message.*")
    await stored(hooks, hooks.part(await hooks.message()))

    async def dies(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "open_all", dies)
        with pytest.raises(RuntimeError):
            await hooks.fan_out.turn()
    assert await hooks.events() == []
    await hooks.fanned()
    assert len(await hooks.waiting()) == len(await hooks.events()) == 1


async def test_who_looked_too_long_ago_asks_the_database(hooks: Hooks) -> None:
    """The rule by which a process that has not heard of an endpoint misses nothing for it."""
    clock = [0.0]
    hooks.subscriptions._monotonic = lambda: clock[0]
    await hooks.subscriptions.learn(hooks.connection)
    assert hooks.subscriptions.wanted() == {}
    await endpoints.create(
        hooks.connection, BOX,
        endpoints.Endpoint(id=1, account=1, url="https://a.example", events=("final",),
                           since=now(), created_at=now()),
    )  # fmt: skip
    assert hooks.subscriptions.wanted() == {}  # sure, as of its last look
    clock[0] = 10.0
    assert hooks.subscriptions.wanted() is None
    assert await stored(hooks, hooks.part(await hooks.message(), Status.DELIVERED))
    await hooks.fanned()
    assert len(await hooks.waiting()) == 1


async def test_a_message_that_was_taken_back_is_told_to_nobody(hooks: Hooks) -> None:
    await hooks.endpoint("message.*")
    await tell_messages(hooks.connection, [(hooks.ids.next(), 1)], hooks.ids)
    await hooks.fanned()
    assert await hooks.events() == []


async def test_what_else_happens_to_a_message_is_told_to_its_account(hooks: Hooks) -> None:
    """`link.clicked`, as the loader of clicks has it written down."""
    endpoint = await hooks.endpoint("link.clicked")
    other = await hooks.endpoint("link.clicked", account=2)
    assert hooks.subscriptions.wants("link.clicked")
    assert not hooks.subscriptions.wants("conversion.recorded")
    message = await hooks.message()
    clicks = [
        MessageEvent(each, now(), {"message_id": format_id("msg", each), "human": True})
        for each in (message, hooks.ids.next())  # the second one is gone
    ]
    await tell_of_messages(hooks.connection, "link.clicked", clicks, hooks.ids)
    await hooks.fanned()
    assert [len(await hooks.waiting(each)) for each in (endpoint, other)] == [1, 0]
    [event] = await hooks.events()
    assert event["data"] == {"message_id": format_id("msg", message), "human": True}
