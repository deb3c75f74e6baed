"""Rates by the metric registry: each says by which definition, as of when, and if it may change.

Owns their making, and which definitions can be asked for. Must not count anything. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from campaigns.reporting.registry import BY_NAME, RATES, Definition, Metric
from dlr.rates import wilson
from dlr.thresholds import SAMPLES_MIN


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """A rate that says what it is a rate of. `value`, `low` and `high` are None while there is
    nothing to divide by. Where it is a share, the latter two enclose it with 95 % certainty.

    `too_few`: so few that the value says little.
    """

    numerator: int
    denominator: int
    value: float | None
    low: float | None
    high: float | None
    too_few: bool
    definition: str
    as_of: datetime
    provisional: bool


class UnknownDefinition(ValueError):
    """There is no such metric, or it has no such definition. Worded for the client."""


def chosen(text: str) -> dict[str, str]:
    """The definitions that `failure_rate:sent,open_rate_est:replies` asks for, by metric.

    Raises UnknownDefinition.
    """
    found: dict[str, str] = {}
    for each in text.split(",") if text else ():
        name, _, wanted = each.partition(":")
        metric = BY_NAME.get(name)
        if metric is None:
            raise UnknownDefinition(f"no metric {name!r}: /v1/metrics-registry lists them")
        names = [definition.name for definition in metric.definitions]
        if wanted not in names:
            raise UnknownDefinition(f"{name} is defined by {', '.join(names)}, not by {wanted!r}")
        if name in found:
            raise UnknownDefinition(f"{name} is named twice")
        found[name] = wanted
    return found


class Maker:
    """Makes the rates of one report: all as of one moment, by the same definitions."""

    def __init__(
        self,
        *,
        wanted: Mapping[str, str],
        as_of: datetime,
        last: datetime | None,
        open_now: bool,
        linked: bool,
    ) -> None:
        """`last`: when the last message went. `open_now`: some wait or have no verdict yet.

        `linked`: the texts have links, so that who opened one can be told by clicks.
        """
        self._wanted = wanted
        self._as_of = as_of
        self._last = last
        self._open = open_now
        self._linked = linked

    def rates(self, counts: Mapping[str, int]) -> dict[str, Measured]:
        """Every rate whose counts are there, by name."""
        found = {}
        for metric in RATES:
            if metric.name == "uv_share" and "site_uv" not in counts:
                continue
            found[metric.name] = self._measured(metric, counts)
        return found

    def provisional(self, metric: Metric) -> bool:
        """Whether it may still change in the usual way."""
        return self._open or (self._last is not None and self._as_of < self._last + metric.settles)

    def _measured(self, metric: Metric, counts: Mapping[str, int]) -> Measured:
        definition = self._definition(metric)
        numerator = sum(counts.get(name, 0) for name in definition.numerator)
        denominator = sum(counts.get(name, 0) for name in definition.denominator)
        denominator = max(0, denominator - sum(counts.get(name, 0) for name in definition.less))
        bounds: tuple[float | None, float | None] = (None, None)
        if definition.people and 0 <= numerator <= denominator and denominator:
            bounds = wilson(numerator, denominator)
        return Measured(
            numerator=numerator,
            denominator=denominator,
            value=numerator / denominator if denominator else None,
            low=bounds[0],
            high=bounds[1],
            too_few=denominator < SAMPLES_MIN,
            definition=f"{metric.name}:{definition.name}",
            as_of=self._as_of,
            provisional=self.provisional(metric),
        )

    def _definition(self, metric: Metric) -> Definition:
        name = self._wanted.get(metric.name)
        if name is None and metric.name == "open_rate_est" and not self._linked:
            name = "replies"
        for each in metric.definitions:
            if each.name == name:
                return each
        return metric.definitions[0]
