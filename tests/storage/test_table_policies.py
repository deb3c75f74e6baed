"""Every table of the schema says how its rows end, and what is said is what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from dlr.rollups.columns import ATTEMPT_COUNTS, COUNTS, day_of, quarter_of
from gateway.config.retention_settings import RetentionSettings
from gateway.wiring.maintaining import forgets, kept_days
from storage.ids import id_at
from storage.migrate import migrate
from storage.partitions import PARTITIONED
from storage.pool import Connection
from storage.retention import OF_MESSAGES, OTHERS, ROWS_PER_STEP_MAX, Forgets, KeptDays, Retention
from storage.table_policies import POLICIES, Ends
from tests.dispatch.world import wall_ms

NOW = datetime.now(UTC)
OLD, YOUNG = NOW - timedelta(days=40), NOW - timedelta(days=20)
FIELD = {name: name.removesuffix("_days") for name in RetentionSettings.__struct_fields__}


async def test_every_table_says_how_its_rows_end(connection: Connection) -> None:
    """A new table without a policy turns this red."""
    await migrate(connection)
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
        " AND relnamespace = current_schema()::regnamespace"
    )
    assert {row["relname"] for row in tables} == set(POLICIES)


def test_what_goes_by_days_is_dropped_and_what_goes_by_rows_is_deleted() -> None:
    dropped = {**dict.fromkeys(OF_MESSAGES, "messages"), **dict(OTHERS)}
    said = {table: policy for table, policy in POLICIES.items() if policy.ends is Ends.DAYS}
    assert set(said) == set(PARTITIONED)
    assert {table: FIELD[policy.by] for table, policy in said.items()} == dropped
    by_rows = {
        table: FIELD[policy.by] for table, policy in POLICIES.items() if policy.ends is Ends.ROWS
    }
    cut = {"audit": "audit"}  # in steps of its own: tests/storage/test_audit_cut.py
    assert by_rows == {each.table: each.kept for each in forgets()} | cut
    assert set(FIELD.values()) == set(KeptDays.__struct_fields__)


def test_a_policy_that_names_no_setting_says_it_in_words() -> None:
    for table, policy in POLICIES.items():
        if policy.ends not in (Ends.DAYS, Ends.ROWS):
            assert " " in policy.by, table


@pytest.mark.parametrize("each", forgets(), ids=lambda each: each.table)
async def test_rows_are_deleted_in_steps_and_younger_ones_stay(
    connection: Connection, each: Forgets
) -> None:
    table = each.table
    for number in range(ROWS_PER_STEP_MAX + 1):
        await _row(connection, table, OLD, number)
    for number in (5_000, 5_001):
        await _row(connection, table, YOUNG, number)
    retention = Retention(
        kept_days(RetentionSettings(**dict.fromkeys(FIELD, 30))), wall_ms, forgets=forgets()
    )
    await retention.turn(connection)
    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 2
    assert retention.rows_forgotten[table] == ROWS_PER_STEP_MAX + 1
    await retention.turn(connection)
    assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 2


async def _row(connection: Connection, table: str, at: datetime, number: int) -> None:
    made = id_at(at) + number
    rows: dict[str, dict[str, object]] = {
        "batch_control": {"id": made, "account": 1, "until_id": made},
        "owner_term": {
            "node": 1, "host": "h", "pid": 1, "pid_started": "1", "expires_at": at, "ended_at": at,
        },
        "click_gap": {"id": made, "since": at, "until": at, "lost": 1},
        "click_review": {"rules": number, "day": at.date(), "clicks": 1, "changed": 0, "at": at},
        "number_evidence": {
            "to_idx": number.to_bytes(16), "account": 1, "day": at.date(), "kind": "p", "reason": 2,
            "connector": 1, "message_id": made, "at": at, "to_enc": b"",
        },
        "webhook_endpoint": {
            "id": made, "account": 1, "url": f"https://{number}", "events": [], "deleted_at": at,
        },
        "suppression": {
            "to_idx": number.to_bytes(16), "account": 1, "category": -1, "reason": 1,
            "source": "api", "expires_at": at,
        },
        "anomaly": {
            "id": made, "detector": "drop", "scope": "connector", "subject": "a", "began_at": at,
            "finding": {},
        },
        "suppression_import": {
            "id": made, "account": 1, "actor": "key 1", "wanted": b"", "format": "csv",
            "dry_run": False, "state": "done", "term": 1, "run": 1, "rows_read": 0, "added": 0,
            "existing": 0, "refused": 0, "refused_by": {}, "ignored": [], "digest": b"",
            "touched_at": at,
        },
        "suppression_import_step": {
            "import_id": made, "first_row": 0, "refused": b"", "taken": b"",
        },
        "link": {
            "id": made, "account": 1, "domain": "s.example", "code": str(number), "target": "",
            "tags": [], "expires_at": at,
        },
        "import_job": {
            "id": made, "account": 1, "actor": "key 1", "asks": b"", "format": "csv",
            "mapping": {}, "mode": "fill", "dry_run": False, "state": "done",
        },
        **_rollups(at, number),
        "conversion": {
            "id": made, "account": 1, "reference": str(number), "fingerprint": b"", "event": "e",
            "occurred_at": at, "message_id": made,
        },
        "campaign_chunk": {
            "campaign": made, "no": 0, "version": 1, "batch": 1, "from_seq": 0, "to_seq": 0,
            "first_id": made, "owner": 1, "done": True,
        },
        "campaign_excluded": {"campaign": made, "contact": 1, "reason": "no_number"},
        "campaign_skip": {"campaign": made, "seq": 0, "version": 1, "reason": "number_gone"},
        "campaign_stat_batch": {"campaign": made, "batch": made},
        "campaign_stat": {
            "campaign": made, "batch": made, "version": 1, "arm": 0, "operator": 0, "segments": 0,
            "hour": 0, "counts": {},
        },
        "complaint": {
            "id": made, "account": 1, "reference": str(number), "fingerprint": b"", "to_idx": b"",
            "to_enc": b"", "source": "app", "at": at,
        },
    }  # fmt: skip
    values = rows[table]
    places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
    await connection.execute(
        f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", *values.values()
    )


def _rollups(at: datetime, number: int) -> dict[str, dict[str, object]]:
    counts = dict.fromkeys(COUNTS, 1)
    quarter = quarter_of(at)
    owner = {"quarter": quarter, "account": 1, "category": 1}
    return {
        "rollup_cell": {"quarter": quarter, "key": number, **counts},
        "rollup_day": {"day": day_of(quarter), "key": number, **counts},
        "rollup_day_state": {"day": day_of(quarter) - number % 5_000},
        "rollup_reason": {
            "quarter": quarter, "key": number, "status": 50, "reason": 1, "code": 0, "messages": 1,
        },
        "rollup_attempt": {**owner, "connector": number, **dict.fromkeys(ATTEMPT_COUNTS, 1)},
        "rollup_latency": {**owner, "connector": number, "kind": 0, "buckets": [], "counts": []},
        "rollup_latency_day": {
            "day": day_of(quarter), "account": 1, "category": 1, "connector": number, "kind": 0,
            "buckets": [], "counts": [],
        },
        "rollup_tag": {**owner, "tag": number, **counts},
    }  # fmt: skip


async def test_an_endpoint_stays_while_something_of_it_waits(connection: Connection) -> None:
    await _row(connection, "webhook_endpoint", OLD, 0)
    await connection.execute(
        "INSERT INTO webhook_delivery (id, endpoint, event_ids, next_at)"
        " VALUES (1, $1, '{}', now())",
        id_at(OLD),
    )
    retention = Retention(kept_days(RetentionSettings()), wall_ms, forgets=forgets())
    await retention.turn(connection)
    assert await connection.fetchval("SELECT count(*) FROM webhook_endpoint") == 1
    await connection.execute("DELETE FROM webhook_delivery")
    await retention.turn(connection)
    assert await connection.fetchval("SELECT count(*) FROM webhook_endpoint") == 0


async def test_an_upgrade_deletes_nothing_sooner_and_a_new_database_keeps_90_days(
    connection: Connection,
) -> None:
    await connection.execute("INSERT INTO installation (key_fingerprint) VALUES ('x')")
    unset = kept_days(RetentionSettings())
    retention = Retention(unset, wall_ms, forgets=forgets())
    for days in (100, 401):
        at = NOW - timedelta(days=days)
        await _row(connection, "batch_control", at, 0)
    await connection.execute("UPDATE installation SET keeps_as_before = true")
    await retention.turn(connection)
    assert await connection.fetchval("SELECT count(*) FROM batch_control") == 1
    await connection.execute("UPDATE installation SET keeps_as_before = DEFAULT")
    await retention.turn(connection)
    assert await connection.fetchval("SELECT count(*) FROM batch_control") == 0
    assert (unset.filled(as_before=False).inbound, unset.filled(as_before=True).inbound) == (
        90,
        400,
    )
