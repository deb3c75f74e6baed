"""What the redirect asks of links that belong to no message: which one a request means.

Owns the domains of links and the reading of the table `link` for redirects. Must not keep what it
read (lookup.py), nor answer a request.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shortlinks.code import ALPHABET
from shortlinks.lookup import Destination
from shortlinks.public_code import PUBLIC_CODE_LENGTH
from shortlinks.rewrite import is_location
from storage.sql import load

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Dedicated

QUERY_SECONDS_MAX = 5.0
ENDED = 0.0  # when a deleted link expired

_SQL = load("shortlinks")
_CODE = re.compile(rf"[{ALPHABET}]{{{PUBLIC_CODE_LENGTH}}}")
_DEFAULT_PORT = re.compile(r":(?:80|443)?$")


class Domains:
    """Which domain a request means: the one of its Host, or else that of all links."""

    def __init__(self, default: str, others: Sequence[str] = ()) -> None:
        """Each as host, or host and port, in lower case."""
        self.default = default
        self.follow(others)

    def follow(self, others: Sequence[str]) -> None:
        """These are the others from now on."""
        self._known = frozenset((self.default, *others))
        self._alone = len(self._known) == 1

    def has_recipients(self, host: str) -> bool:
        """Whether recipients' links stand where this Host header says: not under other domains.

        There an account would lead people astray under the name of another one.
        """
        return self._alone or self.of(host) == self.default

    def of(self, host: str) -> str:
        """The domain of this Host header."""
        if host in self._known:
            return host
        plain = _DEFAULT_PORT.sub("", host.lower())
        return plain if plain in self._known else self.default

    def place(self, host: str, name: str) -> str:
        """Domain and name, as a link is told from every other.

        A slug may be typed in any letters. What could be a code of ours means these very letters.
        """
        return f"{self.of(host)}/{name if _CODE.fullmatch(name) else name.lower()}"


class PublicLinks:
    """The table, by places."""

    def __init__(self, database: Dedicated) -> None:
        """`database`: a connection for this alone."""
        self._database = database

    async def fetch(self, places: Sequence[str]) -> Mapping[str, Destination]:
        """Those links that exist, by place. Raises what a database does."""
        parts = [place.partition("/") for place in places]
        connection = await self._database.connection()
        try:
            rows = await connection.fetch(
                _SQL["links_found"],
                [domain for domain, _, _ in parts],
                [name for _, _, name in parts],
                timeout=QUERY_SECONDS_MAX,
            )
        except TimeoutError:
            connection.terminate()  # it may still be busy with what we gave up
            raise
        return {f"{row['domain']}/{row['code']}": _destination(row) for row in rows}


def _destination(row: Record) -> Destination:
    expires_at = math.inf if row["expires_at"] is None else row["expires_at"].timestamp()
    # Whatever wrote the row: only a URL may reach a Location header.
    target, fallback = (
        url if is_location(url) else "" for url in (row["target"], row["fallback"] or "")
    )
    ended = row["deleted_at"] is not None or not target
    return Destination(target, ENDED if ended else expires_at, link_id=row["id"], fallback=fallback)
