"""Retention: days go when they were kept long enough, and nothing that waits."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta

import pytest

from dlr.hygiene.evidence import keep_deliveries
from gateway.config.load import load_config
from gateway.config.retention_settings import RetentionSettings
from gateway.config.shape import ConfigError
from gateway.wiring.maintaining import forgets, kept_days
from storage.ids import id_at
from storage.partitions import ensure_partitions, leaf_name, oldest_day
from storage.pool import Connection, close_connection, connect
from storage.retention import DAYS_PER_TURN_MAX, OF_MESSAGES, Outlive, Retention

NOW = datetime.now(UTC)  # it stays today, also where midnight passes meanwhile
TODAY = NOW.date()
KEPT = 30
CUT = TODAY - timedelta(days=KEPT)


def keeping(*, outlive: Outlive | None = None, **days: int) -> Retention:
    """What is not named is kept for ever."""
    for_ever = dict.fromkeys(RetentionSettings.__struct_fields__, 0)
    settings = RetentionSettings(**for_ever | days)
    now_ms = int(NOW.timestamp() * 1000)
    return Retention(kept_days(settings), lambda: now_ms, forgets=forgets(), outlive=outlive)


def at(day: date, extra: int = 0) -> int:
    return id_at(datetime.combine(day, time(12), UTC)) + extra


async def days(connection: Connection, first: date) -> None:
    """Every day from `first` on."""
    await ensure_partitions(connection, first + timedelta(days=1), (TODAY - first).days)


async def message(connection: Connection, day: date, *, waits: bool = False) -> None:
    await connection.execute(
        "INSERT INTO message (id, account, category, connector, data_coding, parts, sender, to_enc,"
        " to_idx, text, batch_id) VALUES ($1, 1, 1, 1, 0, 1, 'SHOP', 'sealed', '', 'x', $2)",
        at(day), at(day, -1),
    )  # fmt: skip
    await connection.execute(
        "INSERT INTO batch_control (id, account, until_id, live) VALUES ($1, 1, $2, $3)",
        at(day, -1), at(day), waits,
    )  # fmt: skip
    if waits:
        await connection.execute(
            "INSERT INTO outbox (id, owner, connector, category, account, parts)"
            " VALUES ($1, 0, 1, 1, 1, 1)",
            at(day),
        )
        return
    await connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status)"
        " VALUES ($1, $2, 1, 1, 1, 1, 1, 60)",
        at(day, 1), at(day),
    )  # fmt: skip


async def kept(connection: Connection, table: str) -> set[int]:
    column = "message_id" if table == "submission" else "id"
    return {row[0] for row in await connection.fetch(f"SELECT {column} FROM {table}")}


async def test_what_is_older_goes_with_its_results_and_its_batch(connection: Connection) -> None:
    await days(connection, CUT - timedelta(days=2))
    for day in (CUT - timedelta(days=1), CUT, TODAY):
        await message(connection, day)
    retention = keeping(messages_days=KEPT, clicks_days=KEPT + 1)
    await retention.turn(connection)
    for table in ("message", "submission"):
        assert await kept(connection, table) == {at(CUT), at(TODAY)}
    assert await kept(connection, "batch_control") == {at(CUT, -1), at(TODAY, -1)}
    for table in OF_MESSAGES:
        assert await oldest_day(connection, table) == CUT
    assert await oldest_day(connection, "click") == CUT - timedelta(days=1)
    assert await oldest_day(connection, "inbound_message") == CUT - timedelta(days=2)
    assert (retention.days_dropped, retention.rows_forgotten["batch_control"]) == (
        2 * (len(OF_MESSAGES) + 1) + 1,
        1,
    )
    await retention.turn(connection)
    assert retention.days_dropped == 2 * (len(OF_MESSAGES) + 1) + 1


async def test_no_day_goes_while_a_message_of_it_or_before_waits(connection: Connection) -> None:
    waits, ended = CUT - timedelta(days=3), CUT - timedelta(days=2)
    await days(connection, CUT - timedelta(days=4))
    await message(connection, waits, waits=True)
    await message(connection, ended)
    retention = keeping(messages_days=KEPT)
    await retention.turn(connection)
    for table in OF_MESSAGES:
        assert await oldest_day(connection, table) == waits
    assert len(await kept(connection, "batch_control")) == 2
    await connection.execute("DELETE FROM outbox")
    await retention.turn(connection)
    assert await kept(connection, "message") == set()
    # Stopped batches are known to every process until one of them notices that nothing waits.
    assert await kept(connection, "batch_control") == {at(waits, -1)}


async def test_deliveries_outlive_their_messages_a_day_a_turn(connection: Connection) -> None:
    first = CUT - timedelta(days=2)
    await days(connection, first)
    for day in (first, first + timedelta(days=1), CUT):
        await message(connection, day)
    await connection.execute("UPDATE submission SET receipt_at = now()")
    told: list[tuple[date, date]] = []

    async def outlive(connection: Connection, since: datetime, until: datetime) -> None:
        told.append((since.date(), until.date()))
        await keep_deliveries(connection, since, until)

    retention = keeping(outlive=outlive, messages_days=KEPT)
    for left in (2, 1, 1):
        await retention.turn(connection)
        assert len(await kept(connection, "message")) == left
    assert told == [(first, first + timedelta(days=1)), (first + timedelta(days=1), CUT)]
    assert await connection.fetchval("SELECT count(*) FROM number_evidence WHERE kind = 'd'") == 1


async def test_one_process_drops_and_a_turn_is_bounded(
    connection: Connection, database_url: str
) -> None:
    first = CUT - timedelta(days=DAYS_PER_TURN_MAX + 2)
    await days(connection, first)
    retention = keeping(messages_days=KEPT)
    other = await connect(database_url, application_name="test")
    await other.execute("SELECT pg_advisory_lock(7307061107)")
    await retention.turn(connection)
    assert retention.days_dropped == 0
    await close_connection(other)
    async with asyncio.timeout(40):
        while not retention.days_dropped:  # the other session ends a moment after it is closed
            await retention.turn(connection)
    assert await oldest_day(connection, "message") == first + timedelta(days=DAYS_PER_TURN_MAX)
    await retention.turn(connection)
    assert await oldest_day(connection, "message") == CUT


async def test_kept_for_ever_and_what_a_dead_process_left(connection: Connection) -> None:
    old = CUT - timedelta(days=1)
    await days(connection, old)
    await message(connection, old)
    await keeping().turn(connection)
    assert await kept(connection, "message") == {at(old)}
    leaf = leaf_name("message", old)
    await connection.execute(f"ALTER TABLE message DETACH PARTITION {leaf}")  # and then it died
    await keeping(messages_days=KEPT).turn(connection)
    assert await connection.fetchval("SELECT to_regclass($1)", leaf) is None
    assert await oldest_day(connection, "message") == CUT


async def test_e94_raw_deliveries_go_by_a_time_of_their_own(connection: Connection) -> None:
    await days(connection, CUT - timedelta(days=2))
    await keeping(raw_days=KEPT).turn(connection)
    assert await oldest_day(connection, "raw_delivery") == CUT
    assert await oldest_day(connection, "message") == CUT - timedelta(days=2)
    assert RetentionSettings().raw_days == 30


async def test_w20_the_log_of_webhooks_goes_by_days(connection: Connection) -> None:
    await days(connection, CUT - timedelta(days=2))
    await keeping(webhooks_days=KEPT).turn(connection)
    assert await oldest_day(connection, "webhook_event") == CUT
    assert await oldest_day(connection, "webhook_attempt") == CUT
    assert await oldest_day(connection, "message") == CUT - timedelta(days=2)
    assert RetentionSettings().webhooks_days == 30


@pytest.mark.parametrize("days", [1, 6])
def test_too_few_days_are_refused(days: int) -> None:
    with pytest.raises(ConfigError, match=f"retention.clicks_days: {days} is too few; at least 7"):
        load_config(None, {"SMSGATE_RETENTION__CLICKS_DAYS": str(days)})
