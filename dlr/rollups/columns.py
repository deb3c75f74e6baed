"""The counted columns of the rollup tables, and how quarters and days are numbered.

Owns both, for those that write the tables and those that read them. Must not touch the database.
Pure.

A quarter is Unix seconds / 900 in UTC, a day is Unix days. A message is in the quarter in which it
was accepted.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from storage.ids import id_at, unix_ms_of

QUARTER_SECONDS = 900
QUARTERS_PER_DAY = 96

# What a message can become. What is in none of them is pending.
OUTCOMES = (
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "unknown",
    "failed",
    "suppressed",
    "capped",
    "canceled",
    "unconfirmed",
)
# Of rollup_cell, rollup_day and rollup_tag, in the order of the tables.
COUNTS = ("accepted", "sent", "parts", *OUTCOMES, "late", "d5m", "d1h")
# Of rollup_attempt: what can become of a message at one connector.
ATTEMPT_OUTCOMES = (
    "delivered",
    "undelivered",
    "expired",
    "rejected",
    "unknown",
    "failed",
    "unconfirmed",
)
ATTEMPT_COUNTS = ("attempts", *ATTEMPT_OUTCOMES)
# The numbers in rollup_latency.kind.
ANSWER = 0
RECEIPT = 1

# In place of a number of rollup_name.
NO_NAME = 0
OTHER = -1

_UNIX = datetime(1970, 1, 1, tzinfo=UTC)


def quarter_of(moment: datetime) -> int:
    """The quarter of this moment, which must be aware."""
    return (moment - _UNIX) // timedelta(seconds=QUARTER_SECONDS)


def quarter_of_id(identifier: int) -> int:
    """The quarter in which the message with this id was accepted."""
    return unix_ms_of(identifier) // (1000 * QUARTER_SECONDS)


def day_of(quarter: int) -> int:
    """The UTC day of a quarter."""
    return quarter // QUARTERS_PER_DAY


def start_of_quarter(quarter: int) -> datetime:
    """Its first moment, in UTC."""
    return _UNIX + timedelta(seconds=quarter * QUARTER_SECONDS)


def start_of_day(day: int) -> datetime:
    """Its first moment, in UTC."""
    return start_of_quarter(day * QUARTERS_PER_DAY)


def ids_of_day(day: int) -> tuple[int, int]:
    """(lowest message id of the UTC day, lowest of the next)."""
    return id_at(start_of_day(day)), id_at(start_of_day(day + 1))
