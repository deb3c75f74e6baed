"""What really happened to the people of a campaign, counted by who got a text and what they do.

Owns this counting, from the carrier's ledger and the cast alone. Must not ask the gateway. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from gateway.demo.campaign.cast import IN_SEGMENT, STEP_NAMES, STEPS, Behaviour, Cast, Handset, Role
from gateway.demo.campaign.letters import Letter
from gateway.demo.campaign.visits import kept
from gateway.demo.campaign.win_back import SECOND_TOUCH, better

ARMS = ("A", "B")
Figures = dict[str, int | str]


class ArmTruth(msgspec.Struct):
    """Of the people who got the text of one arm. `steps`: people who did each of STEPS."""

    sent: int = 0
    delivered: int = 0
    clicked: int = 0
    steps: list[int] = msgspec.field(default_factory=lambda: [0] * len(STEPS))


class Truth(msgspec.Struct):
    """The first touch by arm, and what must not happen. `requests` are kept as clicks, `taps` are
    those of people. `out_in_second`: who is out, and would be in the second touch's segment.
    """

    arms: list[ArmTruth] = msgspec.field(default_factory=lambda: [ArmTruth() for _ in ARMS])
    requests: int = 0
    taps: int = 0
    conversions: int = 0
    revenue: int = 0  # yuan
    replied: int = 0
    complained: int = 0
    out_in_second: int = 0
    twice: int = 0
    missed: int = 0
    uninvited: int = 0
    second: int = 0
    after_out: int = 0

    @property
    def logged_in(self) -> int:
        """People who did the first step."""
        return sum(arm.steps[0] for arm in self.arms)


def price(place: int) -> int:
    """What an order of this person costs, in yuan."""
    return 100 + place % 50


def truth_of(letters: Iterable[Letter], cast: Cast) -> Truth:
    """Count it. Of each person only how often they were texted is kept, one octet."""
    truth = Truth()
    times = bytearray(cast.rows)
    for letter in letters:
        if letter.text == SECOND_TOUCH:
            truth.second += 1
            truth.after_out += cast.behaviour(letter.place, 0).out
            truth.uninvited += cast.role(letter.place) is not Role.MEANT
            continue
        if cast.role(letter.place) is not Role.MEANT:
            truth.uninvited += 1
            continue
        times[letter.place] = min(times[letter.place] + 1, 255)
        if times[letter.place] > 1:
            truth.twice += 1
            continue
        _count(truth, letter, cast.behaviour(letter.place, letter.text))
    truth.missed = times.count(0, 0, cast.people)
    return truth


def _count(truth: Truth, letter: Letter, does: Behaviour) -> None:
    arm = truth.arms[letter.text]
    arm.sent += 1
    if does.handset is not Handset.ON:
        return
    arm.delivered += 1
    arm.clicked += does.taps > 0
    for step in range(does.done):
        arm.steps[step] += 1
    truth.taps += does.taps
    truth.requests += kept(does)
    truth.conversions += does.done
    truth.revenue += does.steps.count("order_paid") * price(letter.place)
    truth.replied += does.reply is not None
    truth.complained += does.complains
    truth.out_in_second += does.out and not does.done


def figures(truth: Truth, cast: Cast) -> Figures:
    """Every figure that the gateway's answers are held against, by its name."""
    staff, before = cast.with_role(Role.STAFF), cast.with_role(Role.OPTED_OUT)
    numberless, unreadable = cast.with_role(Role.NO_NUMBER), cast.with_role(Role.UNREADABLE)
    segment = cast.with_role(*IN_SEGMENT)
    found: Figures = {
        "rows of the file": cast.rows,
        "contacts made": cast.rows - unreadable,
        "rows without a number to read": unreadable,
        "in the segment": segment,
        "excluded: staff": staff,
        "excluded: opted out before": before,
        "excluded: no number": numberless,
        "planned": cast.people,
    }
    for name, arm in zip(ARMS, truth.arms, strict=True):
        found[f"{name} sent"] = arm.sent
        found[f"{name} delivered"] = arm.delivered
        found[f"{name} clicked"] = arm.clicked
    for name, arm in zip(ARMS, truth.arms, strict=True):
        found |= {f"{name} {step}": n for step, n in zip(STEP_NAMES, arm.steps, strict=True)}
    found |= {
        "the better text": better(cast.people),
        "requests for links": truth.requests,
        "of them by people": truth.taps,
        "conversions": truth.conversions,
        "revenue": f"{truth.revenue}.00 CNY",
        "second touch: in its segment": segment - truth.logged_in,
        "second touch: suppressed": before + truth.out_in_second,
        "second touch: planned": cast.people - truth.logged_in - truth.out_in_second,
    }
    return found


def never(truth: Truth, second: int) -> tuple[Figures, Figures]:
    """What must not happen and what did, by the carrier's ledger. `second`: who of the second touch
    was to be texted.
    """
    did: Figures = {
        "texted twice": truth.twice,
        "never texted": truth.missed,
        "texted, and not meant": truth.uninvited,
        "texted after an opt-out": truth.after_out,
        "second touch: texted": truth.second,
    }
    return {**dict.fromkeys(did, 0), "second touch: texted": second}, did
