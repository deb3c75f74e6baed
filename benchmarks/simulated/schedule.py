"""What happens in a simulated hour: messages with their fates at the carrier, and faults.

Owns the steps and how a seed draws them. Must not carry one out. All chance is in the schedule, so
that a step can be left out and the others stay what they are.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from storage.categories import Category

HOUR_MS: Final = 3_600_000
CROWDS: Final = (3, 6)  # moments of an hour at which much happens at once
CROWD_MS: Final = 15_000
MESSAGES: Final = (3, 10)  # of a crowd
FAULTS: Final = (0, 3)  # of a crowd
PARTS_MAX: Final = 4
FATES_MAX: Final = 3


class Answer(StrEnum):
    """What the carrier does with a submit_sm. `lost` takes it and never answers; `unheard` did not
    even see it. `cut` takes it and breaks the connection.
    """

    OK = "ok"
    THROTTLED = "throttled"
    BUSY = "busy"
    REFUSED = "refused"
    LOST = "lost"
    UNHEARD = "unheard"
    CUT = "cut"


class Fate(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of one attempt. The receipt may come before the answer; `told` is how often it comes."""

    answer: Answer = Answer.OK
    answer_ms: int = 20
    state: str = "DELIVRD"  # empty: no receipt
    receipt_ms: int = 500
    told: int = 1


class Kind(StrEnum):
    """What a step is."""

    MESSAGE = "message"
    CUT = "cut"  # every connection is reset, and what is under way arrives
    CUT_DEAF = "cut_deaf"  # … and is lost
    SILENCE = "silence"  # for so long nothing arrives
    CARRIER_STOPS = "carrier_stops"  # in good order, for so long
    CARRIER_DIES = "carrier_dies"
    DATABASE_AWAY = "database_away"
    DATABASE_SLOW = "database_slow"
    COMMIT_LOST = "commit_lost"
    COMMIT_UNHEARD = "commit_unheard"  # it stands, and its answer is lost
    KILL = "kill"
    RESTART = "restart"  # in good order
    HELD_UP = "held_up"  # the process does not get the processor


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step; `fates` are of the first attempts, and further ones go well.

    `fated_part`: the only part that has them; 0: all parts have.
    """

    at_ms: int
    kind: Kind
    seconds: float = 0.0
    number: int = 0
    category: int = Category.TRANSACTIONAL
    account: int = 1
    parts: int = 1
    fates: tuple[Fate, ...] = ()
    fated_part: int = 0


Schedule = tuple[Step, ...]

_SECONDS: Final = {
    Kind.SILENCE: (1.0, 100.0), Kind.CARRIER_STOPS: (0.1, 60.0), Kind.CARRIER_DIES: (0.1, 60.0),
    Kind.DATABASE_AWAY: (0.1, 20.0), Kind.DATABASE_SLOW: (0.1, 8.0), Kind.KILL: (0.1, 10.0),
    Kind.RESTART: (0.1, 5.0), Kind.HELD_UP: (0.1, 70.0),
}  # fmt: skip
_ANSWERS: Final = (
    *[Answer.OK] * 12, Answer.THROTTLED, Answer.THROTTLED, Answer.BUSY, Answer.REFUSED,
    Answer.LOST, Answer.UNHEARD, Answer.CUT,
)  # fmt: skip
_FAULTS: Final = tuple(kind for kind in Kind if kind is not Kind.MESSAGE)


def draw(seed: str) -> Schedule:
    """The steps of an hour, in order; the same for the same seed."""
    random = Random(seed)
    steps: list[Step] = []
    number = 0
    for _ in range(random.randint(*CROWDS)):
        moment = random.randrange(HOUR_MS - CROWD_MS)
        for _ in range(random.randint(*MESSAGES)):
            number += 1
            steps.append(_message(random, _near(random, moment), number))
        for _ in range(random.randint(*FAULTS)):
            kind = random.choice(_FAULTS)
            least, most = _SECONDS.get(kind, (0.0, 0.0))
            seconds = round(least * (most / least) ** random.random(), 3) if least else 0.0
            steps.append(Step(_near(random, moment), kind, seconds))
    return tuple(sorted(steps, key=lambda step: step.at_ms))


def _near(random: Random, moment: int) -> int:
    """Mostly within a second, so that steps meet."""
    within = random.choice((50, 1_000, CROWD_MS))
    return moment + random.randrange(within)


def _message(random: Random, at_ms: int, number: int) -> Step:
    parts = random.choice((1, 1, 1, 2, PARTS_MAX))
    return Step(
        at_ms,
        Kind.MESSAGE,
        number=number,
        category=random.choice(list(Category)).value,
        account=random.randint(1, 3),
        parts=parts,
        fates=tuple(_fate(random) for _ in range(random.randint(1, FATES_MAX))),
        fated_part=random.choice((0, random.randint(1, parts))),
    )


def _fate(random: Random) -> Fate:
    return Fate(
        answer=random.choice(_ANSWERS),
        answer_ms=random.choice((0, 5, 20, 300, 20_000, 58_000, 61_000)),
        state=random.choice(("DELIVRD", "DELIVRD", "DELIVRD", "UNDELIV", "EXPIRED", "")),
        receipt_ms=random.choice((0, 5, 30, 1_000, 30_000, 120_000)),
        told=random.choice((1, 1, 1, 2, 3)),
    )


def text_of(schedule: Schedule) -> str:
    """One JSON line a step."""
    return "".join(msgspec.json.encode(step).decode() + "\n" for step in schedule)


def read(text: str) -> Schedule:
    """Back from text_of. Raises msgspec.ValidationError for what is no step."""
    return tuple(msgspec.json.decode(line, type=Step) for line in text.splitlines())
