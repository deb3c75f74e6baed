"""How many contacts are in a segment, some of them, and how many lack what it asks about.

Owns this asking and its bounds: one statement in a transaction that only reads, given up after
STATEMENT_SECONDS_MAX. Must not store anything. Numbers leave it masked alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from campaigns.segments import reading as names_reading
from campaigns.segments.checking import checked, values
from campaigns.segments.compiling import Counting, counting
from campaigns.segments.limits import STATEMENT_SECONDS_MAX
from campaigns.segments.names import Moment, Names
from campaigns.segments.typed import Attribute, Until
from storage import sql
from storage.crypto import NumberVault, mask
from storage.faults import Overloaded
from storage.reading import reading

if TYPE_CHECKING:
    from asyncpg import Record

    from storage.pool import Connection

AT_ONCE_MAX: Final = 2  # of all read connections of the process
WAITING_MAX: Final = 10
_ANSWER_SECONDS: Final = 2.0  # beyond the server's own limit
_SQL: Final = sql.load("campaigns")


class SegmentTooSlow(Exception):
    """The database gave up on counting it."""


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """One contact of a segment: `to` masked, None without a number that can be read.

    `attributes`: those that the segment asks about, the personal ones left out.
    """

    contact: int
    external_id: str | None
    to: str | None
    attributes: Mapping[str, object]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """`contacts` of the account, of whom `inside` are in it. `lacking`: what the segment asks
    about, and how many contacts do not have it.
    """

    contacts: int
    inside: int
    sample: tuple[Sampled, ...]
    lacking: Mapping[str, int]
    moment: Moment


class Previews:
    """Counts segments. `zone_of`: the IANA name of an account's time zone."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        vault: NumberVault,
        *,
        zone_of: Callable[[int], str],
        wall_ms: Callable[[], int],
        seconds_max: float = STATEMENT_SECONDS_MAX,
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._zone_of = zone_of
        self._wall_ms = wall_ms
        self._seconds_max = seconds_max
        self._room = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0

    async def preview(
        self, account: int, source: str, *, sample: int, itself: str | None = None
    ) -> Preview:
        """As of now. Raises SegmentRefused, SegmentTooSlow, Overloaded, StorageDown."""
        if self._waiting >= WAITING_MAX:
            raise Overloaded()
        self._waiting += 1
        try:
            async with self._room:
                return await self._preview(account, source, sample, itself)
        finally:
            self._waiting -= 1

    async def _preview(self, account: int, source: str, sample: int, itself: str | None) -> Preview:
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        moment = Moment.at(now, self._zone_of(account))
        async with reading(self._pool) as connection:
            names = await names_reading.names_of(connection, account, source, itself=itself)
            asked = counting(source, names, moment, sample=sample)
            row = await self._counted(connection, asked)
            personal = await connection.fetch(_SQL["personal_attributes"], account)
            rows = await connection.fetch(_SQL["segment_sample"], account, row["sample"])
        shown = _attributes(source, names) - {each["name"] for each in personal}
        return Preview(
            contacts=row["contacts"],
            inside=row["inside"],
            sample=tuple(self._sampled(each, shown) for each in rows),
            lacking={what: row[f"lack_{place}"] for place, what in enumerate(asked.lacking)},
            moment=moment,
        )

    async def _counted(self, connection: Connection, asked: Counting) -> Record:
        """A plan of the server's own making is no use here: no compiling, and a limit of ours."""
        try:
            async with connection.transaction(readonly=True):
                await connection.fetch(_SQL["segment_limit"], str(int(self._seconds_max * 1000)))
                seconds = self._seconds_max + _ANSWER_SECONDS
                row = await connection.fetchrow(asked.sql, *asked.parameters, timeout=seconds)
        except asyncpg.QueryCanceledError:
            raise SegmentTooSlow from None
        assert row is not None
        return row

    def _sampled(self, row: Record, shown: set[str]) -> Sampled:
        number = None if row["to_enc"] is None else self._vault.open_or_none(row["to_enc"])
        return Sampled(
            contact=row["id"],
            external_id=row["external_id"],
            to=None if number is None else mask(number),
            attributes={name: row["attrs"].get(name) for name in sorted(shown)},
        )


def _attributes(source: str, names: Names) -> set[str]:
    """Names of the attributes that it asks about, in whichever way."""
    asked: set[str] = set()
    for value in values(checked(source, names)):
        if isinstance(value, Attribute):
            asked.add(value.name)
        elif isinstance(value, Until):
            asked.add(value.attribute.name)
    return asked
