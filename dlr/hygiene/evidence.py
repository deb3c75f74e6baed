"""Evidence about numbers: what carriers said of each, by day.

Owns every statement that changes `number_evidence`, and how deliveries are read. Must not decide
what is evidence (`dlr/hygiene/proof.py`) nor what follows from it (`dlr/hygiene/policy.py`).

A delivery writes nothing. It is read from the messages to the number, as long as these are kept.
Just before they go, each day on which a number was delivered to becomes a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import asyncpg
import msgspec

from dlr.hygiene.policy import REPEATS_WITHIN
from dlr.hygiene.proof import Kind, Verdict
from dlr.hygiene.score import Day
from dlr.status import Status
from storage import sql
from storage.crypto import NumberVault
from storage.ids import id_at
from storage.pool import Connection

_SQL = sql.load("dlr")

COUNTS, WAITS, UNDONE, CONFIRMED = 0, 1, 2, 3
COUNTED = (COUNTS, CONFIRMED)  # by themselves, and by a person's word
COUNTED_DAYS = 400  # older evidence would weigh less than a twentieth
MESSAGES_PER_NUMBER_MAX = 1_000
SETTLED_PER_TURN_MAX = 1_000
ON_THEIR_WAY = timedelta(days=40)  # scheduled for 35 days at most, and then reported within 4
_HOUR = timedelta(hours=1)

Key = tuple[bytes, int, date, str]  # to_idx, account, day, kind


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One row. `day` is in UTC."""

    to_idx: bytes
    account: int
    day: date
    kind: Kind
    reason: int
    connector: int
    error: str | None
    message_id: int
    at: datetime
    to_enc: bytes

    @classmethod
    def of(cls, verdict: Verdict, to_idx: bytes, to_enc: bytes) -> Evidence:
        """The row of a verdict about this number."""
        return cls(
            to_idx=to_idx,
            account=verdict.account,
            day=verdict.at.astimezone(UTC).date(),
            kind=verdict.kind,
            reason=verdict.reason,
            connector=verdict.connector,
            error=verdict.error,
            message_id=verdict.message_id,
            at=verdict.at,
            to_enc=to_enc,
        )

    @property
    def key(self) -> Key:
        """There is one row for each key."""
        return self.to_idx, self.account, self.day, self.kind


class Stands(msgspec.Struct, frozen=True, gc=False):
    """What stood against a number before: a day, a kind, and whether it counts."""

    day: date
    kind: Kind
    state: int


class Written(msgspec.Struct, frozen=True):
    """`new`: which rows were not there. `before`: by number, what stood for a month."""

    new: set[Key]
    before: dict[bytes, list[Stands]]


async def write(connection: Connection, evidence: Sequence[Evidence]) -> Written:
    """Store these, in the caller's transaction and one statement. What is there stays."""
    first = {each.key: each for each in reversed(evidence)}
    # Sorted, so that two writers lock the rows in the same order and cannot deadlock.
    ordered = [first[key] for key in sorted(first)]
    asked = {each.to_idx for each in ordered if each.kind in (Kind.AMBIGUOUS, Kind.PRUNE)}
    oldest = min(each.day for each in ordered) - REPEATS_WITHIN
    columns = zip(*map(msgspec.structs.astuple, ordered), strict=True)
    rows = await connection.fetch(_SQL["evidence_write"], *columns, sorted(asked), oldest)
    written = Written(set(), {})
    for row in rows:
        if row["added"]:
            written.new.add((row["to_idx"], row["account"], row["day"], row["kind"]))
        else:
            stands = Stands(row["day"], Kind(row["kind"]), row["state"])
            written.before.setdefault(row["to_idx"], []).append(stands)
    return written


