"""From a schedule that fails to the shortest one that fails alike.

Owns the search. Must not know what failing is: it asks. Each step that is left is needed, and so is
each fate that is not the usual one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from benchmarks.simulated.schedule import Fate, Kind, Schedule, Step

Fails = Callable[[Schedule], bool]


def shrink(schedule: Schedule, fails: Fails) -> Schedule:
    """A schedule that fails, none of whose simpler neighbours does. `schedule` has to fail."""
    while True:
        shorter = _fewer(schedule, fails)
        simpler = _simpler(shorter, fails)
        if simpler == schedule:
            return schedule
        schedule = simpler


def _fewer(schedule: Schedule, fails: Fails) -> Schedule:
    """Leave out halves, quarters and so on, down to single steps."""
    size = len(schedule)
    while size >= 1:
        start = 0
        while start < len(schedule):
            without = schedule[:start] + schedule[start + size :]
            if fails(without):
                schedule = without
            else:
                start += size
        size //= 2
    return schedule


def _simpler(schedule: Schedule, fails: Fails) -> Schedule:
    """Make each step as usual as it can be."""
    for place in range(len(schedule)):
        changed = True
        while changed:
            changed = False
            for step in _simpler_steps(schedule[place]):
                other = (*schedule[:place], step, *schedule[place + 1 :])
                if fails(other):
                    schedule, changed = other, True
                    break
    return schedule


def _simpler_steps(step: Step) -> Iterator[Step]:
    change = msgspec.structs.replace
    if step.kind is not Kind.MESSAGE:
        if step.seconds > 1:
            yield change(step, seconds=float(round(step.seconds / 2)))
        return
    usual = Step(step.at_ms, step.kind)
    for field in ("parts", "category", "account", "fated_part"):
        if getattr(step, field) != getattr(usual, field):
            yield change(step, **{field: getattr(usual, field)})
    if step.fates:
        yield change(step, fates=step.fates[:-1])
    for place, fate in enumerate(step.fates):
        for field in Fate.__struct_fields__:
            if getattr(fate, field) != getattr(Fate(), field):
                other = change(fate, **{field: getattr(Fate(), field)})
                yield change(step, fates=(*step.fates[:place], other, *step.fates[place + 1 :]))
