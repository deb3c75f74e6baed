"""Owns when a request is sent again, and after how long. Chance is given.

Must not read a clock, or wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from smsgate_client.problems import ApiError

# The gateway says that nothing was done. Or, behind a proxy, nobody knows what was.
NOTHING_DONE = frozenset({429, 503})
NOBODY_KNOWS = frozenset({502, 504})
IN_PROGRESS = "idempotency_in_progress"
# The same question would take as long again.
NO_USE = "report_too_slow"


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How patient a client is.

    Between two attempts it waits a random part of a span that doubles from `base_seconds` to
    `longest_seconds`; a Retry-After is waited out besides. One that is longer than
    `retry_after_seconds_max` is no wait but an error.
    """

    attempts: int = 5
    base_seconds: float = 0.5
    longest_seconds: float = 20.0
    retry_after_seconds_max: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts is {self.attempts}; 1 is a single one, without a retry")
        if not 0 <= self.base_seconds <= self.longest_seconds:
            raise ValueError("base_seconds lies between 0 and longest_seconds")

    def wait(self, attempt: int, retry_after: float | None, chance: float) -> float | None:
        """Seconds from the end of an attempt, the first is 1, to the next one; None: no more.

        `chance` lies between 0 and 1.
        """
        if attempt >= self.attempts:
            return None
        span = min(self.longest_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 60))
        if retry_after is None:
            return chance * span
        if retry_after > self.retry_after_seconds_max:
            return None
        return retry_after + chance * span


def may_repeat(error: ApiError, *, repeatable: bool) -> bool:
    """Whether the same request may be sent again after this answer."""
    if error.code == NO_USE:
        return False
    if error.status in NOTHING_DONE or error.code == IN_PROGRESS:
        return True
    return repeatable and error.status in NOBODY_KNOWS


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None if it is neither."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
