"""Numbers in clear: who may see them, with a record made before they are shown.

Owns the scope `numbers:reveal`, its parameter, and the record of its use. Must not show a number
before that record is committed: one audit row a request.

Every number leaves masked, unless the request has `reveal=true` and a key with that scope by name.
The scope admin is not enough.
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

# Set where a stored number is damaged or was encrypted with another key. Elsewhere it is absent.
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
    """Asked by the handlers of every list with numbers."""

    def __init__(self, log: RevealLog) -> None:
        self._log = log

    @staticmethod
    def check(key: StoredKey, asked: bool) -> None:
        """Raises ProblemError 403 for a request that its key does not allow."""
        if asked and REVEAL not in key.scopes:
            raise scope_missing(REVEAL)

    async def note(
        self, key: StoredKey, asked: bool, what: str, names: Sequence[str]
    ) -> dict[str, str]:
        """Put on record that these rows are shown in clear. Returns the headers for the answer."""
        if not asked:
            return {}
        first, last = (names[0], names[-1]) if names else (None, None)
        await self._log.note(key.account, key.id, Revealed(what, len(names), first, last))
        return NO_STORE


def shown(number: str | None, *, clear: bool = False) -> str | None:
    """A number as it leaves: in clear or masked."""
    return number if clear or number is None else mask(number)


def unreadable(number: str | None) -> bool | UnsetType:
    """The mark of a row whose number cannot be decrypted; else None."""
    return True if number is None else UNSET
