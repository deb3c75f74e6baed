"""Breakers as they are stored: their rows, their probes, and what they hold.

Owns every statement about the tables `breaker`, `breaker_probe` and `breaker_hold`. Must not decide
when a state changes (machine.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import msgspec

from dispatch.breakers.machine import Breaker, Probes, State
from dispatch.breakers.scopes import Covering, Scope, Target
from dispatch.holds import FREED_BY_HAND, Hold
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")
HOLDING_MAX: Final = 1_000  # breakers that hold at a time
STORED_MAX: Final = 10_000  # closed ones make room
HELD_COUNTED_MAX: Final = 100_000
AT_HAND_MAX: Final = HOLDING_MAX  # so that none waits behind others
LIFT_ROWS_MAX: Final = 500


class Kept(msgspec.Struct, frozen=True):
    """A bundle that is stored: how many octets, and their SHA-256 in hex."""

    octets: int
    sha256: str


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `actor` and `reason` are of the last change."""

    id: int
    target: Target
    breaker: Breaker
    actor: str
    reason: str
    evidence: Kept | None = None


async def holding(connection: Connection) -> list[Covering]:
    """What every process has to know."""
    rows = await connection.fetch(_SQL["breakers_holding"], HOLDING_MAX)
    return [Covering(row["id"], _target(row), row["state"] == State.HALF_OPEN) for row in rows]


async def listed(
    connection: Connection,
    limit: int,
    scope: Scope | None = None,
    states: Sequence[State] | None = None,
) -> list[tuple[Stored, int]]:
    """The latest changed, those that hold first, each with how many messages it holds."""
    rows = await connection.fetch(
        _SQL["breakers_all"],
        limit,
        HELD_COUNTED_MAX,
        scope,
        None if states is None else [int(state) for state in states],
    )
    return [(_stored(row), row["held"]) for row in rows]


async def shown(connection: Connection, scope: Scope, subject: str) -> tuple[Stored, int] | None:
    """One, and how many messages it holds, counted up to HELD_COUNTED_MAX."""
    row = await connection.fetchrow(_SQL["breaker_shown"], scope, subject, HELD_COUNTED_MAX)
    return None if row is None else (_stored(row), row["held"])


async def evidence(connection: Connection, scope: Scope, subject: str) -> bytes | None:
    """The bundle of its last opening, octet for octet; None: there is none."""
    found: bytes | None = await connection.fetchval(_SQL["breaker_evidence"], scope, subject)
    return found


async def locked(connection: Connection, target: Target) -> Stored | None:
    """One for the rest of the transaction; None: it was never open."""
    row = await connection.fetchrow(_SQL["breaker_locked"], target.scope, target.subject)
    return None if row is None else _stored(row)


async def at_hand(connection: Connection, now_ms: int) -> list[Stored]:
    """Those that may change by time or by their probes, locked."""
    rows = await connection.fetch(_SQL["breakers_at_hand"], _at(now_ms), AT_HAND_MAX)
    return [_stored(row) for row in rows]


async def probing(connection: Connection, ids: Iterable[int]) -> dict[int, Stored]:
    """These, locked, as they are now."""
    rows = await connection.fetch(_SQL["breakers_probing"], sorted(ids))
    return {row["id"]: _stored(row) for row in rows}


async def insert(connection: Connection, stored: Stored) -> None:
    """A new one. A closed one is forgotten when there are too many."""
    if await connection.fetchval(_SQL["breakers_count"]) >= STORED_MAX:
        gone = await connection.fetchval(_SQL["breaker_forget"])
        if gone is not None:
            await connection.execute(_SQL["breaker_probes_drop"], gone)
    target = stored.target
    await connection.execute(
        _SQL["breaker_insert"],
        stored.id, target.scope, target.subject, target.connector, target.account,
        target.batch_id, target.name, *_columns(stored.breaker), stored.actor, stored.reason,
    )  # fmt: skip


async def update(
    connection: Connection, before: Stored, after: Breaker, actor: str, reason: str
) -> None:
    """Another state. Probes of a round that is over are forgotten when it opens or closes."""
    await connection.execute(_SQL["breaker_update"], before.id, *_columns(after), actor, reason)
    if after.state is not before.breaker.state:
        await connection.execute(_SQL["breaker_probes_drop"], before.id)


async def drop_evidence(connection: Connection, breaker_id: int) -> None:
    """In the transaction that opens it: what the opening before rested on says nothing of this."""
    await connection.execute(_SQL["breaker_evidence_drop"], breaker_id)


