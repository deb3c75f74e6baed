"""Cuts the source of a segment into tokens.

Owns the alphabet of the language. Must not know its grammar. It never fails: what is no token is a
mistake, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from campaigns.segments.mistakes import Mistake

Kind = Literal["word", "text", "number", "date", "duration", "sign", "end"]

# The order decides: a date begins like a number, and so does a duration.
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<date>\d{4}-\d{2}-\d{2}(?!\w))
      | (?P<duration>\d+d(?!\w))
      | (?P<number>-?\d+(?:\.\d+)?(?!\w))
      | (?P<malformed>-?\d[\w.]*)
      | (?P<word>[^\W\d]\w*)
      | (?P<text>"(?:[^"\\]|\\["\\])*")
      | (?P<sign>!=|<=|>=|[=<>(),])
      | (?P<open>".*)
      | (?P<curly>[“‘'][^”’']*[”’'])
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANT: Final = MappingProxyType(
    {
        "（": "(", "）": ")", "，": ",", "、": ",", "＝": "=", "＜": "<", "＞": ">", "≥": ">=",
        "≤": "<=", "≠": "!=",
    }
)  # fmt: skip
_FOUND_CHARACTERS_MAX: Final = 40


class Token(msgspec.Struct, frozen=True):
    """`value` as it is meant: of a text without quotes and escapes. `column` counts from 1."""

    kind: Kind
    value: str
    column: int

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        shown = self.value[:_FOUND_CHARACTERS_MAX]
        return f'the text "{shown}"' if self.kind == "text" else shown


def tokens(source: str) -> tuple[list[Token], list[Mistake]]:
    """All tokens, the last of kind end, and what is none. What was meant stands in its place, so
    that one mistake is told once.
    """
    found: list[Token] = []
    mistakes: list[Mistake] = []
    for kind, written, column in _pieces(source):
        fault, meant = _read(kind, written)
        if fault:
            mistakes.append(Mistake(column, fault))
        if meant is not None:
            found.append(Token(*meant, column))
    found.append(Token("end", "", len(source) + 1))
    return found, mistakes


def _pieces(source: str) -> Iterator[tuple[str, str, int]]:
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind is not None and kind != "space":
            yield kind, match.group(), match.start() + 1


def _read(kind: str, written: str) -> tuple[str, tuple[Kind, str] | None]:
    """What is wrong with a piece, and the token that it is or was meant to be."""
    shown = written[:_FOUND_CHARACTERS_MAX]
    match kind:
        case "text":
            value = _ESCAPE.sub(r"\1", written[1:-1])
            fault = "a text holds no NUL" if "\0" in value else ""
            return fault, ("text", value.replace("\0", ""))
        case "word" | "number" | "date" | "duration" | "sign":
            return "", (kind, written)
        case "malformed":
            expected = "expected a number, a date such as 2026-11-11 or days such as 30d"
            return f"{expected}, found {shown}", ("number", "0")
        case "open":
            expected = 'expected a text that ends with ", with a backslash before " and \\ alone'
            return expected, ("text", written[1:])
        case "curly":
            return f'expected a text between " and ", found {shown}', ("text", written[1:-1])
    meant = _MEANT.get(written)
    if meant is None:
        return f"{written!r} has no meaning here", None
    return f"expected {meant}, found {written}", ("sign", meant)
