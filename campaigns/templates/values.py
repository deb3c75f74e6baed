"""What a value may put into a text: never a place, a signature, a link or a line of its own.

Owns the cleaning of values, and how long one is on a phone. Must not know a variable. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple
from unicodedata import category, normalize

from campaigns.templates.words import words

VALUE_CHARACTERS_MAX = 1_000  # more is too long for any variable, and is not looked at
ROUNDS_MAX = 8  # of looking again at what is left
SCHEME_CHARACTERS_MAX = 32  # of a link; of a longer word before :// the end is taken

_LINE_BREAK = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_BRACES = re.compile("[{}]")
_BRACKETS = re.compile("[【】]")


class Cleaned(NamedTuple):
    """A value as it may stand in a text. `removed`: how much of each kind is gone."""

    text: str
    removed: Mapping[str, int]


def cleaned(value: str) -> Cleaned:
    """Without braces, 【】, links, line breaks and invisible characters, each kind counted.

    What is taken out may leave something else to take out behind it; so it is looked at again.
    After ROUNDS_MAX looks nothing is left: whoever nests links so deep wants no words. A line break
    leaves a space. Only the first VALUE_CHARACTERS_MAX characters are taken.
    """
    text, removed = value[:VALUE_CHARACTERS_MAX], Counter[str]()
    kinds = (
        ("line_breaks", _LINE_BREAK, " "), ("braces", _BRACES, ""), ("brackets", _BRACKETS, ""),
        ("links", links(), ""),
    )  # fmt: skip
    for _ in range(ROUNDS_MAX):
        before = text
        text = normalize("NFKC", text)
        for kind, pattern, instead in kinds:
            text, count = pattern.subn(instead, text)
            if count:
                removed[kind] += count
        seen = "".join(each for each in text if each.isspace() or category(each)[0] != "C")
        if len(seen) < len(text):
            removed["invisible"] += len(text) - len(seen)
        text = " ".join(seen.split())
        if text == before:
            return Cleaned(text, dict(removed))
    return Cleaned("", dict(removed))


def units(text: str) -> int:
    """How many characters a phone counts: an emoji and other rare characters are two."""
    return len(text) + sum(each > "\uffff" for each in text)


@cache
def links() -> re.Pattern[str]:
    """What a phone makes a link of. ASCII goes on with it; Chinese behind it is kept."""
    ends = words("link_endings")
    latin = "|".join(end for end in ends if end.isascii())
    others = "|".join(end for end in ends if not end.isascii())
    label = r"(?<![a-z0-9-])(?<![a-z0-9-][.。])"  # the first of a host: no other start is tried
    host = rf"{label}(?:[a-z0-9-]+[.。])+"
    rest = r"[!-~]*"
    return re.compile(
        rf"[a-z][a-z0-9+.-]{{0,{SCHEME_CHARACTERS_MAX - 1}}}://{rest}|www[.。]{rest}"
        rf"|{host}(?:{latin})(?![a-z0-9-])(?:[:/?#]{rest})?"
        rf"|{host}[a-z]{{2,}}[:/]{rest}"
        rf"|(?:[0-9]{{1,3}}[.。]){{3}}[0-9]{{1,3}}[:/]{rest}"
        rf"|(?<![\w-])[\w-]+[.。](?:{others})(?:[:/?#]{rest})?",
        re.IGNORECASE,
    )
