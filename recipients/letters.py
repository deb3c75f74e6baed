"""Folding of short texts: one word is one word, however it is written.

Owns the folding: width, case, accents, and what counts as a sign. Must not know words. Pure.
"""

from __future__ import annotations

import re
import unicodedata

# Signs, although their compatibility forms contain letters. Examples: a digit in a frame, a sign
# shown as a picture, and signs that stand for a word.
_FRAMED = re.compile("[0-9#*]\ufe0f?\u20e3|[\u2122\u2120\u2121\u2139\u2116]")
_PICTURE = re.compile("(.)\ufe0f", re.DOTALL)
# Shown as nothing: variation selectors and fillers. A format character of Unicode divides words, as
# every other sign does.
_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_APOSTROPHES = re.compile("['\u2019]")  # they hold a word together: "don't" is not "don" and "t"
_ACCENTED = ("LATIN", "GREEK", "CYRILLIC")  # people leave the accents of these out
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR")


def atoms(text: str) -> list[str]:
    """The pieces that words are made of, folded.

    A piece is a run of letters and digits, or one character of a script without spaces between
    words.
    """
    pieces: list[str] = []
    open_run = False  # whether the next letter belongs to the last piece
    lettered = False  # whether the last character was a letter, to which a mark belongs
    for character in _folded(text):
        kind = unicodedata.category(character)[0]
        if kind in "LN":
            spaced = character.isascii() or not _written_in(character, _UNSPACED)
            if open_run and spaced:
                pieces[-1] += character
            else:
                pieces.append(character)
            open_run, lettered = spaced, True
        elif kind == "M":
            if lettered:
                pieces[-1] += character
        else:
            open_run = lettered = False
    return pieces


def _folded(text: str) -> str:
    text = _PICTURE.sub(_without_picture, _FRAMED.sub(" ", text))
    text = unicodedata.normalize("NFKC", _NOTHING.sub("", text))
    if not text.isascii():
        # Before the case: the small form of a capital may keep its accent apart.
        text = unicodedata.normalize("NFKC", "".join(map(_without_accent, text)).casefold())
    return _APOSTROPHES.sub("", text.casefold())


def _without_picture(match: re.Match[str]) -> str:
    return " " if unicodedata.category(match[1]) == "So" else match[1]


def _without_accent(character: str) -> str:
    """A letter without its accent, if Unicode has it with one.

    An accent on a letter that never has one stays: that spells nothing.
    """
    apart = unicodedata.normalize("NFD", character)
    base, marks = apart[0], apart[1:]
    accented = marks and all(unicodedata.category(mark) == "Mn" for mark in marks)
    return base if accented and _written_in(base, _ACCENTED) else character


def _written_in(character: str, scripts: tuple[str, ...]) -> bool:
    return unicodedata.name(character, "").startswith(scripts)
