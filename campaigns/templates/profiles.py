"""What providers take of a text: length of signatures, links, variables, contents, hours.

Owns the reading of `profiles/*.toml`. Must not judge a text (linter.py). What a provider
changes is changed in its file.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from recipients.hours import parse_clock

FOLDER: Final = Path(__file__).parent / "profiles"


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One provider. `hours`: minutes of the day between which marketing may go; None: any.

    `refuses`: lists of `words/` that it does not take.
    """

    title: str
    source: str
    signature_max: int = 12
    links: Literal["any", "constant"] = "any"
    marketing_variables: bool = True
    joined_variables: bool = True
    variable_max: int | None = None
    hours: tuple[int, int] | None = None
    refuses: tuple[str, ...] = ()
    simplified_only: bool = False


@cache
def profile_names() -> tuple[str, ...]:
    """Of all that there are, in order."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def profile(name: str) -> Profile:
    """The profile with this name, one of `profile_names`. Raises ValueError for a broken file."""
    with (FOLDER / f"{name}.toml").open("rb") as file:
        told = tomllib.load(file)
    if "hours" in told:
        told["hours"] = tuple(map(parse_clock, told["hours"]))
    return msgspec.convert(told, Profile)
