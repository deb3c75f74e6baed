"""What a load consists of: the messages and how often each comes, batches, numbers, thresholds.

Owns the form of the profile file and every message of a run, which its place alone decides. Must
not send anything.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import msgspec

BATCH_MAX = 1_000
NUMBERS_MAX = 10_000_000
RATE_MAX = 100_000.0  # messages a second
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|min|h))?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(s|min|h)")
_SECONDS = {None: 1.0, "s": 1.0, "min": 60.0, "h": 3_600.0}
# Two primes: which message is the n-th looks mixed, and is the same in every run.
_STRIDE, _CYCLE = 7_919, 10_007

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(gt=0)]


class ProfileError(ValueError):
    """What is wrong with a profile, a rate or a span of time."""


class MessageKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of message. `{n}` in its text is the message's place in the run."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    weight: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    category: str | None = None
    sender: str | None = msgspec.field(default=None, name="from")


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the run has to keep to. None: not asked."""

    accept_p99_ms: Milliseconds | None = None
    final_p99_ms: Milliseconds | None = None
    failed_share_max: Share | None = None
    late_share_max: Share | None = None
    delivered_share_min: Share | None = None


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole load. `numbers` recipients follow one another from `first_number`, again and again.

    `batch_share` of the messages go in batches of `batch_size`. With `retry`, what was refused for
    now or not answered is sent again under its Idempotency-Key.
    """

    messages: Annotated[tuple[MessageKind, ...], msgspec.Meta(min_length=1, max_length=100)] = (
        MessageKind("Your code is {n}.", weight=1, category="otp"),
        MessageKind("Your parcel {n} is on its way.", weight=5, category="transactional"),
        MessageKind("Today only: every tenth order is free. {n}", weight=4, category="marketing"),
    )
    batch_share: Share = 0.5
    batch_size: Annotated[int, msgspec.Meta(ge=1, le=BATCH_MAX)] = 100
    retry: bool = False
    first_number: Annotated[str, msgspec.Meta(pattern=r"^\+[1-9]\d{6,14}$")] = "+8613900000000"
    numbers: Annotated[int, msgspec.Meta(ge=1, le=NUMBERS_MAX)] = 100_000
    thresholds: Thresholds = Thresholds()


class Messages:
    """The messages of a run, by their place in it."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._ends = list(accumulate(kind.weight for kind in profile.messages))
        self._first = int(profile.first_number)

    def body(self, place: int) -> dict[str, object]:
        """The n-th message as the API takes it."""
        drawn = place * _STRIDE % _CYCLE * self._ends[-1] // _CYCLE
        kind = self._profile.messages[bisect_right(self._ends, drawn)]
        body: dict[str, object] = {
            "to": f"+{self._first + place % self._profile.numbers}",
            "text": kind.text.replace("{n}", str(place)),
        }
        if kind.category is not None:
            body["category"] = kind.category
        if kind.sender is not None:
            body["from"] = kind.sender
        return body


def read(path: Path) -> Profile:
    """A profile file in TOML. Raises ProfileError with the field and what would be right."""
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Profile)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ProfileError(f"{path}: {error}") from error


def rate_of(text: str) -> float:
    """Messages a second: `500`, `500/s`, `30000/min`. Raises ProfileError."""
    found = _RATE.fullmatch(text)
    rate = float(found[1]) / _SECONDS[found[2]] if found else 0.0
    if not 0 < rate <= RATE_MAX:
        raise ProfileError(f"{text!r} is no rate up to {RATE_MAX:.0f} a second, such as 500/s")
    return rate


def seconds_of(text: str) -> float:
    """Seconds of `60s`, `5min`, `2h`. Raises ProfileError."""
    found = _SPAN.fullmatch(text)
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not seconds:
        raise ProfileError(f"{text!r} is no span of time, such as 60s, 5min or 2h")
    return seconds
