"""When a delivery is tried again, and when it is over.

Owns the ten attempts, their spread, and what `Retry-After` may change. Pure: `now` and chance are
arguments. Must not know an endpoint's state (endpoint_state.py).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import NamedTuple

MINUTE = 60
HOUR = 60 * MINUTE
# Before each attempt, counted from the one before it: 75 h 35 min in all. That is beyond the 72 h
# after which a message without a receipt becomes `unknown`.
WAITS_SECONDS = (
    0, 5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
ATTEMPTS_MAX = len(WAITS_SECONDS)
SPREAD = 0.2  # of a wait, up and down: what failed together does not come back together
ASKED_SECONDS_MAX = HOUR  # or twice the wait, if that is longer
REPLAY_PER_SECOND = 50
REPLAY_EVENTS_MAX = 20_000  # of one call, but for the last row's; it says where to go on
GONE = 410


class Verdict(Enum):
    """What becomes of a delivery after an attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    EXHAUSTED = "exhausted"  # the tenth attempt failed, too
    REFUSED = "refused"  # its URL may not be asked: no attempt would end otherwise
    GONE = "gone"  # 410: the endpoint is disabled by it


class Step(NamedTuple):
    """The verdict, and for RETRY how many seconds from now."""

    verdict: Verdict
    wait_seconds: float = 0.0


def succeeded(status: int | None) -> bool:
    """2xx, whatever the body says. Redirects are not followed and are failures."""
    return status is not None and 200 <= status <= 299


def step_after(
    attempt: int,
    *,
    status: int | None,
    refused: bool,
    retry_after: str | None,
    now: datetime,
    chance: float,
) -> Step:
    """What follows on attempt number `attempt` (1 the first), which ended with this status; with
    None when nothing was answered. `refused`: the URL itself may not be asked. `chance` is uniform
    in [0, 1).
    """
    if succeeded(status):
        return Step(Verdict.DELIVERED)
    if status == GONE:
        return Step(Verdict.GONE)
    if refused:
        return Step(Verdict.REFUSED)
    if attempt >= ATTEMPTS_MAX:
        return Step(Verdict.EXHAUSTED)
    asked = None if retry_after is None else retry_after_seconds(retry_after, now)
    return Step(Verdict.RETRY, wait_seconds(attempt, asked, chance))


def wait_seconds(attempt: int, asked: float | None, chance: float) -> float:
    """From attempt number `attempt` to the next one. What the receiver asked for can only make it
    longer, up to a bound, and is then spread upwards.
    """
    base = WAITS_SECONDS[attempt]
    if asked is None or asked <= base:
        return base * (1 - SPREAD + 2 * SPREAD * chance)
    return min(asked, _asked_max(attempt)) * (1 + SPREAD * chance)


def longest_seconds(attempt: int) -> float:
    """No wait from attempt number `attempt` to the next one is longer."""
    return _asked_max(attempt) * (1 + SPREAD)


def longest_replay_seconds() -> float:
    """No event of a replay waits longer for its turn."""
    return 2 * REPLAY_EVENTS_MAX / REPLAY_PER_SECOND  # the last row's events may be as many again


def retry_after_seconds(text: str, now: datetime) -> float | None:
    """The header `Retry-After`: seconds, or a date. None for what is neither."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - now).total_seconds())
    except (ValueError, OverflowError, IndexError, TypeError):
        return None


def _asked_max(attempt: int) -> int:
    return max(2 * WAITS_SECONDS[attempt], ASKED_SECONDS_MAX)
