"""An experiment as the author of a campaign writes it, and what can be wrong with that.

Owns these shapes, their limits, and which moments they name. Must not compare arms
(campaigns/experiments), nor decide anything (campaigns/decisions). Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campaigns.experiments.planned_looks import LOOKS_MAX
from campaigns.running.durations import span
from messages.models import FieldError

TAU_MIN, TAU_MAX = 0.0001, 0.5
ALPHA_MIN, ALPHA_MAX = 0.001, 0.5
BASE_MIN, BASE_MAX = 0.0001, 0.9999
TEST_SHARE_MIN = 0.01
WINDOW_MIN, WINDOW_MAX = timedelta(minutes=1), timedelta(days=7)
DECIDE_BY_MAX = timedelta(days=30)
LOCKED = "experiment_locked"
_WHERE = "/experiment"


class ChosenTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """By which test the arms are compared. It is chosen before the start, and stands."""

    kind: Annotated[
        Literal["always_valid", "planned"],
        Meta(
            description="`always_valid`: it may be looked at as often as one likes. `planned`: it "
            "is decided at a few looks alone, at even parts of the people of the test, and needs "
            "fewer of them."
        ),
    ] = "always_valid"
    looks: Annotated[
        int | None,
        Meta(
            description=f"Of a planned one: 1 to {LOOKS_MAX}, {LOOKS_MAX} unless said. 1 is a "
            "single test at the end."
        ),
    ] = None

    @property
    def planned(self) -> int | None:
        """How many looks are planned; None: it is looked at all the time."""
        if self.kind != "planned":
            return None
        return LOOKS_MAX if self.looks is None else self.looks


class Experiment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A test of the arms on some of the people. The others wait for what it shows."""

    metric: Annotated[
        Literal["uctr_delivered", "cvr_delivered"],
        Meta(description="People who clicked, or converted after a click, of those delivered."),
    ]
    tau: Annotated[
        float, Meta(description="The smallest difference of interest, such as 0.005: 0.5 %.")
    ]
    test_share: Annotated[float, Meta(description="Who is in the test: 0.01 to 1.")]
    decide_by: Annotated[
        str,
        Meta(description="How long after the start it is decided at the latest, as in PT36H."),
    ]
    window: Annotated[
        str, Meta(description="How long after delivery a reaction counts, as in PT24H or 24h.")
    ] = "PT24H"
    alpha: Annotated[
        float, Meta(description="How often equal arms may have a winner: 0.001 to 0.5.")
    ] = 0.05
    base: Annotated[
        float,
        Meta(description="The rate that is expected. How many people are needed follows from it."),
    ] = 0.02
    fallback: Annotated[
        Literal["control", "split", "stop"],
        Meta(
            description="What the others get where no difference is shown in time: the text of "
            "arm 0, that of their own arm, or nothing."
        ),
    ] = "control"
    test: ChosenTest = ChosenTest()

    @property
    def window_span(self) -> timedelta:
        """Of a checked one."""
        return span(self.window) or WINDOW_MAX

    @property
    def decide_span(self) -> timedelta:
        """Of a checked one."""
        return span(self.decide_by) or DECIDE_BY_MAX


def faults(
    asked: Experiment,
    *,
    arms: int,
    spread: timedelta,
    begins: datetime,
    end: datetime | None,
) -> Iterator[FieldError]:
    """Everything that is wrong with it, in a campaign of so many arms and with this schedule."""
    if arms < 2:
        yield FieldError("out_of_range", "an experiment compares two arms or more", _WHERE)
    for name, least, most in (
        ("tau", TAU_MIN, TAU_MAX),
        ("alpha", ALPHA_MIN, ALPHA_MAX),
        ("base", BASE_MIN, BASE_MAX),
        ("test_share", TEST_SHARE_MIN, 1),
    ):
        if not least <= getattr(asked, name) <= most:
            yield FieldError("out_of_range", f"{name} is {least} to {most}", f"{_WHERE}/{name}")
    if TAU_MIN <= asked.tau <= TAU_MAX and asked.base <= BASE_MAX < asked.base + asked.tau:
        detail = f"base and tau together are at most {BASE_MAX}"
        yield FieldError("out_of_range", detail, f"{_WHERE}/tau")
    yield from _test(asked.test)
    window, decide_by = span(asked.window), span(asked.decide_by)
    if window is None or not WINDOW_MIN <= window <= WINDOW_MAX:
        detail = "window is PT1M to PT168H, as in PT24H or 24h"
        yield FieldError("out_of_range", detail, f"{_WHERE}/window")
        window = timedelta(0)
    if decide_by is None or not timedelta(0) < decide_by <= DECIDE_BY_MAX:
        detail = "decide_by is up to PT720H, as in PT36H"
        yield FieldError("out_of_range", detail, f"{_WHERE}/decide_by")
    elif decide_by <= window + spread:
        detail = "decide_by is longer than window and spread together: nobody is judged before"
        yield FieldError("out_of_range", detail, f"{_WHERE}/decide_by")
    elif end is not None and timedelta(0) < end - begins <= decide_by:
        detail = "the campaign ends before decide_by: nobody would be left to decide about"
        yield FieldError("out_of_range", detail, f"{_WHERE}/decide_by")


def _test(chosen: ChosenTest) -> Iterator[FieldError]:
    where = f"{_WHERE}/test/looks"
    if chosen.looks is None:
        return
    if chosen.kind != "planned":
        yield FieldError("out_of_range", "only a planned test has looks: leave them out", where)
    elif not 1 <= chosen.looks <= LOOKS_MAX:
        yield FieldError("out_of_range", f"looks are 1 to {LOOKS_MAX}", where)


def locked(before: Experiment | None, after: Experiment | None) -> Iterator[FieldError]:
    """What of it an edit would change after the start: by then its figures are being seen."""
    if before is None or after is None:
        if before is not after:
            detail = "an experiment is neither added nor taken away after the start"
            yield FieldError(LOCKED, detail, _WHERE)
        return
    for name in Experiment.__struct_fields__:
        if _meant(before, name) != _meant(after, name):
            detail = f"{name} stands since the start"
            yield FieldError(LOCKED, detail, f"{_WHERE}/{name}")


def _meant(asked: Experiment, name: str) -> object:
    """A default that is written out is no change."""
    return asked.test.planned if name == "test" else getattr(asked, name)
