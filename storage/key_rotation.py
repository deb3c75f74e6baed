"""Another number key without a pause: the phases of the change, and what each process does in them.

Owns when a process looks up both keys, when it writes the next, and when a phase ends. Must not
seal a row anew (number_rewrite.py) nor keep a key.

ANNOUNCED: every process learns the next key and looks up both. WRITING: every process writes the
next. REWRITING: rows of the first key are sealed anew. REWRITTEN: none is left that could be. Then
an operator ends the change.

A phase ends when every living term has told that it does its part, and no transaction is open that
began before. A process tells once what it had computed before is stored: SETTLE_SECONDS after it
began.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import IntEnum

import asyncpg
import msgspec
import structlog

from storage import sql
from storage.crypto import KeyMismatch, NumberVault, check_fingerprint
from storage.keys import KeyUnusable, NumberKeys
from storage.number_rewrite import REWRITING, NumberRewrite, Progress, Rewriting, progress
from storage.pool import Connection

_SQL = sql.load("storage")
_log = structlog.get_logger(__name__)
SETTLE_SECONDS = 30.0  # longer than a request waits for the database
SPARE = frozenset({"suppression", "consent", "preference"})  # by what stands there
LOOKS_UP_BOTH, WRITES_NEXT = 1, 2


class Phase(IntEnum):
    """Column `number_rotation.phase`."""

    NONE = 0
    ANNOUNCED = 1
    WRITING = 2
    REWRITING = REWRITING
    REWRITTEN = 4


class RotationRefused(Exception):
    """The change cannot go on like this. One line for the operator."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How far the change is. `waits_for`: processes that have not done their part."""

    phase: Phase
    from_fingerprint: str
    to_fingerprint: str
    carried_enc: bytes
    keeps_index: bool
    rewrite_pass: int
    started_at: datetime
    changed_at: datetime


async def standing(connection: Connection) -> Standing | None:
    """The change that runs, or the last; None: there was none."""
    row = await connection.fetchrow(_SQL["rotation_read"])
    if row is None:
        return None
    values = dict(row)
    return Standing(rewrite_pass=values.pop("pass"), phase=Phase(values.pop("phase")), **values)


async def keys_in_force(
    connection: Connection, keys: NumberKeys, other: NumberKeys | None
) -> tuple[NumberKeys, NumberKeys | None]:
    """The key that writes and the one that is looked up as well, of the two that were given.

    Either may be given as either. Raises KeyMismatch when one is missing, KeyUnusable.
    """
    given = {each.fingerprint: each for each in (keys, other) if each is not None}
    now = await standing(connection)
    if now is None:
        return keys, None
    first, following = given.get(now.from_fingerprint), given.get(now.to_fingerprint)
    if now.phase is Phase.NONE:
        if following is None:
            raise _lacks(now.to_fingerprint)
        return following.carrying(now.carried_enc), None
    if first is None or following is None:
        missing = now.from_fingerprint if first is None else now.to_fingerprint
        raise _lacks(missing)
    following = following.carrying(now.carried_enc)
    first = first.with_carried_of(following)
    return (first, following) if now.phase is Phase.ANNOUNCED else (following, first)


def _lacks(fingerprint: str) -> KeyMismatch:
    return KeyMismatch(
        f"this database needs number key {fingerprint}: give it as SMSGATE_NUMBER_KEY or"
        " SMSGATE_NUMBER_KEY_NEXT, or as number.key or number.key.next in the data folder"
    )


async def open_vault(
    connection: Connection, keys: NumberKeys, other: NumberKeys | None
) -> tuple[NumberVault, NumberKeys]:
    """The vault for this database, and the keys of all that is not about numbers.

    Raises KeyMismatch, KeyUnusable.
    """
    writes, also = await keys_in_force(connection, keys, other)
    vault = NumberVault(writes)
    if also is not None:
        vault.learn(also)
    now = await standing(connection)
    if now is not None and now.keeps_index:
        vault.keep_indexes(writes.indexes_before)
    await check_fingerprint(connection, vault)
    return vault, writes


async def start(connection: Connection, keys: NumberKeys, following: NumberKeys) -> None:
    """Announce the change. Raises RotationRefused."""
    if keys.fingerprint == following.fingerprint:
        raise RotationRefused("the next number key is the present one")
    async with connection.transaction():
        begun = await connection.fetchval(
            _SQL["rotation_start"],
            keys.fingerprint, following.fingerprint, keys.carry_to(following),
        )  # fmt: skip
        if begun is None:
            raise RotationRefused("a rotation runs: `smsgate keys number-rotate status`")
        await connection.execute(_SQL["rotation_clear_terms"])
        await connection.execute(_SQL["rotation_clear_tables"])


