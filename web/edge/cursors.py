"""Keyset cursors: the signed, opaque place in a list where its next page begins.

Owns the form of a cursor, the parameters `limit` and `cursor` of every list, and the Link header.
Must not know what is listed: a list hands over the sort key of its last row and gets it back. There
is no offset, so a page costs the same anywhere in a list.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.models import FieldError
from web.edge.problems import ProblemError

LIMIT_MAX = 1000
LIMIT_DEFAULT = 100
CURSOR_CHARACTERS_MAX = 1_800  # a report by three names, in letters of four octets, and a batch
KEY_BYTES = 32
KEY_PURPOSE = "list cursor"  # for NumberKeys.derive: every process of an installation can read it

_TAG_BYTES = 16
_SHARED = frozenset({"limit", "cursor"})

Row = TypeVar("Row")
Position = tuple[int | str, ...]


class PageQuery(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The query parameters of every list; a list with filters inherits from it."""

    limit: Annotated[int, Meta(ge=1, le=LIMIT_MAX, description="Items in one page.")] = (
        LIMIT_DEFAULT
    )
    cursor: Annotated[
        str | None,
        Meta(description="`next_cursor` of the page before; the other parameters stay the same."),
    ] = None


class Cursors:
    """Seals and opens cursors. One is good for one path, one account and one set of filters.

    Anywhere else it is refused, and so is one that was changed.
    """

    __slots__ = ("_decoder", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._decoder = msgspec.msgpack.Decoder(Position)

    def page(self, request: web.Request, account: int, query: PageQuery) -> Page:
        """What the request asks for. Raises ProblemError 422 for a cursor that is not of this list.

        `account` is 0 for lists that belong to no account.
        """
        filters = sorted((name, value) for name, value in request.query.items() if name != "cursor")
        scope = msgspec.msgpack.encode(
            (request.path, account, [each for each in filters if each[0] not in _SHARED])
        )
        after = () if query.cursor is None else self._open(scope, query.cursor)
        return Page(query.limit, after, self, scope, request.path, filters)

    def seal(self, scope: bytes, position: Position) -> str:
        """The cursor for the rows behind `position`, in the list that `scope` names."""
        payload = msgspec.msgpack.encode(position)
        return base64.urlsafe_b64encode(self._tag(scope, payload) + payload).rstrip(b"=").decode()

    def _open(self, scope: bytes, cursor: str) -> Position:
        try:
            if len(cursor) > CURSOR_CHARACTERS_MAX:
                raise ValueError("longer than any cursor")
            sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            tag, payload = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
            if not hmac.compare_digest(tag, self._tag(scope, payload)):
                raise ValueError("not sealed by us for this list")
            return self._decoder.decode(payload)
        except (ValueError, binascii.Error, msgspec.DecodeError):
            detail = "cursor: not one of this list, its filters and this account"
            fault = FieldError("cursor_invalid", detail, parameter="cursor")
            raise ProblemError("cursor_invalid", detail, (fault,)) from None

    def _tag(self, scope: bytes, payload: bytes) -> bytes:
        scoped = hashlib.sha256(scope).digest() + payload
        return hmac.digest(self._key, scoped, "sha256")[:_TAG_BYTES]


class Page:
    """One page of a list as it was asked for.

    `after` is the sort key of the last row seen, () on the first page. A list fetches `limit + 1`
    rows behind it; cut() then tells whether there are more.
    """

    __slots__ = ("_cursors", "_filters", "_path", "_scope", "after", "limit")

    def __init__(
        self,
        limit: int,
        after: Position,
        cursors: Cursors,
        scope: bytes,
        path: str,
        filters: Sequence[tuple[str, str]],
    ) -> None:
        self.limit = limit
        self.after = after
        self._cursors = cursors
        self._scope = scope
        self._path = path
        self._filters = filters

    def cut(
        self, rows: Sequence[Row], key: Callable[[Row], Position]
    ) -> tuple[Sequence[Row], str | None]:
        """(the rows of this page, the cursor of the next one or None)."""
        if len(rows) <= self.limit:
            return rows, None
        kept = rows[: self.limit]
        return kept, self._cursors.seal(self._scope, key(kept[-1]))

    def more(self, position: Position | None) -> str | None:
        """The cursor behind `position`, for a list that knows itself where it stopped."""
        return None if position is None else self._cursors.seal(self._scope, position)

    def headers(self, next_cursor: str | None) -> dict[str, str]:
        """`Link: <…>; rel="next"` (RFC 8288) while there are more."""
        if next_cursor is None:
            return {}
        query = urlencode([*self._filters, ("cursor", next_cursor)])
        return {"Link": f'<{self._path}?{query}>; rel="next"'}
