"""Owns what goes wrong with whole sessions: which fault a session has, and when it strikes.

Must not touch messages. A session has at most one fault. Where a profile asks for several, the
sessions have them in turn. So every one comes up, and every reconnect meets the next.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Final

from smpp.server import ServerSession
from smpp.simulator.profile import Profile
from smpp.simulator.wire import SpoiledWire

UNBIND_NOW_SECONDS: Final = 0.0  # no drain: the answers are still to come


class Fault(Enum):
    """What a session does after so many submits, before it answers the last of them."""

    DISCONNECT = auto()  # the connection is cut
    UNBIND = auto()  # unbind, with the window full
    HALF_OPEN = auto()  # reads on, throws away, says nothing; the connection stays
    STOP_READING = auto()  # the TCP window goes to zero for stop_reading_seconds


class Faults:
    """All sessions of one simulator."""

    def __init__(self, profile: Profile, loop: asyncio.AbstractEventLoop) -> None:
        counts = (
            (Fault.DISCONNECT, profile.disconnect_after_submits),
            (Fault.UNBIND, profile.unbind_after_submits),
            (Fault.HALF_OPEN, profile.half_open_after_submits),
            (Fault.STOP_READING, profile.stop_reading_after_submits),
        )
        self._faults = [(fault, count) for fault, count in counts if count > 0]
        self._stop_reading_seconds = profile.stop_reading_seconds
        self._loop = loop
        self._opened = 0
        self._left: dict[ServerSession, tuple[Fault, int]] = {}
        self.struck: dict[Fault, int] = dict.fromkeys(Fault, 0)

    def opened(self, session: ServerSession) -> None:
        """The session is bound; from here its submits count."""
        if self._faults:
            self._left[session] = self._faults[self._opened % len(self._faults)]
            self._opened += 1

    def closed(self, session: ServerSession) -> None:
        """Forget it."""
        self._left.pop(session, None)

    def submitted(self, session: ServerSession, count: int) -> None:
        """So many submits came and are not answered yet: strike if that was the last one."""
        planned = self._left.get(session)
        if planned is None:
            return
        fault, left = planned
        if left > count:
            self._left[session] = fault, left - count
            return
        del self._left[session]
        self.struck[fault] += 1
        self._strike(session, fault)

    def _strike(self, session: ServerSession, fault: Fault) -> None:
        protocol = session.protocol
        match fault:
            case Fault.DISCONNECT:
                protocol.abort("the profile cuts the connection")
            case Fault.UNBIND:
                protocol.start_unbind(UNBIND_NOW_SECONDS)
            case Fault.HALF_OPEN:
                if isinstance(protocol.wire, SpoiledWire):
                    protocol.wire.dead = True
            case Fault.STOP_READING:
                protocol.pause_reading()
                self._loop.call_later(self._stop_reading_seconds, protocol.resume_reading)
