"""The text of a template: what is fixed in it, where values go, and where links go.

Owns this grammar: `{{name}}`, `{{link:name}}`, `{{optout}}`. Must not know what a name stands for.
Pure.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from shortlinks.rewrite import OPT_OUT_MARK

BODY_CHARACTERS_MAX = 1_000
LINK = "link:"

_PLACE = re.compile(r"\{\{([^{}]*)\}\}")
_LINK_NAME = re.compile(r"[^{}\s:]{1,32}")


class Place(NamedTuple):
    """Where something goes."""

    kind: Literal["variable", "link"]
    name: str


Pieces = tuple[str | Place, ...]


class BodyFault(ValueError):
    """A text that is no template. `position` counts characters from 0."""

    def __init__(self, detail: str, position: int) -> None:
        super().__init__(f"{detail}, at character {position}")
        self.position = position


def parse(body: str) -> Pieces:
    """Fixed texts and places in turn; no fixed text is empty. Raises BodyFault."""
    pieces: list[str | Place] = []
    end = 0
    for found in _PLACE.finditer(body):
        if found[0] == OPT_OUT_MARK:
            continue  # it stays text: the way to opt out is put in with the links
        _fixed(body, end, found.start(), pieces)
        pieces.append(_place(found[1].strip(), found.start()))
        end = found.end()
    _fixed(body, end, len(body), pieces)
    return tuple(pieces)


def names(pieces: Pieces, kind: Literal["variable", "link"]) -> tuple[str, ...]:
    """In the order of the text, as often as each stands there."""
    return tuple(each.name for each in pieces if isinstance(each, Place) and each.kind == kind)


def _fixed(body: str, start: int, end: int, pieces: list[str | Place]) -> None:
    text = body[start:end]
    bare = text.replace(OPT_OUT_MARK, "\0" * len(OPT_OUT_MARK))
    for half, said in (("{{", "without its }}"), ("}}", "without its {{")):
        if half in bare:
            raise BodyFault(f"{half} {said}", start + bare.index(half))
    if text:
        pieces.append(text)


def _place(name: str, position: int) -> Place:
    if name.startswith(LINK):
        link = name.removeprefix(LINK)
        if not _LINK_NAME.fullmatch(link):
            raise BodyFault("a link is {{link:name}} with 1 to 32 characters", position)
        return Place("link", link)
    if not name.isidentifier():
        raise BodyFault("a variable is {{name}}: letters, digits and _", position)
    return Place("variable", name)
