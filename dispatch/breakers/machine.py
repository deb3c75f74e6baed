"""A breaker's states: what opens it, what it lets through, and what closes it.

Owns every change of a breaker. Must not know what it covers (scopes.py), nor store it (rows.py).
Pure: `now` is in ms since the epoch.

What is open sends nothing for a while. Then a counted number of messages goes as probes, and then
more. It closes when each round fared about as well as was usual before.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from dlr.rates import wilson

ROUNDS: Final = (20, 100, 500)  # messages, each round behind the one before
TOLERANCE: Final = 0.05  # below the usual share, which the upper bound of a round has to reach
BASELINE_DEFAULT: Final = 0.95
BACK_OFF_MIN_MS: Final = 5 * 60_000
BACK_OFF_MAX_MS: Final = 60 * 60_000
WAIT_MIN_MS: Final = 60_000
WAIT_MAX_MS: Final = 15 * 60_000
IDLE_MS: Final = 24 * 60 * 60_000  # half open, and nothing was sent: what it was about is over
IDLE_FAILED_MS: Final = 7 * IDLE_MS  # the same where some probes had failed, but not too many
FORGET_MS: Final = 24 * 60 * 60_000  # closed for so long, it begins anew at the shortest back-off


class State(IntEnum):
    """As stored. The forced ones are by hand and have an end."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    FORCED_OPEN = 3
    FORCED_CLOSED = 4

    @property
    def label(self) -> str:
        """In the API."""
        return self.name.lower()

    @property
    def holds(self) -> bool:
        """Whether messages are kept back, all or all but the probes."""
        return self in (State.OPEN, State.HALF_OPEN, State.FORCED_OPEN)


class Breaker(msgspec.Struct, frozen=True, kw_only=True):
    """`until`: when the next state begins by itself. `failures`: openings that are not forgotten.

    `taken` probes of the present round were let through, the last at `taken_at`. `evidence_from`:
    what was counted before says nothing about it any more. `wait_ms`: after the last probe of a
    round, until most of its receipts are there.
    """

    state: State = State.CLOSED
    since: int = 0
    until: int | None = None
    failures: int = 0
    round: int = 0
    taken: int = 0
    taken_at: int | None = None
    baseline: float = BASELINE_DEFAULT
    wait_ms: int = WAIT_MIN_MS
    evidence_from: int = 0


class Probes(msgspec.Struct, frozen=True):
    """What became of the probes of a round; the others have no final status yet."""

    delivered: int
    failed: int


def back_off_ms(failures: int) -> int:
    """After so many failures, 1 or more."""
    return min(BACK_OFF_MIN_MS << min(failures - 1, 8), BACK_OFF_MAX_MS)


def passes(delivered: int, probes: int, baseline: float) -> bool:
    """Whether so many of a whole round are not certainly fewer than was usual."""
    return wilson(delivered, probes)[1] >= baseline - TOLERANCE


def may_open(breaker: Breaker, evidence_began: int) -> bool:
    """Whether what was counted from then on may open it."""
    return breaker.state is State.CLOSED and evidence_began >= breaker.evidence_from


def opened(breaker: Breaker, now: int, *, baseline: float, wait_ms: int) -> Breaker:
    """Open by itself. One that is not closed stays as it is."""
    if breaker.state is not State.CLOSED:
        return breaker
    failures = 0 if now - breaker.since >= FORGET_MS else breaker.failures
    known = msgspec.structs.replace(
        breaker,
        failures=failures,
        baseline=baseline,
        wait_ms=min(max(wait_ms, WAIT_MIN_MS), WAIT_MAX_MS),
    )
    return _failed(known, now)


def forced(
    breaker: Breaker, now: int, *, shut: bool, until: int, baseline: float | None = None
) -> Breaker:
    """By hand until then: `shut` lets nothing through, otherwise everything goes. `baseline` None:
    as before.
    """
    if baseline is not None:
        breaker = msgspec.structs.replace(breaker, baseline=baseline)
    state = State.FORCED_OPEN if shut else State.FORCED_CLOSED
    return _entered(breaker, state, now, until)


def due(breaker: Breaker, now: int) -> Breaker:
    """What it has become by the passing of time. One that opened later than now did so by a clock
    that was set back since: its wait is over. What was forced has the moment that somebody named.
    """
    if breaker.until is None:
        return breaker
    set_back = breaker.state is State.OPEN and now < breaker.since
    if now < breaker.until and not set_back:
        return breaker
    if breaker.state is State.FORCED_CLOSED:
        return _closed(breaker, now)
    return _entered(breaker, State.HALF_OPEN, now, None)


def room(breaker: Breaker) -> int:
    """How many probes may still go in this round."""
    if breaker.state is not State.HALF_OPEN:
        return 0
    return max(0, ROUNDS[breaker.round] - breaker.taken)


def taken(breaker: Breaker, probes: int, now: int) -> Breaker:
    """So many more were let through. Raises ValueError when there is no room for them."""
    if not 0 <= probes <= room(breaker):
        raise ValueError(f"{probes} probes, and room for {room(breaker)}")
    return msgspec.structs.replace(breaker, taken=breaker.taken + probes, taken_at=now)


def given_back(breaker: Breaker, probes: int) -> Breaker:
    """So many did not go after all: other messages take their place."""
    return msgspec.structs.replace(breaker, taken=max(0, breaker.taken - probes))


def judged(breaker: Breaker, probes: Probes, now: int) -> Breaker:
    """What it becomes by its probes. Only a whole round passes; it fails as soon as it must.

    Where nothing was sent for a day it closes: its batch or campaign has ended. Where probes failed
    it waits for a week, and no longer: each that holds takes one of HOLDING_MAX places.
    """
    if breaker.state is not State.HALF_OPEN:
        return breaker
    size = ROUNDS[breaker.round]
    best = size - probes.failed
    if best < 0 or not passes(best, size, breaker.baseline):
        return _failed(breaker, now)
    last = breaker.since if breaker.taken_at is None else breaker.taken_at
    idle = IDLE_FAILED_MS if probes.failed else IDLE_MS
    if now - last >= idle and breaker.taken < size:
        return _closed(breaker, now)
    waited = breaker.taken_at is not None and not (
        breaker.taken_at <= now < breaker.taken_at + breaker.wait_ms
    )
    ended = probes.delivered + probes.failed >= size
    if breaker.taken < size or not (waited or ended):
        return breaker
    if not passes(min(probes.delivered, size), size, breaker.baseline):
        return _failed(breaker, now)
    if breaker.round + 1 == len(ROUNDS):
        return _closed(breaker, now)
    return msgspec.structs.replace(breaker, round=breaker.round + 1, taken=0, taken_at=None)


def _failed(breaker: Breaker, now: int) -> Breaker:
    failures = breaker.failures + 1
    known = msgspec.structs.replace(breaker, failures=failures)
    return _entered(known, State.OPEN, now, now + back_off_ms(failures))


def _closed(breaker: Breaker, now: int) -> Breaker:
    closed = _entered(breaker, State.CLOSED, now, None)
    return msgspec.structs.replace(closed, evidence_from=now)


def _entered(breaker: Breaker, state: State, now: int, until: int | None) -> Breaker:
    return msgspec.structs.replace(
        breaker, state=state, since=now, until=until, round=0, taken=0, taken_at=None
    )
