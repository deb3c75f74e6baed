"""Why a message waits in the outbox for its moment.

Owns the numbers stored in `outbox.hold` and what each is called. Must not decide when a message is
held: accept and the checks before the intent do.
"""

from __future__ import annotations

from enum import IntEnum

from dlr.status import Status
from storage.codecs import LATEST


class Hold(IntEnum):
    """The rule behind `outbox.not_before`. Messages that wait for a rate or a retry are
    `queued`.
    """

    NONE = 0
    RETRY = 1
    ACCOUNT_RATE = 2
    SCHEDULED = 3  # send_at
    SEND_WINDOW = 4
    QUIET_HOURS = 5
    FREQUENCY_GAP = 6  # too soon after the last message to this number
    PAUSED = 7  # its batch is paused: not_before is FREED_BY_HAND
    RECIPIENT_RATE = 8
    SENDER_RATE = 9
    ROUTE_RATE = 10
    RATE = 11  # a full timetable: the rates are asked again when its moment has come
    BREAKER = 12  # a breaker holds it: not_before is FREED_BY_HAND
    WISHED_DAY = 13  # the recipient wants none before this day

    @property
    def rule(self) -> str:
        """The name in timelines and decisions."""
        return self.name.lower()

    @property
    def status(self) -> Status:
        """What the API calls a message that waits for this."""
        return _STATUSES.get(self, Status.QUEUED)


_STATUSES = {
    Hold.SCHEDULED: Status.SCHEDULED,
    Hold.SEND_WINDOW: Status.HELD,
    Hold.QUIET_HOURS: Status.HELD,
    Hold.FREQUENCY_GAP: Status.HELD,
    Hold.WISHED_DAY: Status.HELD,
    Hold.PAUSED: Status.HELD,
    Hold.BREAKER: Status.HELD,
}

FREED_BY_HAND = LATEST  # later than any sweep looks
# All limits of such a message counted it for its moment, when that was given.
BOOKED = frozenset({Hold.ACCOUNT_RATE, Hold.SENDER_RATE, Hold.ROUTE_RATE, Hold.RECIPIENT_RATE})
Faster = tuple[Hold, int | None]  # (kind of limit, account); None: every account
