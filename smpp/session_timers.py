"""Owns the session's timers as pure functions (SMPP 3.4 section 7.2): which one is due next, and
when. Must not act on them, nor read a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from smpp.session_states import State


class Timer(Enum):
    """What falls due."""

    BIND = auto()  # nobody bound in time (session_init_timer)
    ENQUIRE_LINK = auto()  # silence: ask whether the peer is there
    SILENCE = auto()  # we asked and heard nothing at all
    RESPONSE = auto()  # the oldest request in flight has waited long enough (response_timer)
    INACTIVITY = auto()  # the peer has not used the session (inactivity_timer)
    DRAIN = auto()  # unbinding, and the window is still not empty
    UNBIND = auto()  # unbind was not answered


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSettings:
    """All in seconds; 0 switches enquire_link and inactivity off, the others must be above 0."""

    bind_seconds: float = 10.0
    enquire_link_seconds: float = 30.0
    response_seconds: float = 60.0
    inactivity_seconds: float = 0.0
    unbind_seconds: float = 5.0

    def shortest(self) -> float:
        """No deadline made from now on falls earlier than this many seconds from now."""
        return min(
            seconds
            for seconds in (
                self.bind_seconds,
                self.enquire_link_seconds,
                self.response_seconds,
                self.inactivity_seconds,
                self.unbind_seconds,
            )
            if seconds > 0
        )


@dataclass(slots=True)
class Clocks:
    """When the things that timers count from happened; None for what has not."""

    opened_at: float
    heard_at: float  # any inbound PDU, of whatever kind, is a sign of life (E57)
    enquired_at: float | None = None  # an enquire_link of ours, and nothing heard since
    drain_until: float | None = None
    unbind_sent_at: float | None = None


def first_due(
    state: State, clocks: Clocks, settings: TimerSettings, response_deadline: float | None
) -> tuple[float, Timer] | None:
    """What falls due first in this state, and when; None if nothing does."""
    if state is State.CLOSED:
        return None
    if state is State.OPEN:
        return due_while_open(clocks, settings)
    if state is State.UNBINDING:
        return due_while_unbinding(clocks, settings, response_deadline)
    return due_while_bound(clocks, settings, response_deadline)


def due_while_open(clocks: Clocks, settings: TimerSettings) -> tuple[float, Timer]:
    """Before the bind."""
    return clocks.opened_at + settings.bind_seconds, Timer.BIND


def due_while_bound(
    clocks: Clocks, settings: TimerSettings, response_deadline: float | None
) -> tuple[float, Timer] | None:
    """The earliest of response, enquire_link (or its answer), inactivity; None if all are off."""
    candidates: list[tuple[float, Timer]] = []
    if response_deadline is not None:
        candidates.append((response_deadline, Timer.RESPONSE))
    if clocks.enquired_at is not None:
        candidates.append((clocks.enquired_at + settings.response_seconds, Timer.SILENCE))
    elif settings.enquire_link_seconds > 0:
        candidates.append((clocks.heard_at + settings.enquire_link_seconds, Timer.ENQUIRE_LINK))
    if settings.inactivity_seconds > 0:
        candidates.append((clocks.heard_at + settings.inactivity_seconds, Timer.INACTIVITY))
    return min(candidates, key=lambda candidate: candidate[0], default=None)


def due_while_unbinding(
    clocks: Clocks, settings: TimerSettings, response_deadline: float | None
) -> tuple[float, Timer] | None:
    """Until unbind is sent the drain is bounded; after it, the wait for the answer."""
    if clocks.unbind_sent_at is not None:
        return clocks.unbind_sent_at + settings.unbind_seconds, Timer.UNBIND
    if clocks.drain_until is None:
        return None
    if response_deadline is not None and response_deadline < clocks.drain_until:
        return response_deadline, Timer.RESPONSE
    return clocks.drain_until, Timer.DRAIN
