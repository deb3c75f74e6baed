"""How well an endpoint takes what it is sent: its state, and how many requests it gets at once.

Owns the table of states and the adaptive number of requests. Pure: `now` in seconds, on a clock
that only rises, comes in. Must not send, store or wake anybody: who asks acts on what is returned.

    active    delivers; 20 failures in a row, or half of 20 or more in 5 minutes: failing
    failing   one probe at a time, 5 s doubling to 5 min; 3 that succeed in a row: active, slowly
    paused    by hand: nothing leaves, events wait
    disabled  410, 120 h of failures without a success, or by hand: nothing leaves, nothing waits
"""

from __future__ import annotations

from collections import deque
from enum import Enum, IntEnum
from typing import NamedTuple

MINUTE = 60.0
HOUR = 60 * MINUTE

AT_ONCE_FIRST = 4
AT_ONCE_MAX = 32
SUCCESSES_FOR_ONE_MORE = 100

IN_A_ROW_MAX = 20
WINDOW_SECONDS = 5 * MINUTE
WINDOW_COUNT_MIN = 20
SLICES = 30  # the window is counted in slices, so that its size does not depend on the traffic
SLICE_SECONDS = WINDOW_SECONDS / SLICES

PROBE_SECONDS_MIN = 5.0
PROBE_SECONDS_MAX = 5 * MINUTE
PROBES_TO_RECOVER = 3
RAMP_PER_SECOND = 5.0
RAMP_DOUBLING_SECONDS = 10.0
RAMP_SECONDS = 100.0  # 5 120 a second by then: no ramp any more
DISABLED_AFTER_SECONDS = 120 * HOUR
ROUNDING = 1e-6  # seconds and attempts: who waits as long as told finds room


class State(IntEnum):
    """What an endpoint is; the number stands in its row."""

    ACTIVE = 0
    FAILING = 1
    PAUSED = 2
    DISABLED = 3

    @property
    def label(self) -> str:
        """The name in the API, in metrics."""
        return self.name.lower()


class Outcome(Enum):
    """What an attempt says about the endpoint."""

    SUCCESS = "success"
    FAILURE = "failure"
    OVERRUN = "overrun"  # 429, 502, 503, 504, time-out: a failure, and fewer at once
    GONE = "gone"  # 410
    UNSAID = "unsaid"  # the attempt was given up by us


class Entered(NamedTuple):
    """A state that was entered, and why, in words for its owner."""

    state: State
    reason: str


class Ticket(NamedTuple):
    """An attempt under way: handed out by `start`, given back to `end`."""

    number: int
    probe: bool


OVERRUN_STATUSES = frozenset({429, 502, 503, 504})


def outcome_of(status: int | None, *, timed_out: bool) -> Outcome:
    """Of an answer with this status; None: there was none."""
    if status is None:
        return Outcome.OVERRUN if timed_out else Outcome.FAILURE
    if 200 <= status <= 299:
        return Outcome.SUCCESS
    if status == 410:
        return Outcome.GONE
    return Outcome.OVERRUN if status in OVERRUN_STATUSES else Outcome.FAILURE


