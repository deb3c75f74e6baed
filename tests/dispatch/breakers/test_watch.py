"""From open over probes to closed, in the database, whichever process is there to see it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import asyncpg
import msgspec
import pytest

from dispatch.breakers import machine
from dispatch.breakers.bundles import Bundles
from dispatch.breakers.evidence import sample_rows
from dispatch.breakers.rows import Kept
from dispatch.breakers.scopes import Scope, UnknownSubject, batch_subject
from dispatch.breakers.watch import LEARNED_MS, PROBES_AGAIN_MS
from dispatch.holds import FREED_BY_HAND, Hold
from dispatch.message import Later, ReadyMessage
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.rollups.columns import COUNTS, day_of, quarter_of
from dlr.rollups.placing import CAMPAIGN, SENDER
from dlr.status import Status
from tests.dispatch.breakers.world import HOUR, MINUTE_MS, OTHER, Breakers, by_hand
from tests.dispatch.told import somebody_asks, told_others
from tests.dispatch.world import CONNECTOR, World, running

TEST = {"detector": "drop", "z": 5.2}


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


async def tripped(breakers: Breakers) -> None:
    """Opened by a detector, and past its first back-off."""
    assert await breakers.desk.trip(
        Scope.CONNECTOR, "sim", TEST, detector="drop", reason="fewer are delivered",
        began_ms=breakers.now(), baseline=0.95, wait_ms=MINUTE_MS,
    )  # fmt: skip
    await breakers.time_passes(machine.BACK_OFF_MIN_MS)


async def state(world: World) -> machine.State:
    return machine.State(await world.connection.fetchval("SELECT state FROM breaker"))


async def let_through(world: World, count: int) -> list[ReadyMessage]:
    """So many messages asked for an intent; those that went."""
    messages = world.messages(count)
    await world.store(messages)
    gone: list[ReadyMessage] = []
    for at in range(0, count, 100):
        part = messages[at : at + 100]
        (result,) = await world.intents.commit(world.intent(part))
        assert isinstance(result, dict)
        gone += [message for message in part if message.id not in result]
    return gone


async def end(
    world: World, messages: Sequence[ReadyMessage], status: Status, part: int = 1
) -> None:
    """As their answers and receipts are stored."""
    now = datetime.now(UTC)
    rows = [
        SubmissionRow(
            id=world.ids.next(), message_id=message.id, part=part, parts=1, account=1, category=1,
            connector=CONNECTOR, status=status, error="MK:0001", submitted_at=now, responded_at=now,
        )
        for message in messages
    ]  # fmt: skip
    await insert_submissions(world.connection, rows)
    await world.connection.execute(
        "DELETE FROM outbox WHERE id = ANY($1)", [message.id for message in messages]
    )


async def test_it_opens_probes_and_closes(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    await somebody_asks(world.connection, "breaker.*")
    await tripped(breakers)
    for size in machine.ROUNDS:
        gone = await let_through(world, size + 5)
        assert len(gone) == size
        await end(world, gone, Status.DELIVERED)
        assert await state(world) is machine.State.HALF_OPEN
        await breakers.time_passes(MINUTE_MS)
    assert await state(world) is machine.State.CLOSED
    assert not breakers.board
    assert await world.count("breaker_probe") == 0
    told = await told_others(world.connection)
    assert [kind for kind, *_ in told] == ["breaker.opened", "breaker.closed"]
    assert {account for _, account, *_ in told} == {0}


async def test_probes_that_fail_open_it_for_longer(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    await tripped(breakers)
    await end(world, await let_through(world, 20), Status.UNDELIVERED)
    await breakers.time_passes(0)
    assert await state(world) is machine.State.OPEN
    row = await world.connection.fetchrow("SELECT until, since, actor, reason FROM breaker")
    assert row is not None
    assert (row["until"] - row["since"]).total_seconds() == 600
    assert (row["actor"], row["reason"]) == (
        "probes", "of 20 probes 0 were delivered and 20 failed",
    )  # fmt: skip


async def test_a_probe_that_another_rule_stopped_says_nothing(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    await tripped(breakers)
    gone = await let_through(world, 20)
    await end(world, gone[:10], Status.SUPPRESSED, part=0)
    await world.connection.execute(
        "UPDATE outbox SET owner = 0, hold = $1, not_before = now() + interval '1 day'"
        " WHERE id = ANY($2)",
        Hold.QUIET_HOURS,
        [message.id for message in gone[10:13]],
    )
    await breakers.time_passes(MINUTE_MS)
    assert await world.connection.fetchval("SELECT taken FROM breaker") == 7
    assert len(await let_through(world, 20)) == 13


async def test_probes_come_from_what_waits(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    await breakers.desk.trip(
        Scope.CONNECTOR, "sim", TEST, detector="drop", reason="x", began_ms=breakers.now(),
        baseline=0.9, wait_ms=MINUTE_MS,
    )  # fmt: skip
    await breakers.watch.learn()
    assert await let_through(world, 30) == []
    await world.connection.execute(
        "UPDATE outbox SET owner = 0, hold = $1, not_before = $2", Hold.BREAKER, FREED_BY_HAND
    )
    await breakers.time_passes(machine.BACK_OFF_MIN_MS)
    # Not before every process knows that it probes: one that does not would hold them once more.
    assert await world.count("breaker_hold") == 30
    await breakers.time_passes(LEARNED_MS)
    due = await world.connection.fetchval(
        "SELECT count(*) FROM outbox WHERE hold = $1 AND not_before <= now()", Hold.RATE
    )
    assert due == 20
    for passed, let_go in ((1_000, 20), (PROBES_AGAIN_MS, 30)):  # there are no more
        await breakers.time_passes(passed)
        assert await world.count("breaker_hold") == 30 - let_go


async def test_probes_come_from_what_waits_although_much_of_it_has_expired(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    await breakers.desk.trip(
        Scope.CONNECTOR, "sim", TEST, detector="drop", reason="x", began_ms=breakers.now(),
        baseline=0.9, wait_ms=MINUTE_MS,
    )  # fmt: skip
    await breakers.watch.learn()
    assert await let_through(world, 45) == []
    await world.connection.execute(
        "UPDATE outbox SET owner = 0, hold = $1, not_before = $2", Hold.BREAKER, FREED_BY_HAND
    )
    await world.connection.execute(
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT 20)"
    )
    await breakers.time_passes(machine.BACK_OFF_MIN_MS)
    await breakers.time_passes(LEARNED_MS)
    due = await world.connection.fetchval(
        "SELECT count(*) FROM outbox WHERE hold = $1 AND not_before <= now()", Hold.RATE
    )
    assert due == machine.ROUNDS[0]


async def test_it_survives_the_process_that_opened_it(database_url: str) -> None:
    async with running(database_url) as first:
        breakers = Breakers(first)
        await breakers.open()
        held = first.message()
        await first.store([held])
        (result,) = await first.intents.commit(first.intent([held]))
        assert isinstance(result, dict)
        assert isinstance(result[held.id], Later)
        # It dies here: the message's row is still its own, and nothing is put off.
    async with running(database_url) as second:
        breakers = Breakers(second)
        assert await let_through(second, 1) != []
        await breakers.watch.learn()
        assert await let_through(second, 1) == []


async def test_what_waits_may_go_when_another_connector_comes_up(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open()
    assert await let_through(world, 2) == []
    await world.connection.execute(
        "UPDATE outbox SET owner = 0, hold = $1, not_before = $2", Hold.BREAKER, FREED_BY_HAND
    )
    await breakers.time_passes(1)
    assert await world.count("breaker_hold") == 2
    breakers.up.add(OTHER)
    await breakers.time_passes(1)
    assert await world.count("breaker_hold") == 0
    rows = await world.outbox()
    assert {row["hold"] for row in rows.values()} == {Hold.RATE}


@pytest.mark.parametrize("shut", [True, False])
async def test_by_hand_it_ends_by_itself(world: World, shut: bool) -> None:
    breakers = Breakers(world)
    change = breakers.desk.open if shut else breakers.desk.close
    stored, _ = await change(Scope.CONNECTOR, "sim", by_hand(HOUR))
    assert stored.breaker.state is (
        machine.State.FORCED_OPEN if shut else machine.State.FORCED_CLOSED
    )
    await breakers.time_passes(HOUR * 1000 + 1)
    expected = machine.State.HALF_OPEN if shut else machine.State.CLOSED
    assert await state(world) is expected


@pytest.mark.parametrize(
    ("scope", "subject", "usual"),
    [
        (Scope.CONNECTOR, "sim", 0.8),
        (Scope.CONNECTOR, "b", machine.BASELINE_DEFAULT),
        (Scope.OPERATOR, "sim:china mobile", 0.8),
        (Scope.SENDER, "default:SHOP", 0.7),
        (Scope.SENDER, "default:OTHER", machine.BASELINE_DEFAULT),
        (Scope.CAMPAIGN, "default:SHOP", 0.9),
    ],
)
async def test_by_hand_it_is_judged_by_what_was_usual_there(
    world: World, scope: Scope, subject: str, usual: float
) -> None:
    today = day_of(quarter_of(datetime.now(UTC)))
    sender, campaign = [
        await world.connection.fetchval(
            "INSERT INTO rollup_name (kind, name) VALUES ($1, 'SHOP') RETURNING id", kind
        )
        for kind in (SENDER, CAMPAIGN)
    ]
    traffic = ((sender, 0, 1, 700, 3), (0, campaign, 1, 900, 3), (sender, 0, 0, 0, 3),
               (sender, 0, 1, 0, 8))  # fmt: skip
    for named, of_campaign, category, delivered, days in traffic:
        key = await world.connection.fetchval(
            "INSERT INTO rollup_key (account, category, connector, sender, country, operator,"
            " campaign, variant) VALUES (1, $1, $2, $3, 1, $5, $4, 0) RETURNING id",
            category, CONNECTOR, named, of_campaign, days,
        )  # fmt: skip
        values = dict.fromkeys(COUNTS, 0) | {"accepted": 1000, "sent": 1000, "d1h": delivered}
        await world.connection.execute(
            f"INSERT INTO rollup_day (day, key, {', '.join(COUNTS)}) VALUES ($1, $2,"
            f" {', '.join(f'${at}' for at in range(3, 3 + len(COUNTS)))})",
            today - days, key, *(values[name] for name in COUNTS),
        )  # fmt: skip
    breakers = Breakers(world)
    stored, _ = await breakers.desk.open(scope, subject, by_hand())
    assert stored.breaker.baseline == usual


async def test_only_what_is_configured_opens_by_itself(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.SENDER])
    opened = [
        await breakers.desk.trip(
            scope, subject, TEST, detector="drop", reason="x", began_ms=breakers.now(),
            baseline=0.9, wait_ms=0,
        )
        for scope, subject in ((Scope.CONNECTOR, "sim"), (Scope.SENDER, "default:SHOP"))
    ]  # fmt: skip
    assert opened == [False, True]


async def test_g22_counts_of_before_it_closed_do_not_open_it_again(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    before = breakers.now()
    await breakers.desk.close(Scope.CONNECTOR, "sim", by_hand(1))
    await breakers.time_passes(2_000)
    opened = [
        await breakers.desk.trip(
            Scope.CONNECTOR, "sim", TEST, detector="drop", reason="x", began_ms=began,
            baseline=0.9, wait_ms=0,
        )
        for began in (before, breakers.now())
    ]  # fmt: skip
    assert opened == [False, True]


async def test_the_bundle_has_samples_codes_and_numbers_masked(world: World) -> None:
    breakers = Breakers(world, by_itself=[Scope.CONNECTOR])
    failed, fine = world.messages(60), world.messages(5)
    await world.store([*failed, *fine])
    await end(world, failed, Status.UNDELIVERED)
    await end(world, fine, Status.DELIVERED)
    breakers.ahead = 1_000
    await tripped(breakers)
    evidence = await breakers.desk.evidence(Scope.CONNECTOR, "sim")
    assert evidence is not None
    told = msgspec.json.decode(evidence)
    assert told["now"]["statuses"] == {"undelivered": 60, "delivered": 5}
    assert told["now"]["codes"] == [
        {"code": "MK:0001", "status": "undelivered", "reason": "none", "parts": 60}
    ]
    assert told["then"]["parts"] == 0
    assert told["now"]["complete"]
    assert told["test"] == TEST
    assert len(told["samples"]) == 50
    assert all("****" in each["number"] for each in told["samples"])
    assert not any(message.to.encode() in evidence for message in failed)
    names, *table = sample_rows(evidence)
    assert names[:3] == ("message", "part", "submitted_at")
    assert len(table) == 50
    for stored, _ in await breakers.desk.listed():
        assert stored.evidence == Kept(len(evidence), sha256(evidence).hexdigest())


async def test_a_bundle_that_takes_too_long_keeps_nothing_open(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_slow(*_: object) -> bytes:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    breakers = Breakers(world)
    monkeypatch.setattr(Bundles, "of", too_slow)
    await breakers.open()
    assert await let_through(world, 1) == []
    found = await breakers.desk.shown(Scope.CONNECTOR, "sim")
    assert found is not None
    assert found[0].evidence is None


async def test_an_opening_whose_bundle_is_missing_does_not_show_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> bytes:
        raise asyncpg.QueryCanceledError("canceling statement due to statement timeout")

    breakers = Breakers(world)
    await breakers.open()
    first = await breakers.desk.shown(Scope.CONNECTOR, "sim")
    assert first is not None
    assert first[0].evidence is not None
    await breakers.desk.close(Scope.CONNECTOR, "sim", by_hand())
    monkeypatch.setattr(Bundles, "of", dies)
    await breakers.open()
    again = await breakers.desk.shown(Scope.CONNECTOR, "sim")
    assert again is not None
    assert again[0].evidence is None


async def test_who_opened_it_and_why_is_audited(world: World) -> None:
    breakers = Breakers(world)
    await breakers.open(Scope.SENDER, "default:+8610690001")
    row = await world.connection.fetchrow("SELECT actor, action, detail, text FROM audit")
    assert row is not None
    assert (row["actor"], row["action"]) == ("key 7", "breaker.open")
    assert row["detail"]["target"] == "default:8610690001"
    assert row["text"] == "they asked for it"


@pytest.mark.parametrize(
    ("scope", "subject"), [(Scope.CONNECTOR, "sim"), (Scope.OPERATOR, "sim:China Mobile")]
)
async def test_one_of_a_connector_that_is_no_longer_known_can_be_closed(
    world: World, scope: Scope, subject: str
) -> None:
    breakers = Breakers(world)
    await breakers.open(scope, subject)
    left = Breakers(world, connectors={"b": OTHER})
    found = await left.desk.shown(scope, subject)
    assert found is not None
    assert await left.desk.evidence(scope, subject) is not None
    stored, _ = await left.desk.close(scope, subject, by_hand())
    assert (stored.id, stored.breaker.state) == (found[0].id, machine.State.FORCED_CLOSED)
    with pytest.raises(UnknownSubject):
        await left.desk.close(scope, f"{subject}x".replace("sim", "gone"), by_hand())


async def test_one_of_a_batch_that_is_forgotten_can_be_closed(world: World) -> None:
    breakers = Breakers(world)
    batch = world.ids.next()
    await world.connection.execute(
        "INSERT INTO batch_control (id, account, until_id) VALUES ($1, 1, $1)", batch
    )
    await breakers.open(Scope.BATCH, batch_subject(batch))
    await world.connection.execute("DELETE FROM batch_control")
    stored, _ = await breakers.desk.close(Scope.BATCH, batch_subject(batch), by_hand())
    assert stored.breaker.state is machine.State.FORCED_CLOSED
