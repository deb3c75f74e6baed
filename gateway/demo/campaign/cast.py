"""Who is in a rehearsed campaign, and what each of them does once the text has come.

Owns the people, their numbers, and their behaviour. Must not send, open or tell anything, nor know
what the gateway thinks of it. The same seed makes the same people, each computed by their place
alone: nothing is kept for anybody. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from hashlib import blake2b
from struct import unpack

import msgspec

# As China numbers mobile phones, and ten thousand people under each.
PREFIXES = (
    "134", "135", "136", "137", "138", "139", "150", "151", "152", "157", "158", "159", "178",
    "182", "183", "184", "187", "188", "130", "131",
)  # fmt: skip
UNDER_A_PREFIX = 10_000
ROWS_MAX = UNDER_A_PREFIX * len(PREFIXES)  # of a file
OTHERS_MIN = 6
STEPS = ("login", "cart_add", "order_paid", "order_paid")
STEP_NAMES = ("login", "cart_add", "order_paid", "ordered again")
OPT_OUT_REPLIES = ("R", "退订", "TD", "回复R", "回复R 谢谢")
PREVIEWS = 4  # kinds of messaging apps that draw a link's card


class Role(Enum):
    """Why somebody stands in the file. Only MEANT people are to be texted."""

    MEANT = "meant"
    STAFF = "staff"  # has the tag that the campaign leaves out
    OPTED_OUT = "opted out"  # long before
    NO_NUMBER = "no number"
    RECENT = "recent"  # has just ordered: not lost
    ELSEWHERE = "elsewhere"  # of another province
    UNREADABLE = "unreadable"  # what stands as the number is none


OTHERS = tuple(role for role in Role if role is not Role.MEANT)
# In the segment; all but MEANT are excluded from it.
IN_SEGMENT = frozenset({Role.MEANT, Role.STAFF, Role.OPTED_OUT, Role.NO_NUMBER})


class Handset(Enum):
    """What becomes of a message, by the ending of the number that the simulator's script knows."""

    ON = ""
    OFF = "0027"
    TOO_LONG_OFF = "0003"


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What one person does. `preview`: the app that draws the link's card before anybody taps.
    `done`: how many of STEPS are done on the shop's pages, in their order.
    """

    handset: Handset = Handset.ON
    preview: int | None = None
    taps: int = 0
    done: int = 0
    reply: str | None = None
    complains: bool = False

    @property
    def steps(self) -> tuple[str, ...]:
        """What the shop sees of them."""
        return STEPS[: self.done]

    @property
    def out(self) -> bool:
        """Whether they must not be texted any more."""
        return self.reply is not None or self.complains


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """Shares: of all, of those who tap, and of those who did the step before. `taps` by arm."""

    off: float = 0.02
    preview: float = 0.1
    taps: tuple[float, ...] = (0.06, 0.09)
    twice: float = 0.2
    steps: tuple[float, ...] = (0.5, 0.7, 0.6, 0.3)
    opts_out: float = 0.004
    complains: float = 0.0003


class Cast(msgspec.Struct, frozen=True, kw_only=True):
    """The people of one rehearsal: `people` who are meant, and others who stand in the same file.

    `script` None: everybody acts by chance, as `habits` and `seed` have it. Else those it names do
    as it says, and all others nothing.
    """

    people: int
    seed: int = 1
    habits: Habits = Habits()
    script: Mapping[int, Behaviour] | None = None

    @property
    def others(self) -> int:
        """How many stand in the file and must not be texted."""
        return max(OTHERS_MIN, self.people // 10)

    @property
    def rows(self) -> int:
        """How many stand in the file."""
        return self.people + self.others

    def role(self, place: int) -> Role:
        """Of the row at this place, from 0."""
        return Role.MEANT if place < self.people else OTHERS[(place - self.people) % len(OTHERS)]

    def with_role(self, *roles: Role) -> int:
        """How many rows have one of these roles."""
        whole, rest = divmod(self.others, len(OTHERS))
        found = sum(whole + (OTHERS.index(role) < rest) for role in roles if role in OTHERS)
        return found + (self.people if Role.MEANT in roles else 0)

    def behaviour(self, place: int, arm: int) -> Behaviour:
        """What the person at this place does with the text of this arm."""
        if self.script is not None:
            return self.script.get(place, Behaviour())
        return by_chance(self.habits, self.seed, place, arm)

    def number(self, place: int) -> str:
        """In E.164 form. It says who it is, and how a message to it ends."""
        handset = self.behaviour(place, 0).handset
        ending = handset.value or f"8{place % 1000:03d}"
        prefix, middle = divmod(place, UNDER_A_PREFIX)
        return f"+86{PREFIXES[prefix]}{middle:04d}{ending}"

    def place(self, number: str) -> int | None:
        """Whose number it is; None: nobody's. It takes both +86… and 86…"""
        digits = number.removeprefix("+")
        if len(digits) != 13 or not digits.startswith("86") or digits[2:5] not in PREFIXES:
            return None
        place = PREFIXES.index(digits[2:5]) * UNDER_A_PREFIX + int(digits[5:9])
        return place if place < self.rows and self.number(place) == f"+{digits}" else None


def by_chance(habits: Habits, seed: int, place: int, arm: int) -> Behaviour:
    """A question's draw depends on no other's: who gets the other arm is the same person."""
    off, preview, taps, twice, out, complains, *steps, reply = _draws(seed, place)
    if off < habits.off:
        return Behaviour(handset=Handset.OFF if off < habits.off / 2 else Handset.TOO_LONG_OFF)
    tapping, done = taps < habits.taps[arm], 0
    if tapping:
        for draw, share in zip(steps, habits.steps, strict=True):
            if draw >= share:
                break
            done += 1
    return Behaviour(
        preview=int(preview / habits.preview * PREVIEWS) if preview < habits.preview else None,
        taps=(1 + (twice < habits.twice)) if tapping else 0,
        done=done,
        reply=_choice(OPT_OUT_REPLIES, reply) if out < habits.opts_out else None,
        complains=complains < habits.complains,
    )


def _draws(seed: int, place: int) -> list[float]:
    """Eleven numbers from 0 to below 1."""
    octets = blake2b(b"%d %d" % (seed, place), digest_size=44).digest()
    return [draw / 2**32 for draw in unpack(">11I", octets)]


def _choice(words: tuple[str, ...], draw: float) -> str:
    return words[int(draw * len(words))]
