"""The sentences of a page: of its paragraphs, items and cells, without code and pictures.

Owns the reading of Markdown as far as that goes. Must not judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENT = re.compile(r"<!--.*?-->")
_FENCE = re.compile(r"\s*```")
_BEGINS = re.compile(r"^\s*([-*]|\d{1,2}\.|#+)\s+")
_CODE = re.compile(r"`[^`]*`")
_TARGET = re.compile(r"\]\([^)]*\)")
_END = re.compile(r"(?<=[.!?])(?:\*\*)?\s+(?=\S)")
_LISTED = re.compile(r"\bcode(?:[,:]?(?:<br>|\s+)code\b)+")


@dataclass(frozen=True)
class Sentence:
    """`line`: where its paragraph, item or row begins."""

    line: int
    text: str

    @property
    def words(self) -> int:
        """Code in a sentence is one word, and so is a list of it. A link is what it shows."""
        return len(_LISTED.sub("code", self.text).split())


def sentences(page: str) -> Iterator[Sentence]:
    """Of a page in Markdown, in order."""
    for line, piece in _pieces(page):
        bare = _TARGET.sub("]", _CODE.sub("code", piece))
        yield from (Sentence(line, each) for each in _END.split(bare) if each)


def _pieces(page: str) -> Iterator[tuple[int, str]]:
    """Paragraphs, items and cells; a line of its own joins those before it."""
    begun, held, fenced = 0, "", False
    for number, written in enumerate(page.splitlines(), 1):
        line = _COMMENT.sub("", written).strip()
        if _FENCE.match(written):
            fenced = not fenced
        elif line and not fenced and not line.startswith("|") and not _BEGINS.match(written):
            begun, held = (begun, f"{held} {line}") if held else (number, line)
            continue
        if held:
            yield begun, held
            held = ""
        if fenced or not line or _FENCE.match(written):
            continue
        if line.startswith("|"):
            cells = map(str.strip, _CODE.sub("code", line).split("|"))
            yield from ((number, cell) for cell in cells if cell)
        else:
            begun, held = number, _BEGINS.sub("", written, count=1).strip()
    if held:
        yield begun, held
