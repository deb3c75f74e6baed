"""Owns the table of typographic characters, and what each is written as in plain letters.

Must not decide when to replace, nor touch letters. An accent that is lost changes a name. A curly
quotation mark that becomes straight changes nothing but the price: UCS-2 holds 70 characters, not
160.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_GROUPS: Final[tuple[tuple[str, str], ...]] = (
    # what is written, and the characters that it is written for
    ('"', "\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u301d\u301e\u301f"),
    ("'", "\u2018\u2019\u201a\u201b\u2032\u2035\u02bc\u02b9\u00b4\u0060"),
    ("<", "\u2039"),
    (">", "\u203a"),
    ("-", "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63"),
    ("-", "\u2022\u2023\u25e6\u2219"),
    (".", "\u00b7\u2024"),
    ("..", "\u2025"),
    ("...", "\u2026"),
    ("/", "\u2044\u2215"),
    ("*", "\u2217\u22c6"),
    ("x", "\u00d7"),
    ("~", "\u02dc\u223c"),
    ("^", "\u02c6"),
    ("|", "\u00a6\u2223"),
    ("!!", "\u203c"),
    ("?!", "\u2048"),
    ("!?", "\u2049"),
    (" ", "\t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"),
    (" ", "\u202f\u205f\u3000"),
    ("\n", "\u0085\u2028\u2029"),
    # Characters without width: soft hyphen, break and join hints, direction marks, byte order mark.
    ("", "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\u202a\u202b\u202c\u202d\u202e\ufeff"),
    ("ff", "\ufb00"),
    ("fi", "\ufb01"),
    ("fl", "\ufb02"),
    ("ffi", "\ufb03"),
    ("ffl", "\ufb04"),
    ("(C)", "\u00a9"),
    ("(R)", "\u00ae"),
    ("(TM)", "\u2122"),
    ("No.", "\u2116"),
    ("1/4", "\u00bc"),
    ("1/2", "\u00bd"),
    ("3/4", "\u00be"),
)

REPLACEMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {character: plain for plain, characters in _GROUPS for character in characters}
)


def replaced(text: str, characters: str) -> str | None:
    """``text`` with each of ``characters`` written plainly; every other character stays.

    None where one of them has no plain form: to change only some would cost and gain nothing.
    """
    if any(character not in REPLACEMENTS for character in characters):
        return None
    return text.translate({ord(character): REPLACEMENTS[character] for character in characters})