class EndpointHealth:
    """One endpoint, as one process sees it."""

    __slots__ = (
        "_allowance",
        "_allowed_at",
        "_failures_since",
        "_halved_at",
        "_in_a_row",
        "_probe_at",
        "_probe_wait",
        "_probes_good",
        "_ramp_from",
        "_started",
        "_successes",
        "_window",
        "at_once",
        "in_flight",
        "state",
    )

    def __init__(
        self, state: State, now: float, *, failing_for_seconds: float | None = None
    ) -> None:
        """`failing_for_seconds`: how long the endpoint has failed already, as it is stored."""
        self.state = state
        self.at_once = AT_ONCE_FIRST
        self.in_flight = 0
        self._started = 0
        self._halved_at = 0
        self._successes = 0
        self._in_a_row = 0
        self._window = _Window()
        failing_for = failing_for_seconds or 0.0
        self._failures_since = now - failing_for if state is State.FAILING else None
        self._probe_wait = PROBE_SECONDS_MIN
        self._probe_at = now
        self._probes_good = 0
        self._ramp_from: float | None = None
        self._allowance = 0.0
        self._allowed_at = now

    def room(self, now: float) -> int:
        """How many attempts may start now."""
        if self.state is State.FAILING:
            return int(self.in_flight == 0 and now + ROUNDING >= self._probe_at)
        if self.state is not State.ACTIVE:
            return 0
        free = max(0, self.at_once - self.in_flight)
        if self._ramp(now) is None:
            return free
        return min(free, int(self._allowance + ROUNDING))

    def wait_seconds(self, now: float) -> float | None:
        """How long there is no room by time alone: 0.0 when there is some. None: an attempt has to
        end first, or somebody has to act.
        """
        if self.room(now):
            return 0.0
        if self.state is State.FAILING and self.in_flight == 0:
            return self._probe_at - now
        if self.state is not State.ACTIVE or self.in_flight >= self.at_once:
            return None
        rate = self._ramp(now)
        return None if rate is None else (1.0 - self._allowance) / rate

    def start(self, now: float) -> Ticket:
        """An attempt starts; there was room for it."""
        if not self.room(now):
            raise ValueError("there is no room for an attempt")
        self.in_flight += 1
        self._started += 1
        if self._ramp_from is not None:
            self._allowance -= 1.0
        return Ticket(self._started, self.state is State.FAILING)

    def end(self, ticket: Ticket, outcome: Outcome, now: float) -> Entered | None:
        """The attempt ended so. Returns the state that the endpoint enters by it, if it does."""
        self.in_flight -= 1
        if outcome is Outcome.UNSAID:
            return None
        if outcome is Outcome.GONE:
            return self._disabled("it answered 410 Gone")
        if outcome is Outcome.SUCCESS:
            return self._succeeded(ticket, now)
        return self._failed(ticket, outcome, now)

    def set_by_hand(self, state: State, now: float) -> None:
        """Its owner, or another process, put it in this state. Only what was disabled begins anew:
        who pauses and enables an endpoint keeps what is known of it.
        """
        if state is self.state:
            return
        if self.state is State.DISABLED:
            self._forget()
        self.state = state
        if state is State.FAILING:
            self._begin_probing(now)

    def _succeeded(self, ticket: Ticket, now: float) -> Entered | None:
        self._in_a_row = 0
        self._window.add(now, failed=False)
        self._failures_since = None
        if self.state is State.FAILING:
            return self._probe_succeeded(now) if ticket.probe else None
        self._successes += 1
        if self._successes >= SUCCESSES_FOR_ONE_MORE:
            self._successes = 0
            self.at_once = min(AT_ONCE_MAX, self.at_once + 1)
        return None

    def _probe_succeeded(self, now: float) -> Entered | None:
        self._probes_good += 1
        self._probe_wait = PROBE_SECONDS_MIN
        self._probe_at = now
        if self._probes_good < PROBES_TO_RECOVER:
            return None
        self.state = State.ACTIVE
        self.at_once = AT_ONCE_FIRST
        self._window = _Window()
        self._ramp_from = self._allowed_at = now
        self._allowance = 1.0
        return Entered(State.ACTIVE, f"{PROBES_TO_RECOVER} attempts in a row succeeded")

    def _failed(self, ticket: Ticket, outcome: Outcome, now: float) -> Entered | None:
        self._in_a_row += 1
        self._window.add(now, failed=True)
        if self._failures_since is None:
            self._failures_since = now
        if outcome is Outcome.OVERRUN and ticket.number > self._halved_at:
            # Those that are in flight already would say the same once more.
            self._halved_at = self._started
            self._successes = 0
            self.at_once = max(1, self.at_once // 2)
        if now - self._failures_since >= DISABLED_AFTER_SECONDS:
            return self._disabled("no attempt succeeded in 120 hours")
        if self.state is State.FAILING and ticket.probe:
            self._probes_good = 0
            self._probe_at = now + self._probe_wait
            self._probe_wait = min(PROBE_SECONDS_MAX, 2 * self._probe_wait)
        if self.state is not State.ACTIVE:
            return None
        return self._began_to_fail(now)

    def _began_to_fail(self, now: float) -> Entered | None:
        if self._in_a_row >= IN_A_ROW_MAX:
            reason = f"{IN_A_ROW_MAX} attempts in a row failed"
        elif self._window.is_bad(now):
            reason = "half of the attempts of the last 5 minutes failed"
        else:
            return None
        self.state = State.FAILING
        self._begin_probing(now)
        return Entered(State.FAILING, reason)

    def _begin_probing(self, now: float) -> None:
        self._probes_good = 0
        self._probe_at = now + PROBE_SECONDS_MIN
        self._probe_wait = 2 * PROBE_SECONDS_MIN
        self._ramp_from = None
        if self._failures_since is None:
            self._failures_since = now

    def _disabled(self, reason: str) -> Entered | None:
        if self.state is State.DISABLED:
            return None
        self.state = State.DISABLED
        return Entered(State.DISABLED, reason)

    def _forget(self) -> None:
        self.at_once = AT_ONCE_FIRST
        self._successes = 0
        self._in_a_row = 0
        self._window = _Window()
        self._failures_since = None
        self._ramp_from = None
        self._halved_at = self._started

    def _ramp(self, now: float) -> float | None:
        """Attempts a second while it recovers, the allowance made current; None: it is over."""
        if self._ramp_from is None:
            return None
        age = now - self._ramp_from
        if age >= RAMP_SECONDS:
            self._ramp_from = None
            return None
        rate: float = RAMP_PER_SECOND * 2 ** int(age / RAMP_DOUBLING_SECONDS)
        self._allowance = min(rate, self._allowance + rate * (now - self._allowed_at))
        self._allowed_at = now
        return rate


class _Window:
    """Attempts and failures of the last 5 minutes, in slices."""

    __slots__ = ("_failures", "_slices", "_total")

    def __init__(self) -> None:
        self._slices: deque[list[int]] = deque()  # number of the slice, attempts, failures
        self._total = 0
        self._failures = 0

    def add(self, now: float, *, failed: bool) -> None:
        number = int(now // SLICE_SECONDS)
        self._drop(number)
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append([number, 0, 0])
        last = self._slices[-1]
        last[1] += 1
        last[2] += failed
        self._total += 1
        self._failures += failed

    def is_bad(self, now: float) -> bool:
        self._drop(int(now // SLICE_SECONDS))
        return self._total >= WINDOW_COUNT_MIN and 2 * self._failures >= self._total

    def _drop(self, number: int) -> None:
        while self._slices and self._slices[0][0] <= number - SLICES:
            _, attempts, failures = self._slices.popleft()
            self._total -= attempts
            self._failures -= failures
