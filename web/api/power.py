"""The endpoint that tells how many recipients an experiment needs. Nothing is stored or sent.

Owns its parameters and JSON. Must not do the arithmetic: campaigns/experiments does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.experiments.assignment import ARMS_MAX
from campaigns.experiments.planned_looks import LOOKS_MAX, bounds, inflation
from campaigns.experiments.power import (
    ALPHA,
    POWER,
    level_each,
    per_arm,
    power_of,
    smallest_shown,
)
from campaigns.experiments.winner import matured_min
from messages.models import FieldError
from web.edge.access import Access
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, fault

READ = "reports:read"
RATE_MIN, RATE_MAX = 0.0001, 0.9999
DIFFERENCE_MIN = 0.0001
SIZE_MAX = 1_000_000_000

RateValue = Annotated[float, Meta(ge=RATE_MIN, le=RATE_MAX)]


class PowerQuery(msgspec.Struct, kw_only=True):
    """The experiment that is thought of. Rates are shares of 1: 0.02 is 2 %."""

    base: Annotated[RateValue, Meta(description="The rate without a change.", examples=[0.02])]
    other: Annotated[
        RateValue,
        Meta(
            description=f"The rate to be told from it, {DIFFERENCE_MIN} apart or more.",
            examples=[0.03],
        ),
    ]
    arms: Annotated[
        Annotated[int, Meta(ge=2, le=ARMS_MAX)],
        Meta(description="A winner is compared with each other arm, at a level of alpha/(arms-1)."),
    ] = 2
    alpha: Annotated[
        Annotated[float, Meta(ge=0.001, le=0.5)],
        Meta(description="How often equal arms may have a winner."),
    ] = ALPHA
    power: Annotated[
        Annotated[float, Meta(ge=0.5, le=0.999)],
        Meta(description="How often the difference is to be found."),
    ] = POWER
    size: Annotated[
        Annotated[int, Meta(ge=1, le=SIZE_MAX)] | None,
        Meta(description="So many recipients an arm are there: what do they show?"),
    ] = None
    looks: Annotated[
        Annotated[int, Meta(ge=1, le=LOOKS_MAX)] | None,
        Meta(description="It is decided at so many planned looks. Unset: in one test."),
    ] = None


class SizeAnswer(msgspec.Struct, kw_only=True):
    """What the recipients at hand show."""

    per_arm: int
    enough: Annotated[bool, Meta(description="Whether a winner may be named with so many.")]
    power: Annotated[float, Meta(description="How often they show this difference.")]
    smallest_shown: Annotated[
        float | None,
        Meta(description="The smallest rate above `base` that they show as often as asked."),
    ]


class LookSize(msgspec.Struct, kw_only=True):
    """A planned look: when each arm has so many, and what |z| has to reach there."""

    number: int
    per_arm: int
    bound: float


class PowerAnswer(msgspec.Struct, kw_only=True):
    """The recipients that an experiment needs, each with its time to react over."""

    base: float
    other: float
    arms: int
    alpha: float
    power: float
    alpha_each: Annotated[float, Meta(description="The level of each comparison.")]
    per_arm: Annotated[int, Meta(description="Recipients of an arm that show the difference.")]
    matured_min: Annotated[
        int, Meta(description="Recipients of an arm before a winner is named: 1 000 at least.")
    ]
    total: Annotated[int, Meta(description="`matured_min` of all arms.")]
    size: SizeAnswer | None = None
    looks: Annotated[
        list[LookSize] | None,
        Meta(description="The looks that were asked for, up to `matured_min` an arm."),
    ] = None


class PowerApi:
    """The handler of /v1/power."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._query = QueryReader(PowerQuery)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/power",
                handler=self.power,
                summary="How many recipients an experiment needs, and what those at hand show",
                description="Recipients of an arm that show the difference of two rates in one "
                "test, or at planned looks. Nothing is stored.",
                scope=READ,
                query=PowerQuery,
                answers={200: PowerAnswer},
            )
        ]

    async def power(self, request: web.Request) -> web.Response:
        """200 with the sizes."""
        await self._access.key(request, READ)
        return json_response(answer(self._query.read(request, _equal_rates)))


def answer(asked: PowerQuery) -> PowerAnswer:
    """The sizes of one experiment."""
    level = level_each(asked.alpha, asked.arms)
    times = 1.0 if asked.looks is None else inflation(asked.looks, level, asked.power)
    needed = ceil(per_arm(asked.base, asked.other, level, asked.power) * times)
    size = asked.size
    return PowerAnswer(
        base=asked.base,
        other=asked.other,
        arms=asked.arms,
        alpha=asked.alpha,
        power=asked.power,
        alpha_each=level,
        per_arm=needed,
        matured_min=matured_min(needed),
        total=matured_min(needed) * asked.arms,
        size=None if size is None else _size(asked, size, times, level, needed),
        looks=None if asked.looks is None else _looks(asked.looks, level, matured_min(needed)),
    )


def _size(asked: PowerQuery, size: int, times: float, level: float, needed: int) -> SizeAnswer:
    """What `size` recipients an arm show: of planned looks as fewer do in a single test."""
    alone = max(1, round(size / times))
    return SizeAnswer(
        per_arm=size,
        enough=size >= matured_min(needed),
        power=power_of(asked.base, asked.other, alone, level),
        smallest_shown=smallest_shown(asked.base, alone, level, asked.power),
    )


def _looks(looks: int, level: float, people: int) -> list[LookSize]:
    return [
        LookSize(number=number, per_arm=ceil(people * number / looks), bound=bound)
        for number, bound in enumerate(bounds(looks, level), 1)
    ]


def _equal_rates(values: Mapping[str, object]) -> Iterable[FieldError]:
    base, other = values.get("base"), values.get("other")
    if not (isinstance(base, float) and isinstance(other, float)):
        return
    if abs(base - other) < DIFFERENCE_MIN * (1 - 1e-9):
        what = f"closer to base than {DIFFERENCE_MIN}: no size shows that"
        yield fault("parameter_invalid", "other", what)
