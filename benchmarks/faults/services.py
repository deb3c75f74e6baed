"""A program of ours that can be killed, stopped and started again at its place.

Owns its process over several lives. Must not decide when anything is done to it.
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.faults.interposed import Control, Wanted
from gateway.rehearsal.processes import Child, tail


class Service:
    """`launch` starts it; `died` is called when its memory is gone."""

    def __init__(
        self,
        name: str,
        launch: Callable[[], Awaitable[Child]],
        control: Control | None = None,
        died: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.control = control
        self.ended_by_itself: list[str] = []
        self._launch = launch
        self._died = died
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """Its present life."""
        assert self._child is not None
        return self._child

    @property
    def pid(self) -> int:
        """Of its present life."""
        return self.child.process.pid

    async def start(self) -> None:
        """As a supervisor does: a process that ended is started again."""
        if self._child is not None:
            code = self._child.process.returncode
            if code is None:
                return
            self.ended_by_itself.append(f"{self.name} ended with {code}: {tail(self._child.log)}")
            self._died()
        self._child = await self._launch()

    async def kill(self) -> None:
        """SIGKILL, to its end."""
        if self.child.process.returncode is None:
            self.child.process.kill()
        await self.child.process.wait()
        self._gone()

    async def stop(self) -> None:
        """SIGTERM, to its end."""
        if self._child is not None:
            code = await self._child.stop()
            if code not in (0, -signal.SIGTERM):
                self.ended_by_itself.append(f"{self.name} stopped with {code}")
            self._gone()

    def pause(self) -> None:
        """SIGSTOP."""
        self.child.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.child.process.send_signal(signal.SIGCONT)

    def want(self, wanted: Wanted) -> None:
        """What the library between it and libc does from now on."""
        assert self.control is not None
        self.control.want(wanted)

    def handles(self, more: int | None) -> None:
        """It may open so many more files than it has open now. None: as many as ever."""
        most = resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[1]
        used = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        soft = most if more is None else used + more
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (soft, most))

    def _gone(self) -> None:
        self._child = None
        self._died()
