"""Rewriting a carrier's ids by a pattern, where it adds something of its own to them (E6).

Owns which patterns are allowed, and their application. Must not know which connector has one. Pure.

No id that a carrier sends can make a pattern slow: ids are short and patterns simple. At most
REPEATS_MAX repetitions, none of a group, no look-around and no back-reference.
"""

from __future__ import annotations

import re
import warnings

from dlr.receipt_text import ID_CHARACTERS_MAX

PATTERN_CHARACTERS_MAX = 100
REPEATS_MAX = 2

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_REPEAT = re.compile(r"[*+?]|\{")
_BACK_REFERENCE = re.compile(r"\\[1-9]")


class IdRewrite:
    """Replaces each match of `pattern` in an id by `replacement`, which may name groups."""

    def __init__(self, pattern: str, replacement: str) -> None:
        """Raises ValueError, worded for the operator, for what cannot or must not be used."""
        if len(pattern) > PATTERN_CHARACTERS_MAX or len(replacement) > PATTERN_CHARACTERS_MAX:
            raise ValueError(f"a pattern has at most {PATTERN_CHARACTERS_MAX} characters")
        _check_simple(pattern)
        try:
            with warnings.catch_warnings():
                # What re warns of will mean something else in a later Python.
                warnings.simplefilter("error")
                self._pattern = re.compile(pattern, re.ASCII)
            self._pattern.sub(replacement, "")
        except (re.error, IndexError, Warning) as error:
            raise ValueError(f"the pattern cannot be used: {error}") from None
        if self._pattern.search("") is not None:
            raise ValueError("the pattern matches an empty id")
        self._replacement = replacement

    def __call__(self, identifier: str) -> str:
        """The id as it is compared. One that the rewriting would leave empty stays as it is."""
        written = self._pattern.sub(self._replacement, identifier[:ID_CHARACTERS_MAX])
        return written[:ID_CHARACTERS_MAX] or identifier


def _check_simple(pattern: str) -> None:
    if _BACK_REFERENCE.search(pattern):
        raise ValueError("the pattern may not refer back to a group; the replacement may")
    bare = _CLASS.sub("x", _ESCAPED.sub("x", pattern))
    if "(?" in bare:
        raise ValueError("the pattern may not hold (?…); plain groups are enough")
    if _REPEATED_GROUP.search(bare):
        raise ValueError("the pattern may not repeat a group")
    if len(_REPEAT.findall(bare)) > REPEATS_MAX:
        raise ValueError(f"the pattern may repeat {REPEATS_MAX} times at most")