async def finish(connection: Connection, *, lose_left: bool = False) -> Sequence[Progress]:
    """End the change: the first key is no longer read. Returns what was done.

    Where rows are left whose number nothing tells, it is looked up for good, unless they may be
    lost. Raises RotationRefused while something is to be done.
    """
    async with connection.transaction():
        if await connection.fetchval(_SQL["rotation_lock"], Phase.REWRITTEN) is None:
            raise RotationRefused("not yet: every row has to be looked through first")
        tables = await progress(connection)
        left = any(each.rows_left for each in tables if each.name in SPARE)
        await connection.execute(_SQL["rotation_finish"], left and not lose_left)
    return tables


class KeyRotation:
    """What this process does about it. `turn` costs one look-up while no change runs."""

    def __init__(
        self,
        vault: NumberVault,
        tables: Sequence[Rewriting],
        *,
        term: int,
        load_next: Callable[[], NumberKeys | None],
        settle: timedelta | None = None,
        rows_per_batch: int | None = None,
    ) -> None:
        """`load_next` reads the next key from where the operator has put it."""
        self._vault = vault
        self._term = term
        self._load_next = load_next
        self._settle = timedelta(seconds=SETTLE_SECONDS) if settle is None else settle
        more = {} if rows_per_batch is None else {"rows_per_batch": rows_per_batch}
        self.rewrite = NumberRewrite(vault, tables, **more)
        self._since: datetime | None = None
        self._told = 0
        self._complained = False
        self.phase = Phase.NONE
        self.tables: Sequence[Progress] = ()

    async def begin(self, connection: Connection) -> None:
        """Called once the term is ours and before anything is computed: nothing has to settle."""
        now = await standing(connection)
        if now is not None and now.phase is not Phase.NONE:
            self._do_its_part(now)
            await self._tell(connection, now.phase)

    async def turn(self, connection: Connection, now: datetime) -> None:
        """Do what the phase asks for, a bounded amount of it."""
        found = await standing(connection)
        self.phase = Phase.NONE if found is None else found.phase
        if found is None or found.phase is Phase.NONE:
            self._end(keep_index=found is not None and found.keeps_index)
            return
        try:
            if self._do_its_part(found):
                self._since = now
        except (KeyMismatch, KeyUnusable) as error:
            if not self._complained:
                _log.error("next_number_key_missing", error=str(error))
            self._complained = True
            return
        if self._since is None or now - self._since >= self._settle:
            await self._tell(connection, found.phase)
        if found.phase in (Phase.ANNOUNCED, Phase.WRITING):
            await self._go_on(connection, found.phase)
        elif found.phase is Phase.REWRITING:
            if await self.rewrite.turn(connection, now):
                await self._step(connection, found.phase, Phase.REWRITTEN)
            self.tables = await progress(connection)

    def _do_its_part(self, found: Standing) -> bool:
        """Look up both, or write the next. Returns whether something changed."""
        vault = self._vault
        begun = False
        if not vault.knows(found.to_fingerprint):
            following = self._load_next()
            if following is None or following.fingerprint != found.to_fingerprint:
                raise _lacks(found.to_fingerprint)
            vault.learn(following)
            begun = True
        if found.phase is not Phase.ANNOUNCED and vault.fingerprint != found.to_fingerprint:
            vault.turn_over()
            begun = True
        return begun

    def _end(self, *, keep_index: bool) -> None:
        if self._vault.moving:
            self._vault.forget(keep_index=keep_index)
            _log.info("number_key_rotated", fingerprint=self._vault.fingerprint)
        self._since, self._told, self._complained = None, 0, False

    async def _tell(self, connection: Connection, phase: Phase) -> None:
        part = LOOKS_UP_BOTH if phase is Phase.ANNOUNCED else WRITES_NEXT
        if self._told < part:
            await connection.execute(_SQL["rotation_tell"], self._term, part)
            self._told = part

    async def _go_on(self, connection: Connection, phase: Phase) -> None:
        part = LOOKS_UP_BOTH if phase is Phase.ANNOUNCED else WRITES_NEXT
        if self._told >= part:
            await self._step(connection, phase, Phase(phase + 1), part)

    async def _step(
        self, connection: Connection, phase: Phase, following: Phase, part: int = WRITES_NEXT
    ) -> None:
        async with connection.transaction():
            if await connection.fetchval(_SQL["rotation_lock"], phase) is None:
                return  # another process was first
            if not await connection.fetchval(_SQL["rotation_may_go_on"], part):
                return
            await connection.execute(_SQL["rotation_step"], following)
            if following is Phase.WRITING:
                await connection.execute(_SQL["rotation_fingerprint"])
        _log.info("number_key_rotation", phase=following.name.lower())


async def waits_for(connection: Connection, phase: Phase) -> Sequence[asyncpg.Record]:
    """Processes that have not done their part of this phase."""
    part = LOOKS_UP_BOTH if phase is Phase.ANNOUNCED else WRITES_NEXT
    rows: Sequence[asyncpg.Record] = await connection.fetch(_SQL["rotation_waits_for"], part)
    return rows
