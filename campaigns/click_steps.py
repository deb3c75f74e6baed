"""Ordered steps: how far people got of what a site told, one thing after another.

Owns that walk. Must not read tables (campaigns/clicks.py). Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

STEPS_MAX = 8
EVENTS_MAX = 64  # of one person


def steps_done(steps: Sequence[str], events: Iterable[str]) -> int:
    """How many of `steps` were done in their order. `events`: what one person did, earliest first.

    Other things may lie between. A step that is named twice is done by two events.
    """
    done = 0
    for event in events:
        if done < len(steps) and event == steps[done]:
            done += 1
    return done


def people_by_step(steps: Sequence[str], walks: Iterable[tuple[Sequence[str], int]]) -> list[int]:
    """How many people did each step, after all before it. `walks`: events, and whose they are."""
    people = [0] * len(steps)
    for events, count in walks:
        for place in range(steps_done(steps, events)):
            people[place] += count
    return people
