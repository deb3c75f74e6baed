"""A run: load, a fault, recovery, quiet, judgement; then the next one.

Owns the order of these, and how long each may take. Must not know how a fault is done (acts.py) or
what a promise is (judging.py).
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from benchmarks.faults import acts
from benchmarks.faults.asking import NO_ANSWER
from benchmarks.faults.books import Books
from benchmarks.faults.judging import Evidence, Findings, judge
from benchmarks.faults.load import Load
from benchmarks.faults.schedule import FAULTS, Fault, plan
from benchmarks.faults.table import Round
from benchmarks.faults.world import World
from gateway.rehearsal.processes import RehearsalError
from storage.faults import DATABASE_ERRORS, DatabaseDown

RECOVER_SECONDS_MAX = 60.0
SETTLE_SECONDS_MAX = 40.0  # without coming nearer
RECOVERING_SECONDS_MAX = 180.0
# A receipt whose id nobody knows finds its message by its number after a minute.
DOUBTS_SECONDS_MAX = 120.0
DOUBTS_ASKED_FROM_SECONDS = 120.0  # of load: shorter runs do not wait for that
POLL_SECONDS = 0.1
AWAY: tuple[type[BaseException], ...] = (
    *NO_ANSWER,
    *DATABASE_ERRORS,
    DatabaseDown,
    RehearsalError,
)
END = "the last receipts of what was in doubt"


class Run:
    """One run over a world. `say` is given a line for each round."""

    def __init__(self, world: World, load: Load, say: Callable[[str], None]) -> None:
        self._world = world
        self._load = load
        self._books = Books(world, load)
        self._say = say
        self._began = time.monotonic()
        self._before = _Known()

    async def rounds(self, seed: int, seconds: float, faults: int | None) -> AsyncIterator[Round]:
        """Until the time is over, or so many faults were met; those that cannot be are told once.

        A round that has begun is brought to its end.
        """
        skipped: set[str] = set()
        done = 0
        for fault in plan(seed):
            over = time.monotonic() - self._began >= seconds
            if over or done == faults or len(skipped) == len(FAULTS):
                break
            why = acts.why_not(self._world, fault)
            if why:
                if fault.name not in skipped:
                    skipped.add(fault.name)
                    yield Round(fault.name, skipped=why)
                continue
            done += 1
            yield await self._round(fault)
        if seconds >= DOUBTS_ASKED_FROM_SECONDS:
            yield await self._end()

    async def _round(self, fault: Fault) -> Round:
        at = time.monotonic() - self._began
        self._load.go()
        await asyncio.sleep(fault.after_seconds)
        self._say(f"{at:6.1f} s  {fault.name}, {fault.seconds} s")
        await acts.do(self._world, fault)
        recovered = await self._recovered()
        await self._load.quiet()
        evidence, findings = await self._settled()
        before, self._before = self._before, _Known.of(self._load, evidence, findings)
        return Round(
            fault.name,
            at_seconds=round(at, 1),
            held_seconds=fault.seconds,
            carried=self._before.accepted - before.accepted,
            in_doubt=self._before.doubts - before.doubts,
            owed=len(findings.owed),
            recovered_seconds=recovered,
            findings=before.new(findings),
            refused=_drained(self._load.refused),
            ended=self._ended(),
            said=_drained(self._load.odd),
        )

    async def _end(self) -> Round:
        """What was in doubt and has had its receipt is in doubt no more."""
        began = time.monotonic()
        self._say(f"{began - self._began:6.1f} s  {END}")
        _, findings = await self._settled(DOUBTS_SECONDS_MAX, doubts_over=True)
        return Round(
            END,
            at_seconds=round(began - self._began, 1),
            recovered_seconds=0.0,  # it was no fault
            findings=self._before.new(findings),
            owed=len(findings.owed),
        )

    async def _recovered(self) -> float | None:
        """Until a message that is sent now has ended, its webhook was told, and a link leads on."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(RECOVER_SECONDS_MAX):
                [message_id] = await self._load.send(1)
                told = clicked = False
                while not (told and clicked):
                    told = told or self._books.told(message_id)
                    clicked = clicked or await self._load.any_click()
                    await asyncio.sleep(POLL_SECONDS)
        except (TimeoutError, ValueError):
            return None
        return round(time.monotonic() - began, 2)

    async def _settled(
        self, seconds_max: float = SETTLE_SECONDS_MAX, *, doubts_over: bool = False
    ) -> tuple[Evidence, Findings]:
        """The judgement that holds: the first without a fault, or the last in the time there is.

        It comes nearer for long where an endpoint recovers, which is told more and more a second.
        """
        patience = Patience(seconds_max)
        while True:
            try:
                evidence = await self._books.evidence()
            except AWAY as error:
                if patience.over(time.monotonic()):
                    raise RehearsalError(f"nobody answers who is asked: {error!r}") from error
            else:
                evidence.doubts_over = doubts_over
                findings = judge(evidence)
                broken = self._before.new(findings).broken
                if not broken or patience.over(time.monotonic(), _size(broken)):
                    return evidence, findings
            await asyncio.sleep(POLL_SECONDS * 5)

    def _ended(self) -> list[str]:
        ended = [line for service in self._world.services for line in service.ended_by_itself]
        for service in self._world.services:
            service.ended_by_itself.clear()
        return ended


class Patience:
    """Ends so long after it last came nearer, and at all events after RECOVERING_SECONDS_MAX."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._least: int | None = None
        self._began: float | None = None
        self._nearer_at = 0.0

    def over(self, now: float, left: int | None = None) -> bool:
        """Whether it has ended. `left`: how much is missing by now; None: nobody knows."""
        if self._began is None:
            self._began = self._nearer_at = now
        if left is not None and (self._least is None or left < self._least):
            self._least, self._nearer_at = left, now
        over_all = now - self._began > max(self._seconds, RECOVERING_SECONDS_MAX)
        return over_all or now - self._nearer_at > self._seconds


def _size(broken: Mapping[str, list[str] | int]) -> int:
    return sum(len(each) if isinstance(each, list) else each for each in broken.values())


def _drained(counted: Counter[str]) -> list[str]:
    told = [f"{count} times {what}" for what, count in counted.items()]
    counted.clear()
    return told


class _Known(msgspec.Struct, frozen=True):
    """What was so at the end of the round before."""

    accepted: int = 0
    doubts: int = 0
    findings: Findings = msgspec.field(default_factory=Findings)

    @classmethod
    def of(cls, load: Load, evidence: Evidence, findings: Findings) -> _Known:
        """At the end of this one."""
        return cls(len(load.accepted), len(findings.in_doubt), findings)

    def new(self, findings: Findings) -> Findings:
        """Without what an earlier round was blamed for."""
        found = Findings()
        for name in Findings.__struct_fields__:
            now, before = getattr(findings, name), getattr(self.findings, name)
            if isinstance(now, list):
                known = set(before)
                setattr(found, name, [each for each in now if each not in known])
            else:
                setattr(found, name, max(0, now - before))
        return found
