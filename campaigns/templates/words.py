"""The word lists of the linter, one word a line.

Owns their reading (`words/*.txt`). Must not know what a list is for. A line that begins with # says
something to the reader.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "words"


@cache
def words(name: str) -> tuple[str, ...]:
    """The words of this list, the longest first. Raises FileNotFoundError for an unknown name."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    kept = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    return tuple(sorted(kept, key=lambda word: (-len(word), word)))


def found(name: str, text: str) -> tuple[str, ...]:
    """The words of this list that stand in `text`, in the order of the text, each once.

    A word within a longer one that was found is not told again.
    """
    folded = text.casefold()
    places: dict[int, str] = {}
    taken = bytearray(len(folded))
    for word in words(name):
        key = word.casefold()
        start = folded.find(key)
        while start >= 0:
            if not any(taken[start : start + len(key)]):
                places[start] = word
                taken[start : start + len(key)] = b"\1" * len(key)
            start = folded.find(key, start + 1)
    return tuple(dict.fromkeys(places[start] for start in sorted(places)))