async def put_evidence(connection: Connection, stored: Stored, evidence: bytes) -> None:
    """What this opening rests on, while it is the last."""
    since = _at(stored.breaker.since)
    await connection.execute(_SQL["breaker_evidence_put"], stored.id, evidence, since)


async def probes_of(
    connection: Connection, breakers: Iterable[int], messages: Iterable[int]
) -> set[tuple[int, int]]:
    """Which of these messages are probes already, as (breaker, message)."""
    rows = await connection.fetch(_SQL["breaker_probes_of"], list(breakers), list(messages))
    return {(row["breaker"], row["message_id"]) for row in rows}


async def put_probes(connection: Connection, probes: Sequence[tuple[int, int, int]]) -> None:
    """(breaker, message, round) of what is let through."""
    if probes:
        await connection.execute(_SQL["breaker_probes_put"], *map(list, zip(*probes, strict=True)))


async def unfit_probes(connection: Connection, stored: Stored) -> int:
    """Forget probes of this round that did not go, or went elsewhere. Returns how many."""
    done = await connection.execute(
        _SQL["breaker_probes_unfit"],
        stored.id,
        stored.breaker.round,
        stored.target.connector,
    )
    return int(done.split()[-1])


async def fared(connection: Connection, stored: Stored) -> Probes:
    """What became of the probes of this round."""
    row = await connection.fetchrow(
        _SQL["breaker_probes_fared"], stored.id, stored.breaker.round, stored.target.connector
    )
    assert row is not None
    return Probes(row["delivered"], row["failed"])


async def hold(connection: Connection, held: Sequence[tuple[int, int]]) -> None:
    """(breaker, message) of what has to wait."""
    if held:
        await connection.execute(_SQL["breaker_holds_put"], *map(list, zip(*held, strict=True)))


async def lift(connection: Connection, breaker_id: int, until: datetime) -> int:
    """Let go what was held until then. Returns how many rows were met: fewer than LIFT_ROWS_MAX is
    the end.
    """
    return await _lift(connection, breaker_id, until, LIFT_ROWS_MAX, waiting_alone=False)


async def lift_probes(connection: Connection, breaker_id: int, until: datetime, room: int) -> None:
    """Let go so many of those that wait since then or longer."""
    await _lift(connection, breaker_id, until, room, waiting_alone=True)


async def _lift(
    connection: Connection, breaker_id: int, until: datetime, rows_max: int, *, waiting_alone: bool
) -> int:
    met: int = await connection.fetchval(
        _SQL["breaker_lift"],
        breaker_id, until, rows_max, FREED_BY_HAND, Hold.BREAKER, Hold.RATE,
        waiting_alone,
    )  # fmt: skip
    return met


async def to_lift(connection: Connection) -> list[int]:
    """Breakers that hold nothing back any more, and have messages to let go."""
    rows = await connection.fetch(_SQL["breakers_to_lift"], AT_HAND_MAX)
    return [row["id"] for row in rows]


def _target(row: asyncpg.Record) -> Target:
    return Target(
        Scope(row["scope"]),
        row["subject"],
        connector=row["connector"],
        account=row["account"],
        batch_id=row["batch_id"],
        name=row["name"],
    )


def _stored(row: asyncpg.Record) -> Stored:
    return Stored(
        id=row["id"],
        target=_target(row),
        breaker=Breaker(
            state=State(row["state"]),
            since=_ms(row["since"]),
            until=None if row["until"] is None else _ms(row["until"]),
            failures=row["failures"],
            round=row["round"],
            taken=row["taken"],
            taken_at=None if row["taken_at"] is None else _ms(row["taken_at"]),
            baseline=row["baseline"],
            wait_ms=row["wait_ms"],
            evidence_from=_ms(row["evidence_from"]),
        ),
        actor=row["actor"],
        reason=row["reason"],
        evidence=None
        if row["evidence_sha256"] is None
        else Kept(row["octets"], row["evidence_sha256"].hex()),
    )


def _columns(breaker: Breaker) -> tuple[object, ...]:
    return (
        breaker.state,
        _at(breaker.since),
        None if breaker.until is None else _at(breaker.until),
        breaker.failures,
        breaker.round,
        breaker.taken,
        None if breaker.taken_at is None else _at(breaker.taken_at),
        breaker.baseline,
        breaker.wait_ms,
        _at(breaker.evidence_from),
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
