"""A simulated carrier as a process of its own.

Owns its start, its ledger and its end. Must not know a profile (smpp.simulator does).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from gateway.rehearsal import processes
from gateway.rehearsal.judge import Judgement, judge
from gateway.rehearsal.processes import Child, Start
from smpp.simulator.ledger import LedgerLine, read_ledger


class Simulator:
    """A running simulator. Its ledger can be read after its end, too."""

    def __init__(self, child: Child, ledger_file: Path) -> None:
        self.child = child
        self.ledger_file = ledger_file
        self.port = int(child.ready.rpartition(":")[2])

    @property
    def pid(self) -> int:
        """Its process."""
        return self.child.process.pid

    def ledger(self) -> list[LedgerLine]:
        """Every submit_sm so far, with what was answered."""
        return list(read_ledger(self.ledger_file)) if self.ledger_file.exists() else []

    def accepted(self) -> list[LedgerLine]:
        """Every submit_sm that was not refused."""
        return [line for line in self.ledger() if line.status == 0]

    def judgement(self) -> Judgement:
        """What the ledger says of what was really sent."""
        return judge(self.ledger_file)

    async def kill(self) -> None:
        """SIGKILL, to its end."""
        self.child.process.kill()
        await self.child.process.wait()


@contextlib.asynccontextmanager
async def simulator(
    folder: Path,
    profile: str,
    *,
    name: str = "simulator",
    port: int = 0,
    ledger_file: Path | None = None,
    more: Sequence[str] = (),
    start: Start = processes.with_an_interpreter,
) -> AsyncIterator[Simulator]:
    """A simulator with this profile, stopped with the block; its files in `folder` bear `name`.

    `more` are further arguments.
    """
    profile_file, ledger = folder / f"{name}.toml", ledger_file or folder / f"{name}.jsonl"
    profile_file.write_text(profile)
    arguments = ["simulate", "--port", str(port), "--profile", str(profile_file)]
    child = await processes.started(
        name,
        [*arguments, "--ledger", str(ledger), *more],
        folder / f"{name}.log",
        ready="simulator ready:",
        start=start,
    )
    try:
        yield Simulator(child, ledger)
    finally:
        await child.stop()
