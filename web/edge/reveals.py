"""Numbers in clear: who may see them, with a record made before they are shown.

Owns the scope `numbers:reveal`, its parameter, and the record of its use. Must not show a number
before that record is committed: one audit row a request.

Every number leaves masked, unless the request has `reveal=true`, a key with that scope by name and
a reason. The scope admin is not enough. The reason is a header, since proxies log what is in a URL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from storage.audit import REASON_CHARACTERS_MAX
from storage.crypto import mask
from web.edge.auth import scope_missing
from web.edge.cursors import PageQuery
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.edge.reveal_log import Revealed, RevealLog

REVEAL = "numbers:reveal"
REASON = "X-Reveal-Reason"
REASON_HEADER: Mapping[str, object] = MappingProxyType(
    {
        REASON: Annotated[
            str,
            Meta(
                max_length=REASON_CHARACTERS_MAX,
                description="Why numbers are shown in clear, in UTF-8; kept in the audit. Needed"
                " with `reveal=true`.",
            ),
        ]
    }
)
REASON_NEEDED: Mapping[str, object] = MappingProxyType(
    {
        REASON: Annotated[
            str,
            Meta(
                max_length=REASON_CHARACTERS_MAX,
                description="Why the numbers are shown, in UTF-8; kept in the audit.",
                examples=["complaint 4711"],
            ),
        ]
    }
)
REVEAL_PROBLEMS = ("reason_missing", "reason_invalid")
NO_STORE = {"Cache-Control": "no-store"}

# Set where a stored number is damaged or was encrypted with another key. Elsewhere it is absent.
Unreadable = Annotated[
    bool | UnsetType, Meta(description="true: the stored number cannot be read, and is null here.")
]

# Set where the text was to be kept for less long than the message. Elsewhere it is absent.
Discarded = Annotated[
    bool | UnsetType, Meta(description="true: the text was not to be kept, and is null here.")
]
# Set where the person was erased, with their number and what was written. Elsewhere it is absent.
Erased = Annotated[
    bool | UnsetType, Meta(description="true: the person was erased; number and text are gone.")
]


class RevealQuery(PageQuery, kw_only=True):
    """A page that can show numbers in clear."""

    reveal: Annotated[
        bool,
        Meta(
            description="Numbers in clear. Needs the scope `numbers:reveal` and the header"
            f" `{REASON}`, too; audited."
        ),
    ] = False


class Reveals:
    """Asked by the handlers of every list with numbers."""

    def __init__(self, log: RevealLog) -> None:
        self._log = log

    @staticmethod
    def check(request: web.Request, key: StoredKey, asked: bool) -> str | None:
        """The reason to show numbers in clear; None where that is not asked for.

        Raises ProblemError 403 for a request that its key does not allow, 422 without a reason.
        """
        if not asked:
            return None
        if REVEAL not in key.scopes:
            raise scope_missing(REVEAL)
        return reason_given(request.headers.getall(REASON, ()))

    async def note(
        self,
        key: StoredKey,
        reason: str | None,
        what: str,
        names: Sequence[str],
        numbers: Iterable[str | None],
        *,
        connector: str | None = None,
    ) -> dict[str, str]:
        """Put on record that these rows are shown in clear. Returns the headers for the answer.

        `reason` is of check(): None, and nothing is shown. `names` are the rows' own; `numbers` are
        shown in clear.
        """
        if reason is None:
            return {}
        first, last = (names[0], names[-1]) if names else (None, None)
        revealed = Revealed(
            list=what,
            rows=len(names),
            first=first,
            last=last,
            reason=reason,
            numbers=[number for number in numbers if number],
            connector=connector,
        )
        await self._log.note(key.account, key.id, revealed)
        return NO_STORE


def reason_given(values: Sequence[str]) -> str:
    """The reason in a request's fields of this name. Raises ProblemError 422."""
    reason = values[0].strip() if len(values) == 1 else ""
    if not reason:
        times = "more than once" if values and len(values) > 1 else "not at all"
        raise ProblemError("reason_missing", f"{REASON} is given {times}")
    fault = reason_fault(reason)
    if fault is not None:
        raise ProblemError("reason_invalid", fault)
    return reason


def reason_fault(reason: str) -> str | None:
    """Why a reason cannot be stored; None if it can."""
    if 1 <= len(reason) <= REASON_CHARACTERS_MAX and reason.isprintable():
        return None
    return f"a reason is 1 to {REASON_CHARACTERS_MAX} printable characters in UTF-8"


def shown(number: str | None, *, clear: bool = False) -> str | None:
    """A number as it leaves: in clear or masked. None for "", of a person that was erased."""
    if not number:
        return None
    return number if clear else mask(number)


def unreadable(number: str | None) -> bool | UnsetType:
    """The mark of a row whose number cannot be decrypted; else None."""
    return True if number is None else UNSET


def discarded(text: str) -> bool | UnsetType:
    """The mark of a row whose text was not to be kept. No stored text is empty otherwise."""
    return UNSET if text else True


def erased(number: str | None) -> bool | UnsetType:
    """The mark of a row whose person was erased: its number is "". Else None."""
    return True if number == "" else UNSET