async def deliveries(
    connection: Connection,
    indexes: Sequence[bytes],
    *,
    since: date,
    accounts: Sequence[int] | None = None,
) -> dict[bytes, dict[date, datetime]]:
    """By number, the days (UTC) on which a handset took something, with the last moment of each.

    `accounts` None: of every account. The last MESSAGES_PER_NUMBER_MAX messages are looked at.
    """
    midnight = datetime(since.year, since.month, since.day, tzinfo=UTC)
    rows = await connection.fetch(
        _SQL["evidence_deliveries"],
        indexes,
        accounts,
        since,
        id_at(midnight - ON_THEIR_WAY),
        int(Status.DELIVERED),
        MESSAGES_PER_NUMBER_MAX,
    )
    found: dict[bytes, dict[date, datetime]] = {}
    for row in rows:
        found.setdefault(row["to_idx"], {})[row["day"]] = row["at"]
    return found


async def days_delivered(
    connection: Connection,
    numbers: Mapping[bytes, bytes],
    vault: NumberVault | None,
    *,
    since: date,
) -> dict[bytes, list[date]]:
    """By number, the days of deliveries() in order. `numbers`: sealed, by an index of theirs.

    Where the vault has several keys, a number's messages may stand under another index: they count.
    """
    asked = {to_idx: {to_idx} for to_idx in numbers}
    if vault is not None and vault.several_keys:
        for to_idx, to_enc in numbers.items():
            number = vault.open_or_none(to_enc)
            for other in () if number is None else vault.indexes(number):
                asked.setdefault(other, set()).add(to_idx)
    days: dict[bytes, set[date]] = {}
    for index, found in (await deliveries(connection, list(asked), since=since)).items():
        for to_idx in asked[index]:
            days.setdefault(to_idx, set()).update(found)
    return {to_idx: sorted(each) for to_idx, each in days.items()}


async def against(
    connection: Connection, indexes: Sequence[bytes], *, since: date, accounts: Sequence[int]
) -> list[asyncpg.Record]:
    """What stands against these numbers in these accounts, newest first, whatever its state."""
    rows: list[asyncpg.Record] = await connection.fetch(
        _SQL["evidence_against"], indexes, accounts, since
    )
    return rows


def oldest_day(today: date) -> date:
    """The first day whose evidence counts."""
    return today - timedelta(days=COUNTED_DAYS)


def days_of(rows: Sequence[asyncpg.Record], delivered: Sequence[date]) -> list[Day]:
    """What counts for the score, of rows of `against` and days of `deliveries`."""
    counted = [Day(row["day"], Kind(row["kind"])) for row in rows if row["state"] in COUNTED]
    return counted + [Day(day, Kind.DELIVERED) for day in delivered]


async def hold(connection: Connection, connector: int, since: datetime) -> set[bytes]:
    """What this connector proved since then waits for a person. Returns the numbers."""
    rows = await connection.fetch(_SQL["evidence_hold"], connector, since)
    return {row["to_idx"] for row in rows}


async def settle(connection: Connection, connector: int, state: int) -> list[Evidence]:
    """Decide about what waits of this connector, SETTLED_PER_TURN_MAX rows at most: CONFIRMED or
    UNDONE. Returns the rows.
    """
    rows = await connection.fetch(_SQL["evidence_settle"], connector, state, SETTLED_PER_TURN_MAX)
    return [Evidence(**{**row, "kind": Kind(row["kind"])}) for row in rows]


async def undo(connection: Connection, indexes: Sequence[bytes]) -> None:
    """Nothing that stands against these numbers today counts any more."""
    if indexes:
        await connection.execute(_SQL["evidence_undo"], indexes)


async def keep_deliveries(connection: Connection, first: datetime, end: datetime) -> None:
    """Deliveries of the messages of this span as rows: their messages are about to go.

    An hour of messages is a transaction. Told of again, nothing changes. What no longer counts is
    left out.
    """
    now: datetime = await connection.fetchval("SELECT now()")
    first = max(first, now - timedelta(days=COUNTED_DAYS))
    while first < end:
        until = min(end, first + _HOUR)
        await connection.execute(
            _SQL["evidence_keep_deliveries"], id_at(first), id_at(until), int(Status.DELIVERED)
        )
        first = until
