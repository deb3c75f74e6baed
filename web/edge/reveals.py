"""Numbers in clear: who may see them, and that it is on record before they are shown.

Owns the scope `numbers:reveal`, its parameter, and the record of its use. Every number leaves
masked unless the request asked for it by `reveal=true` with a key that has the scope by name: the
scope admin is not enough. One audit row a request is committed before the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from storage.crypto import mask
from web.edge.auth import scope_missing
from web.edge.cursors import PageQuery
from web.edge.keys import StoredKey
from web.edge.reveal_log import Revealed, RevealLog

REVEAL = "numbers:reveal"
NO_STORE = {"Cache-Control": "no-store"}

# Set where a stored number is damaged or was sealed with another key; elsewhere it is absent.
Unreadable = Annotated[
    bool | UnsetType, Meta(description="true: the stored number cannot be read, and is null here.")
]


class RevealQuery(PageQuery, kw_only=True):
    """A page that can show numbers in clear."""

    reveal: Annotated[
        bool,
        Meta(description="Numbers in clear. Needs the scope `numbers:reveal`, too; audited."),
    ] = False


class Reveals:
    """Asked by the handlers of every list that has numbers."""

    def __init__(self, log: RevealLog) -> None:
        self._log = log

    @staticmethod
    def check(key: StoredKey, asked: bool) -> None:
        """Raises ProblemError 403 for what the key may not see."""
        if asked and REVEAL not in key.scopes:
            raise scope_missing(REVEAL)

    async def note(
        self, key: StoredKey, asked: bool, what: str, names: Sequence[str]
    ) -> dict[str, str]:
        """Put on record that these rows are shown in clear; the headers that the answer gets."""
        if not asked:
            return {}
        first, last = (names[0], names[-1]) if names else (None, None)
        await self._log.note(key.account, key.id, Revealed(what, len(names), first, last))
        return NO_STORE


def shown(number: str | None, *, clear: bool = False) -> str | None:
    """A number as it leaves."""
    return number if clear or number is None else mask(number)


def unreadable(number: str | None) -> bool | UnsetType:
    """The mark of a row whose number cannot be read."""
    return True if number is None else UNSET
