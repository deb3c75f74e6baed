"""The rollups of this process: what they are given, and their counters for /metrics.

Owns that wiring alone. Must not start anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from campaigns.events.naming import MessageOutcomes
from dlr.rollups.service import Rollups
from storage import sql
from storage.retention import Forgets
from web.samples import Sample

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> None:
    """Called when the sending side stands. Sets rollups."""
    commits = rooms.dispatcher.recorder.commits
    rooms.rollups = Rollups(
        rooms.database.dedicated("rollups"),
        rests=lambda: commits.waiting * 2 >= commits.items_waiting_max,
        wall_ms=rooms.clock.wall_ms,
        monotonic=lambda: rooms.clock.monotonic_ns() / 1e9,
        outcomes=MessageOutcomes(),
        ended=rooms.task_ended,
    )


def forgets() -> tuple[Forgets, ...]:
    """What deletes rows of rollups."""
    statements = sql.load("dlr")
    return tuple(
        Forgets(table, kept, statements[statement])
        for table, kept, statement in (
            ("rollup_cell", "rollups", "rollup_cells_purge"),
            ("rollup_reason", "rollups", "rollup_reasons_purge"),
            ("rollup_attempt", "rollups", "rollup_attempts_purge"),
            ("rollup_latency", "rollups", "rollup_latencies_purge"),
            ("rollup_tag", "rollup_tags", "rollup_tags_purge"),
            ("rollup_latency_day", "rollup_totals", "rollup_latency_days_purge"),
            ("rollup_day", "rollup_totals", "rollup_days_purge"),
            ("rollup_day_state", "rollup_totals", "rollup_day_states_purge"),
        )
    )


def samples(rooms: Rooms) -> Iterator[Sample]:
    """What was counted, and what could not be."""
    merger, recounter = rooms.rollups.merger, rooms.rollups.recounter
    for kind, count in (
        ("first", merger.messages_counted),
        ("again", merger.messages_changed),
        ("in_doubt", merger.messages_dirty),
    ):
        yield Sample("sms_rollup_messages_total", count, (kind,))
    for of in ("cells", "codes", "tags"):
        yield Sample("sms_rollup_others_total", merger.others[of], (of,))
    yield Sample("sms_rollup_merge_seconds_total", merger.seconds)
    yield Sample("sms_rollup_changes_waiting", merger.changes_waiting)
    if merger.counted_until is not None:  # it grows while merges fail
        lag = rooms.clock.wall_ms() / 1000 - merger.counted_until.timestamp()
        yield Sample("sms_rollup_lag_seconds", max(0.0, lag))
    yield Sample("sms_rollup_recounts_total", recounter.days)
    for cause in ("doubt", "small", "large"):
        yield Sample("sms_rollup_mended_total", recounter.mended[cause], (cause,))
    yield from _cohorts(rooms)


def _cohorts(rooms: Rooms) -> Iterator[Sample]:
    for connector, rate in rooms.rollups.cohorts.rates.items():
        label = (rooms.registry.connector_name(connector) or "",)
        yield Sample("sms_cohort_sent", rate.denominator, label)
        for name, value in (("", rate.value), ("_low", rate.low), ("_high", rate.high)):
            if value is not None:
                yield Sample(f"sms_cohort_delivery_rate{name}", value, label)
