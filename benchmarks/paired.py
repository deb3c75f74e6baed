"""What two versions' figures say of each other, round by round.

Owns the ratios of each round and the interval of their median. Must not run anything.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

CONFIDENCE: Final = 0.95
# Said of the run, or told twice: no figure of what was measured.
NO_FIGURES: Final = frozenset({"benchmark", "conditions", "verdicts", "rounds"})


class Ratio(msgspec.Struct, frozen=True):
    """One figure, new over base. `low` and `high` hold the median at CONFIDENCE; without them there
    were too few rounds to say.
    """

    figure: str
    rounds: list[float]
    median: float
    low: float | None
    high: float | None

    @property
    def differs(self) -> bool:
        """Whether the median is surely not 1."""
        if self.low is None or self.high is None:
            return False
        return self.low > 1 or self.high < 1

    def line(self) -> str:
        """For people."""
        held = "too few rounds to say"
        if self.low is not None and self.high is not None:
            held = f"{self.low:.3f} to {self.high:.3f}"
        mark = "DIFFERS" if self.differs else "no sure difference"
        return f"{self.figure}: {self.median:.3f} ({held}; {mark})"


def figures_of(result: Mapping[str, object]) -> dict[str, float]:
    """Each number of a result under its dotted path, without what is no figure."""
    return dict(_numbers({key: each for key, each in result.items() if key not in NO_FIGURES}))


def ratios(base: Sequence[Mapping[str, float]], new: Sequence[Mapping[str, float]]) -> list[Ratio]:
    """Of each figure that every round of both has and that is above nought.

    Raises ValueError when there is not one round of each.
    """
    if not base or len(base) != len(new):
        raise ValueError(f"{len(base)} rounds of the base, {len(new)} of the new")
    everywhere = set.intersection(*(set(each) for each in (*base, *new)))
    found = []
    for name in sorted(everywhere):
        pairs = [(old[name], fresh[name]) for old, fresh in zip(base, new, strict=True)]
        if all(old > 0 and fresh > 0 for old, fresh in pairs):
            rounds = [fresh / old for old, fresh in pairs]
            low, high = median_interval(rounds) or (None, None)
            found.append(Ratio(name, rounds, statistics.median(rounds), low, high))
    return found


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """From one value to another, so that the true median lies between with CONFIDENCE at least.

    By the sign test, without an assumption about how values spread. None: fewer than six values.
    """
    ordered, size = sorted(values), len(values)
    outside, depth = 0.0, 0
    while depth < size // 2:
        outside += 2 * math.comb(size, depth) / 2**size
        if outside > 1 - CONFIDENCE:
            break
        depth += 1
    return (ordered[depth - 1], ordered[size - depth]) if depth else None


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, float(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, f"{path}.{key}" if path else str(key))
