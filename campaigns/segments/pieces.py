"""SQL that is made of fixed pieces and of the places of parameters, and of nothing else.

Owns how a piece is filled. Must not know what a segment means. Whatever came from a caller is a
parameter: no text of theirs can get into a statement, because nothing here takes one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, NewType

from storage import sql

Sql = NewType("Sql", str)  # made here alone
Cast = Literal["text", "texts", "number", "numbers", "bool", "date", "instant", "id", "small"]

_PIECES: Final = sql.load("campaigns")
_SLOT: Final = re.compile(r"\{(\w+)\}")


def piece(which: str, /, **slots: Sql) -> Sql:
    """The piece `piece_<which>` of sql/segment_pieces.sql with every slot filled."""
    return Sql(_SLOT.sub(lambda slot: slots[slot[1]], _PIECES[f"piece_{which}"]))


def joined(parts: Iterable[Sql]) -> Sql:
    """One behind the other."""
    return Sql(" ".join(parts))


def label(of: Literal["table", "lack", "value"], place: int) -> Sql:
    """A name within a statement: `table_0`, `table_1` …"""
    return Sql(f"{of}_{place:d}")


class Parameters:
    """The values of a statement, in the order of their places. The first is `$after+1`."""

    def __init__(self, after: int = 0) -> None:
        self.values: list[object] = []
        self._after = after

    def add(self, value: object, cast: Cast) -> Sql:
        """The place of this value, with its type."""
        self.values.append(value)
        return piece(f"parameter_{cast}", parameter=Sql(f"${self._after + len(self.values)}"))
