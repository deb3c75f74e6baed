"""Whether what was printed has the shape of what a page shows.

Owns the comparison. JSON is compared by its members, the types of numbers, and words; text is
compared as it stands. What differs from run to run (ids, moments, codes of links) has a pattern
here. `…` in what a page shows stands for anything: more members, more items, lines, part of a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType

ANY = "…"
Json = object  # with Ellipsis for …

_VARIES = (
    (
        re.compile(
            r"\b(msg|bat|req|sup|con|inb|whe|whd|evt|imp|cnv|lnk|tpl|seg|aud|era|cim|cev|cmp|raw|cap)"
            r"_[0-9a-z]+"
        ),
        r"\1_id",
    ),
    (re.compile(r"\bclk_[0-9a-z]+_[0-9a-z]+"), "clk_id"),
    (re.compile(r"\bsk_[0-9A-Za-z_-]+"), "sk_key"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00)"), "MOMENT"),
    # Of a clock: no page has such a day in what it types (test_documents.py).
    (re.compile(r"\b20\d\d-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"(?<=:8081/)[0-9A-Za-z]{6}(?:[0-9A-Za-z]{2})?\b"), "LINK"),
    (re.compile(r"(?<=#)\d+\b"), "N"),
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_PLAIN = re.compile(r"[^\s,:\]}\[{\"…]+")


@dataclass(frozen=True)
class Members:
    """An object; `open` if there may be more members."""

    members: dict[str, Json]
    open: bool


@dataclass(frozen=True)
class Items:
    """A list; `open` if there may be more items."""

    items: tuple[Json, ...]
    open: bool


Piece = str | Members | Items


def differences(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """What of the lines printed is not as shown; nothing if all is."""
    wanted, found = _pieces(shown), _pieces(printed)
    faults: list[str] = []
    while wanted:
        want = wanted.pop(0)
        if want == ANY:
            if not wanted:
                return faults
            while found and _piece_faults(wanted[0], found[0]):
                found.pop(0)
        elif not found:
            return [*faults, f"not printed: {want}"]
        else:
            faults += _piece_faults(want, found.pop(0))
    return faults + [f"printed, not shown: {each}" for each in found]


def _piece_faults(want: Piece, found: Piece) -> list[str]:
    if isinstance(want, str) and isinstance(found, str):
        return [] if _fits(want, found) else [f"shown {want!r}, printed {found!r}"]
    if isinstance(want, str) or isinstance(found, str):
        return [f"shown {want!r}, printed {found!r}"]
    return _json_faults(want, found, "")


def _json_faults(want: Json, found: Json, place: str) -> list[str]:
    if want is ...:
        return []
    if isinstance(want, Members) and isinstance(found, Members):
        return _member_faults(want, found, place)
    if isinstance(want, Items) and isinstance(found, Items):
        wanted, given = want.items, found.items
        if len(wanted) > len(given) or (len(wanted) < len(given) and not want.open):
            return [f"{place}: {len(wanted)} items shown, {len(given)} printed"]
        pairs = zip(wanted, given, strict=False)
        return [
            fault
            for number, (each, other) in enumerate(pairs)
            for fault in _json_faults(each, other, f"{place}/{number}")
        ]
    if isinstance(want, str) and isinstance(found, str):
        alike = _fits(want, found)
    elif _is_number(want) and _is_number(found):
        alike = isinstance(want, float) == isinstance(found, float) or want == 0 or found == 0
    else:
        alike = want is found
    return [] if alike else [f"{place}: shown {want!r}, printed {found!r}"]


def _member_faults(want: Members, found: Members, place: str) -> list[str]:
    faults = [f"{place}/{name}: not printed" for name in want.members.keys() - found.members.keys()]
    more = found.members.keys() - want.members.keys()
    if not want.open:
        faults += [f"{place}/{name}: not shown" for name in sorted(more)]
    for name, value in want.members.items():
        if name in found.members:
            faults += _json_faults(value, found.members[name], f"{place}/{name}")
    return faults


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fits(want: str, found: str) -> bool:
    for pattern, stand_in in _VARIES:
        want, found = pattern.sub(stand_in, want), pattern.sub(stand_in, found)
    parts = (re.escape(part) for part in want.rstrip().split(ANY))
    return re.fullmatch(".*".join(parts), found.rstrip(), re.DOTALL) is not None


def _pieces(lines: Sequence[str]) -> list[Piece]:
    """Lines of text, and what begins with a brace or a bracket as one piece of JSON."""
    pieces: list[Piece] = []
    rest = [line for line in lines if line.strip()]
    while rest:
        if rest[0].startswith(("{", "[")):
            text = "\n".join(rest)
            value, end = _Reader(text).document()
            assert isinstance(value, Members | Items)
            pieces.append(value)
            rest = [line for line in text[end:].split("\n") if line.strip()]
        else:
            pieces.append(rest.pop(0))
    return pieces


class _Reader:
    """JSON with `…` where something is left out."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def document(self) -> tuple[Json, int]:
        """The first value, and where it ends."""
        return self._value(), self._at

    def _value(self) -> Json:
        first = self._next()
        if first == ANY:
            self._at += 1
            return ...
        if first == "{":
            return self._object()
        if first == "[":
            items, is_open = self._listed("]")
            return Items(tuple(items), is_open)
        match = (_STRING if first == '"' else _PLAIN).match(self._text, self._at)
        if match is None:
            raise ValueError(f"no JSON: {self._text[self._at : self._at + 40]!r}")
        self._at = match.end()
        value: Json = json.loads(match[0])
        return value

    def _object(self) -> Members:
        pairs, is_open = self._listed("}")
        members: dict[str, Json] = {}
        for pair in pairs:
            assert isinstance(pair, tuple)
            members[pair[0]] = pair[1]
        return Members(members, is_open)

    def _listed(self, end: str) -> tuple[list[Json], bool]:
        self._at += 1
        found: list[Json] = []
        is_open = False
        while self._next() != end:
            value = self._value()
            if isinstance(value, EllipsisType):
                is_open = True
            elif end == "}":
                self._expect(":")
                found.append((value, self._value()))
            else:
                found.append(value)
            if self._next() != end:
                self._expect(",")
        self._at += 1
        return found, is_open

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise ValueError(f"no {sign} before {self._text[self._at : self._at + 40]!r}")
        self._at += 1

    def _next(self) -> str:
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]
