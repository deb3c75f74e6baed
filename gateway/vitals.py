"""What a running process knows of itself: its loop's lag, its lease, its clock, its disk.

Owns these looks. Must not judge them: docker/prometheus/alerts.py does.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

LAG_STEP_SECONDS = 0.1
LAG_SPAN_SECONDS = 60.0  # the worst of so long is told, so that no scrape misses it
LAG_SLOTS = 6


class WorstOf:
    """The largest value of the last LAG_SPAN_SECONDS, to within a slot of it. Pure."""

    def __init__(self) -> None:
        self._slots = [0.0] * LAG_SLOTS
        self._number = 0  # of the slot that runs

    def add(self, value: float, now: float) -> None:
        """One value, at this moment of a monotonic clock."""
        self._turn(now)
        slot = self._number % LAG_SLOTS
        self._slots[slot] = max(self._slots[slot], value)

    def worst(self, now: float) -> float:
        """0.0 without any."""
        self._turn(now)
        return max(self._slots)

    def _turn(self, now: float) -> None:
        number = int(now * LAG_SLOTS / LAG_SPAN_SECONDS)
        for each in range(max(self._number + 1, number - LAG_SLOTS + 1), number + 1):
            self._slots[each % LAG_SLOTS] = 0.0
        self._number = max(self._number, number)


class LoopLag:
    """How much later than asked the event loop runs what is due."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._worst = WorstOf()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look from now on, ten times a second."""
        due = self._monotonic() + LAG_STEP_SECONDS
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LAG_STEP_SECONDS, self._look, due)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def seconds(self) -> float:
        """The longest of the last minute."""
        return self._worst.worst(self._monotonic())

    def _look(self, due: float) -> None:
        now = self._monotonic()
        self._worst.add(max(0.0, now - due), now)
        self.start()


class Lease:
    """What the renewals of the owner term have shown. Moments are of the monotonic clock."""

    def __init__(self, ttl_seconds: float, monotonic: Callable[[], float]) -> None:
        """The term was acquired just now."""
        self._ttl_seconds = ttl_seconds
        self._monotonic = monotonic
        self._renewed_at = monotonic()
        self.database_up = True
        self.clock_skew = 0.0  # this machine's clock less the database's, seconds

    def renewed(self, began_at: float, skew: float) -> None:
        """The database took a renewal that began then."""
        self._renewed_at = began_at
        self.database_up = True
        self.clock_skew = skew

    def failed(self) -> None:
        """It did not answer."""
        self.database_up = False

    def seconds_left(self) -> float:
        """Until this process must have stopped writing; never below 0."""
        return max(0.0, self._renewed_at + self._ttl_seconds - self._monotonic())


def free_bytes(folder: Path) -> int | None:
    """What the file system of a folder has left; None where it cannot be asked."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
