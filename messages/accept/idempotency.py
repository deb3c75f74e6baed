"""Idempotency-Key: a row per request, committed before the request's messages.

Owns table `idempotency`: claims, answers and take-overs, in group commits of its own. Must not know
HTTP, nor store messages.

The row holds the ids that the request's messages will have. So a repeat after a crash finds out
which of them were stored, and stores the rest under the same ids.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType

import asyncpg
import msgspec
import structlog

from messages.accept.stored_before import stored_verdicts
from messages.models import Verdict
from storage import sql
from storage.crypto import NumberVault
from storage.faults import UNAVAILABLE, Overloaded, StorageDown, is_unavailable, without_values
from storage.group_commit import GroupCommit, QueueClosed, QueueFull
from storage.ids import IdSource, id_at, run_of_ids
from storage.periodic import while_full
from storage.pool import Connection, Dedicated

_SQL = sql.load("messages")
_log = structlog.get_logger(__name__)
REMEMBERED = timedelta(hours=24)
RECORDS_PER_FLUSH_MAX = 100  # an answer to a full batch has a megabyte
RECORDS_WAITING_MAX = 2_000
OWED_MAX = 1_000
WAIT_SECONDS = 15.0  # for another process that is answering the same request
POLL_SECONDS = 0.1
PURGE_ROWS_MAX = 1_000
PURGES_MAX = 20  # a turn


class RequestKey(msgspec.Struct, frozen=True, order=True):
    """What a key is unique in: account, key and endpoint (method and path)."""

    account: int
    endpoint: str
    key: str


class KeptAnswer(msgspec.Struct, frozen=True):
    """A stored answer, byte for byte."""

    status: int
    content_type: str
    location: str | None
    body: bytes


class Claimed(msgspec.Struct, frozen=True):
    """This process may answer the request, with these ids.

    `again`: an earlier attempt broke off, so some of them may be stored. `stored`: those that were
    found, with what it would have answered.
    """

    ids: Sequence[int]
    again: bool = False
    stored: Mapping[int, Verdict] = MappingProxyType({})


class InProgress(Exception):
    """Another request with this key is being answered at this moment."""


class OtherBody(Exception):
    """The key was used for a request with another body."""


class _Claim(msgspec.Struct, frozen=True):
    key: RequestKey
    fingerprint: bytes
    first_id: int
    count: int


class _Settle(msgspec.Struct, frozen=True):
    """How a claim ends: with its answer; or undone, since nothing was stored for it.

    With `owner` it is given back to the dead term that had it.
    """

    key: RequestKey
    first_id: int
    answer: KeptAnswer | None = None
    owner: int | None = None


class _Mine(msgspec.Struct, frozen=True):
    claimed: Claimed
    taken_from: int | None = None  # the dead term that had it


_Known = _Mine | KeptAnswer | InProgress | OtherBody


class Idempotency:
    """The requests with a key in this process, and the table that all processes share."""

    def __init__(
        self, dedicated: Dedicated, *, vault: NumberVault, ids: IdSource, term: int
    ) -> None:
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._term = term
        self._running: set[RequestKey] = set()
        self._claimed: dict[RequestKey, _Settle] = {}  # how a running one ends if it breaks off
        # Ends that could not be written; they go with the next flush.
        self._owed: OrderedDict[RequestKey, _Settle] = OrderedDict()
        self.replayed = 0
        self.commits: GroupCommit[_Claim | _Settle, _Known | None] = GroupCommit(
            self._flush,
            name="idempotency",
            items_per_flush_max=RECORDS_PER_FLUSH_MAX,
            items_waiting_max=RECORDS_WAITING_MAX,
        )

    @contextmanager
    def running(self, key: RequestKey) -> Iterator[None]:
        """A context in which this process answers the request. Raises InProgress if it does so
        already.

        A claim without an answer at the end is undone: nothing was stored for it.
        """
        if key in self._running:
            raise InProgress
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)
            settle = self._claimed.pop(key, None)
            if settle is not None:
                self._give_up(settle)

    async def claim(self, key: RequestKey, fingerprint: bytes, count: int) -> Claimed | KeptAnswer:
        """`count` new ids for this request, or the answer it had before. Call it inside `running`.

        Waits up to WAIT_SECONDS for another process. Raises InProgress, OtherBody, StorageDown or
        Overloaded.
        """
        claim = _Claim(key, fingerprint, self._ids.take(count)[0], count)
        self._claimed[key] = _Settle(key, claim.first_id)  # also if its commit is in doubt
        told: _Known | None = None
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                told = await self._ask(claim)
                while isinstance(told, InProgress):
                    await asyncio.sleep(POLL_SECONDS)
                    told = await self._ask(claim)
        except TimeoutError:
            if told is None:  # no attempt to answer it is known
                raise StorageDown() from None
            raise InProgress from None
        if isinstance(told, _Mine):
            # Claimed by a process that died. If that stored nothing, the claim may as well be
            # undone.
            owner = told.taken_from if told.claimed.stored else None
            self._claimed[key] = _Settle(key, told.claimed.ids[0], owner=owner)
            return told.claimed
        del self._claimed[key]
        if isinstance(told, OtherBody):
            raise told
        self.replayed += 1
        return told

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        """Store the answer to a claimed request.

        If it cannot be stored now it is kept in memory and tried again. The messages are stored
        either way.
        """
        settle = _Settle(key, self._claimed.pop(key).first_id, answer)
        try:
            [told] = await self.commits.submit([settle])
        except (QueueFull, QueueClosed):
            self._owe(settle)
            return
        if isinstance(told, BaseException):
            _log.warning("answer_not_kept", error=without_values(told))

    async def close(self) -> None:
        """Write what waits, then stop."""
        await self.commits.close()

    async def _ask(self, claim: _Claim) -> _Known:
        try:
            [told] = await self.commits.submit([claim])
        except (QueueFull, QueueClosed) as error:
            raise Overloaded() from error
        if isinstance(told, _Known):
            return told  # some of these are exceptions, and are answers all the same
        assert told is not None  # a claim is always told something
        if is_unavailable(told):
            raise StorageDown() from told
        raise told

    def _give_up(self, settle: _Settle) -> None:
        try:
            self.commits.offer([settle])
        except (QueueFull, QueueClosed):
            self._owe(settle)

    def _owe(self, settle: _Settle) -> None:
        """Remember an end to be written. Until then, repeats elsewhere hear that it is in
        progress.
        """
        self._owed.pop(settle.key, None)
        if len(self._owed) >= OWED_MAX:
            self._owed.popitem(last=False)
        self._owed[settle.key] = settle

    async def _flush(self, records: list[_Claim | _Settle], attempt: int) -> list[_Known | None]:
        claims = {record.key: record for record in records if isinstance(record, _Claim)}
        settles = {record.key: record for record in records if isinstance(record, _Settle)}
        owed = list(self._owed.values())
        told: dict[RequestKey, _Known] = {}
        try:
            await self._settle([*owed, *settles.values()])
            if claims:
                async with self._dedicated.transaction() as connection:
                    told = await self._claim(connection, list(claims.values()))
        except UNAVAILABLE:
            for settle in settles.values():
                self._owe(settle)
            raise
        for settle in owed:
            if self._owed.get(settle.key) is settle:
                del self._owed[settle.key]
        return [told[each.key] if isinstance(each, _Claim) else None for each in records]

    async def _settle(self, settles: Sequence[_Settle]) -> None:
        """Write ends, each statement by itself, in the order of the keys.

        In one transaction with claims it would hold rows that another process claims. It would wait
        for what that one has claimed: a deadlock.
        """
        if not settles:
            return
        settles = sorted(settles, key=lambda each: each.key)
        kept = [(each, each.answer) for each in settles if each.answer is not None]
        undone = [each for each in settles if each.answer is None and each.owner is None]
        async with self._dedicated.guarded() as connection:
            if kept:
                await connection.executemany(
                    _SQL["idempotency_answer"],
                    [
                        (*_key(each.key), each.first_id, *self._stored(answer, each.first_id))
                        for each, answer in kept
                    ],
                )
            if undone:
                await connection.executemany(
                    _SQL["idempotency_free"], [(*_key(each.key), each.first_id) for each in undone]
                )
            for each in settles:
                if each.owner is not None and each.answer is None:
                    await connection.execute(
                        _SQL["idempotency_take_over"], *_key(each.key), self._term, each.owner
                    )

    async def _claim(
        self, connection: Connection, claims: Sequence[_Claim]
    ) -> dict[RequestKey, _Known]:
        ordered = sorted(claims, key=lambda claim: claim.key)  # one order everywhere: no deadlock
        rows = await connection.fetch(
            _SQL["idempotency_claim"],
            [claim.key.account for claim in ordered],
            [claim.key.endpoint for claim in ordered],
            [claim.key.key for claim in ordered],
            [claim.fingerprint for claim in ordered],
            [claim.first_id for claim in ordered],
            self._term,
            id_at(datetime.now(UTC) - REMEMBERED),
        )
        new = {row["first_id"] for row in rows}
        told: dict[RequestKey, _Known] = {}
        for claim in ordered:
            if claim.first_id in new:
                told[claim.key] = _Mine(Claimed(run_of_ids(claim.first_id, claim.count)))
            else:
                told[claim.key] = await self._known(connection, claim)
        return told

    async def _known(self, connection: Connection, claim: _Claim) -> _Known:
        """The key is in the table, so `claim` is a repeat, whatever became of the first."""
        row = await connection.fetchrow(_SQL["idempotency_row"], *_key(claim.key))
        if row is None:  # given up in this moment
            return InProgress()
        if row["status"] is None and row["owner"] == self._term:
            # Ours, and nobody is at work on it: its end could not be written. It was answered 503.
            await connection.execute(
                _SQL["idempotency_begin"], *_key(claim.key), claim.fingerprint, claim.first_id
            )
            return _Mine(Claimed(run_of_ids(claim.first_id, claim.count)))
        if row["fingerprint"] != claim.fingerprint:
            return OtherBody()
        if row["status"] is not None:
            return self._kept(row)
        if not row["ended"]:
            return InProgress()
        return await self._take_over(connection, claim, row)

    def _stored(self, answer: KeptAnswer, first_id: int) -> tuple[object, ...]:
        """Status, type, location and body. What names one message has its text: encrypted."""
        head = answer.status, answer.content_type, answer.location
        if answer.location is None:
            return *head, answer.body, None
        return *head, None, self._vault.seal_octets(answer.body, first_id)

    def _kept(self, row: asyncpg.Record) -> KeptAnswer | InProgress:
        """The stored answer. One that cannot be decrypted is as good as on its way: nothing may be
        sent again.
        """
        body = row["answer"]
        if row["answer_enc"] is not None:
            body = self._vault.open_octets(row["answer_enc"], row["first_id"])
            if body is None:
                return InProgress()
        return KeptAnswer(row["status"], row["content_type"], row["location"], body)

    async def _take_over(
        self, connection: Connection, claim: _Claim, row: asyncpg.Record
    ) -> _Known:
        """Take over from a process that died. Its sessions are gone, so what it stored is final."""
        taken = await connection.execute(
            _SQL["idempotency_take_over"], *_key(claim.key), row["owner"], self._term
        )
        if not taken.endswith(" 1"):
            return InProgress()
        ids = run_of_ids(row["first_id"], claim.count)
        stored = await stored_verdicts(connection, ids)
        _log.warning("request_taken_over", owner=row["owner"], ids=len(ids), stored=len(stored))
        return _Mine(Claimed(ids, again=True, stored=stored), taken_from=row["owner"])


async def forget(connection: Connection, now: datetime) -> None:
    """Forget answers whose time is over; a bounded number in one turn."""
    await while_full(partial(purge, connection, now), PURGE_ROWS_MAX, times_max=PURGES_MAX)


async def purge(connection: Connection, now: datetime) -> int:
    """Delete answers that have expired. Returns how many, at most PURGE_ROWS_MAX."""
    answer = await connection.execute(
        _SQL["idempotency_purge"], id_at(now - REMEMBERED), PURGE_ROWS_MAX
    )
    return int(answer.rpartition(" ")[2])


def _key(key: RequestKey) -> tuple[int, str, str]:
    return key.account, key.endpoint, key.key
