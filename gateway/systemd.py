"""What systemd is told of this process: ready, alive, reloading, stopping.

Owns the datagrams to NOTIFY_SOCKET, and when the watchdog is fed: from the event loop, so that a
loop that hangs is noticed. Without that variable nothing is sent. Must not decide anything.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Self

SOCKET, WATCHDOG, WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
EXTEND_SECONDS = 30.0  # asked for while a start or a stop goes on
EXTEND_EVERY_SECONDS = 10.0
AGAIN_SECONDS = 0.1
OWED_MAX = 16
MICROSECONDS = 1_000_000


class Systemd:
    """Tells it as long as this process lives."""

    def __init__(self, address: str, watchdog_seconds: float) -> None:
        """`address`: a path, or @ and a name of the abstract space; empty: nobody is told.
        `watchdog_seconds`: how long may pass without a sign of life; 0: as long as it likes.
        """
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._owed: deque[tuple[str, ...]] = deque(maxlen=OWED_MAX)

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Self:
        """As the environment says, and takes it out: what we start must not speak for us."""
        address = environ.pop(SOCKET, "")
        microseconds = environ.pop(WATCHDOG, "")
        meant = environ.pop(WATCHED, "") in ("", str(os.getpid()))
        seconds = int(microseconds) / MICROSECONDS if meant and microseconds.isdigit() else 0.0
        return cls(address, seconds)

    def starting(self) -> None:
        """A start may take long: a database recovers. Asks for time while the loop runs."""
        self._owe("STATUS=starting")
        self._every("extend", EXTEND_EVERY_SECONDS, self._extend)
        if self._watchdog_seconds:
            self._every("watchdog", self._watchdog_seconds / 2, self._alive)

    def ready(self, status: str) -> None:
        """It serves. One line for `systemctl status`."""
        self._end("extend")
        self._owe("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is read again; ready() says when that is over."""
        self._owe("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1_000}")

    def stopping(self) -> None:
        """It drains. Asks for time while the loop runs; the drain has its own end."""
        self._owe("STOPPING=1", "STATUS=draining")
        self._every("extend", EXTEND_EVERY_SECONDS, self._extend)

    def close(self) -> None:
        """Nothing more is said."""
        for name in list(self._timers):
            self._end(name)

    def _extend(self) -> None:
        self._tell(f"EXTEND_TIMEOUT_USEC={int(EXTEND_SECONDS * MICROSECONDS)}")

    def _alive(self) -> None:
        self._tell("WATCHDOG=1")

    def _every(self, name: str, seconds: float, do: Callable[[], None]) -> None:
        if not self._address:
            return
        self._end(name)
        do()
        loop = asyncio.get_running_loop()
        self._timers[name] = loop.call_later(seconds, self._every, name, seconds, do)

    def _end(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _owe(self, *lines: str) -> None:
        """What has to arrive, in order; tried again while its queue has no room."""
        self._owed.append(lines)
        self._pay()

    def _pay(self) -> None:
        while self._owed:
            if not self._tell(*self._owed[0]):
                loop = asyncio.get_running_loop()
                self._timers["owed"] = loop.call_later(AGAIN_SECONDS, self._pay)
                return
            self._owed.popleft()

    def _tell(self, *lines: str) -> bool:
        """Never waits. False: there was no room, and this is worth another try."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
                told.setblocking(False)
                told.sendto("\n".join(lines).encode(), self._address)
        except BlockingIOError:
            return False
        except OSError:
            return True  # nobody is there, and nobody will be
        return True
