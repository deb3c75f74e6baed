"""What two versions' figures say of each other, round by round.

Owns the ratios of each round and the interval of their middle. Must not run anything.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Final

import msgspec

CONFIDENCE: Final = 0.95
# Said of the run, or told twice: no figure of what was measured.
NO_FIGURES: Final = frozenset({"benchmark", "conditions", "verdicts", "rounds"})


class Ratio(msgspec.Struct, frozen=True):
    """One figure, new over base. `low` and `high` hold the middle at CONFIDENCE; without them there
    were too few rounds to say.
    """

    figure: str
    rounds: list[float]
    middle: float
    low: float | None
    high: float | None

    @property
    def differs(self) -> bool:
        """Whether it is surely not 1."""
        if self.low is None or self.high is None:
            return False
        return self.low > 1 or self.high < 1

    def line(self) -> str:
        """For people."""
        held = "too few rounds to say"
        if self.low is not None and self.high is not None:
            held = f"{self.low:.3f} to {self.high:.3f}"
        mark = "DIFFERS" if self.differs else "no sure difference"
        return f"{self.figure}: {self.middle:.3f} ({held}; {mark})"


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
            low, high = interval(rounds) or (None, None)
            found.append(Ratio(name, rounds, middle(rounds), low, high))
    return found


def middle(values: Sequence[float]) -> float:
    """Of what is multiplied: the median of the geometric means of all pairs (Hodges, Lehmann)."""
    return statistics.median(_means(values))


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """From one value to another, so that the true middle lies between with CONFIDENCE at least.

    By Wilcoxon's signed ranks of the logarithms, exactly. Of equal things they are symmetric, since
    either comes first in every other round. One odd round in eight is borne. None: fewer than six
    values.
    """
    ways = [1]  # by sum: of how many sets of ranks it is the sum
    for rank in range(1, len(values) + 1):
        ways = [
            (ways[total] if total < len(ways) else 0) + (ways[total - rank] if total >= rank else 0)
            for total in range(len(ways) + rank)
        ]
    depth, outside = 0, 2 * ways[0] / 2 ** len(values)
    while outside <= 1 - CONFIDENCE:
        depth += 1
        outside += 2 * ways[depth] / 2 ** len(values)
    means = _means(values)
    return (means[depth - 1], means[-depth]) if depth else None


def _means(values: Sequence[float]) -> list[float]:
    """Of each pair, and of each value with itself, in order."""
    return sorted(math.sqrt(one * other) for one, other in combinations_with_replacement(values, 2))


def _numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield path, float(value)
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _numbers(each, f"{path}.{key}" if path else str(key))
