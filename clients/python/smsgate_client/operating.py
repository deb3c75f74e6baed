"""Owns what an operator is answered: breakers, routes, and what was found unlike other days.

Must not say how it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from smsgate_client.reports import Rate
from smsgate_client.words import AnomalyScope, AnomalyTest, BreakerScope, BreakerState, Detector


@dataclass(frozen=True, kw_only=True)
class BreakerChange:
    """Why a breaker is opened or closed, and for how long: an hour if that is not said."""

    reason: str
    seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class BreakerProbes:
    """The present round: so many of `size` messages were let through."""

    round: int
    size: int
    let_through: int


@dataclass(frozen=True, kw_only=True)
class BreakerEvidence:
    """The bundle of its last opening, for the carrier."""

    octets: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """A breaker as it stands. `held`: messages that wait for it. `until`: null ends by probes."""

    object: str = "breaker"
    scope: BreakerScope
    subject: str
    state: BreakerState
    since: datetime
    until: datetime | None
    reason: str
    actor: str
    failures: int
    baseline: float
    probes: BreakerProbes | None
    held: int
    evidence: BreakerEvidence | None


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """One alarm, with the counts and the test that it rests on."""

    id: str
    object: str = "anomaly"
    detector: Detector
    scope: AnomalyScope
    subject: str
    about: str | None
    found_at: datetime
    began_at: datetime
    test: AnomalyTest
    observed: float
    usual: float
    part: int
    whole: int
    usual_part: float
    usual_whole: int
    spread: float
    z: float | None
    limit: float | None
    probability: float | None
    level: float
    breaker_opened: bool


@dataclass(frozen=True, kw_only=True)
class RouteMatch:
    """Which messages a route takes: each that is not empty must match, by any of it."""

    prefix: Sequence[str]
    sender: Sequence[str]
    category: Sequence[str]
    account: Sequence[str]
    country: Sequence[str]
    operator: Sequence[str]
    tag: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class RouteConnector:
    """A connector of a route. `capacity`: parts a second. `delivery`: of seven days."""

    name: str
    weight: int | None
    up: bool
    capacity: float | None
    delivery: Rate
    countries: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Route:
    """A rule of routing, and the parts a second that it can carry now; None: without limit."""

    route: int
    object: str = "route"
    match: RouteMatch
    capacity: float | None
    rate: str | None
    connectors: Sequence[RouteConnector]
