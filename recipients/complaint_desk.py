"""Complaints behind the API: sealed, tied to a message, and in force, in one transaction.

Owns these transactions. A complaint that is told again changes nothing. The sending side is told of
the suppression before it is committed. Must not check what a request holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from dlr.reasons import Reason
from recipients import complaints
from recipients.complaints import About, Complaint
from recipients.just_stopped import JustStopped
from storage import audit, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.crypto import NumberVault
from storage.group_commit import GroupCommit
from storage.ids import ID_MAX, IdSource, id_at
from storage.names import Registry
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import Suppression

COMPLAINTS_PER_FLUSH_MAX = 20
COMPLAINTS_WAITING_MAX = 500

Refusal = tuple[str, str]  # the field, and what is wrong with it
# Hears of complaints that are new, by their ids, and of their accounts, in the transaction.
Named = Callable[[Connection, Sequence[int], Collection[int]], Awaitable[None]]


class ComplaintRefused(Exception):
    """It contradicts what is stored; `faults` names every field."""

    def __init__(self, faults: Sequence[Refusal]) -> None:
        super().__init__(str(faults))
        self.faults = faults


class ComplaintConflict(Exception):
    """Another complaint was told under this id."""


class ComplaintWord(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, checked. There is a number, a message, or both."""

    reference: str
    number: str | None
    message_id: int | None
    campaign_id: str | None
    source: str
    source_name: str | None
    text: str | None
    at: datetime | None  # None: now


class ComplaintView(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored. `number` None: it cannot be read."""

    id: int
    reference: str
    number: str | None
    source: str
    source_name: str | None
    text: str | None
    at: datetime
    message_id: int | None
    connector: str | None
    sender: str | None
    category: int | None
    campaign_id: str | None
    suppressed: int | None


class ComplaintFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Those recorded from a moment on, of one number, source or campaign; None: of any."""

    since: datetime | None = None
    number: str | None = None
    source: str | None = None
    campaign_id: str | None = None


class _Told(msgspec.Struct):
    account: int
    actor: str
    word: ComplaintWord


class _Stored(msgspec.Struct):
    complaint: Complaint
    new: bool


_Outcome = _Stored | ComplaintRefused | ComplaintConflict


class ComplaintDesk:
    """Implements ComplaintBook. `ends` says by account what a complaint ends; else marketing."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        registry: Registry,
        stopped: JustStopped,
        ends: Mapping[int, int | None],
        wall_ms: Callable[[], int],
        named: Named | None = None,
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._vault = vault
        self._ids = ids
        self._registry = registry
        self._stopped = stopped
        self.ends = ends
        self._wall_ms = wall_ms
        self._named = named
        self.told: Counter[tuple[str, str]] = Counter()  # by source and connector
        self.commits: GroupCommit[_Told, _Outcome] = GroupCommit(
            self._flush,
            name="complaints",
            items_per_flush_max=COMPLAINTS_PER_FLUSH_MAX,
            items_waiting_max=COMPLAINTS_WAITING_MAX,
        )

    async def record(
        self, account: int, actor: str, word: ComplaintWord
    ) -> tuple[ComplaintView, bool]:
        """As it is stored, and whether it is new; what it ends is in force.

        Raises ComplaintRefused, ComplaintConflict, Overloaded, StorageDown.
        """
        outcome: _Outcome = await committed(self.commits, _Told(account, actor, word))
        if isinstance(outcome, _Stored):
            return self._view(outcome.complaint), outcome.new
        raise outcome

    async def listed(
        self, account: int, wanted: ComplaintFilter, *, before: int | None, limit: int
    ) -> list[ComplaintView]:
        async with reading(self._pool) as connection:
            found = await complaints.listed(
                connection,
                account,
                before=ID_MAX if before is None else before,
                since=0 if wanted.since is None else id_at(wanted.since),
                indexes=None if wanted.number is None else self._vault.indexes(wanted.number),
                source=wanted.source,
                campaign_id=wanted.campaign_id,
                limit=limit,
            )
        return [self._view(each) for each in found]

    async def close(self) -> None:
        """Store what was told, then stop."""
        await self.commits.close()

    async def _flush(self, told: list[_Told], _attempt: int) -> list[_Outcome]:
        async with self._dedicated.transaction() as connection:
            outcomes = [await self._store(connection, each) for each in told]
        for outcome in outcomes:
            if isinstance(outcome, _Stored) and outcome.new:
                complaint = outcome.complaint
                connector = complaint.connector
                name = None if connector is None else self._registry.connector_name(connector)
                self.told[complaint.source, name or ""] += 1
        return outcomes

    async def _store(self, connection: Connection, told: _Told) -> _Outcome:
        word, account = told.word, told.account
        fingerprint = self._fingerprint(word)
        before = await complaints.stored(connection, account, word.reference)
        if before is not None:
            same = before.fingerprint == fingerprint
            return _Stored(before, new=False) if same else ComplaintConflict()
        at = word.at or datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        about, faults = await self._about(connection, account, word, at)
        if faults:
            return ComplaintRefused(faults)
        if word.number is not None:
            to_idx, to_enc = self._vault.index(word.number), self._vault.seal(word.number)
        else:
            assert about is not None
            to_idx, to_enc = about.to_idx, about.to_enc
        complaint = Complaint(
            id=self._ids.next(),
            account=account,
            reference=word.reference,
            fingerprint=fingerprint,
            to_enc=to_enc,
            source=word.source,
            source_name=word.source_name,
            text=word.text,
            at=at,
            message_id=None if about is None else about.id,
            connector=None if about is None else about.connector,
            sender=None if about is None else about.sender,
            category=None if about is None else about.category,
            campaign_id=word.campaign_id if about is None else about.campaign_id,
            suppressed=self.ends.get(account, int(Category.MARKETING)),
        )
        await complaints.add(connection, complaint, to_idx)
        if self._named is not None:
            await self._named(connection, [complaint.id], [account])
        await self._suppress(connection, complaint, to_idx, told.actor)
        return _Stored(complaint, new=True)

    async def _about(
        self, connection: Connection, account: int, word: ComplaintWord, at: datetime
    ) -> tuple[About | None, list[Refusal]]:
        """The message it is about, and what of the complaint does not fit to it."""
        indexes = None if word.number is None else self._vault.indexes(word.number)
        if word.message_id is None:
            assert indexes is not None
            found = await complaints.last(connection, account, indexes, word.campaign_id, at)
            return found, []
        about = await complaints.named(connection, account, word.message_id)
        if about is None:
            return None, [("message", "this account has no message with this id")]
        faults: list[Refusal] = []
        if indexes is not None and about.to_idx not in indexes:
            faults.append(("to", "the message went to another number"))
        if word.campaign_id not in (None, about.campaign_id):
            faults.append(("campaign", "the message is of another campaign, or of none"))
        return about, faults

    async def _suppress(
        self, connection: Connection, complaint: Complaint, to_idx: bytes, actor: str
    ) -> None:
        detail: dict[str, object] = {"complaint_id": complaint.id, "source": complaint.source}
        entry = AuditEntry(
            self._ids.next(), complaint.account, actor, "complaint.record", to_idx, detail
        )
        await audit.append(connection, [entry])
        if complaint.suppressed is None:
            return
        wanted = Suppression(
            to_idx=to_idx,
            reason=Reason.OPTED_OUT,
            source=suppression.COMPLAINT,
            account=complaint.account,
            category=complaint.suppressed,
            message_id=complaint.id,
            detail=complaint.source,
            to_enc=complaint.to_enc,
        )
        self._stopped.add([wanted], self._wall_ms())
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        await suppression.harden(connection, [wanted], now)

    def _fingerprint(self, word: ComplaintWord) -> bytes:
        told = msgspec.json.encode(
            [getattr(word, name) for name in ComplaintWord.__struct_fields__]
        )
        return self._vault.fingerprint_of(told.decode())

    def _view(self, complaint: Complaint) -> ComplaintView:
        connector = complaint.connector
        return ComplaintView(
            id=complaint.id,
            reference=complaint.reference,
            number=self._vault.shown(complaint.to_enc),
            source=complaint.source,
            source_name=complaint.source_name,
            text=complaint.text,
            at=complaint.at,
            message_id=complaint.message_id,
            connector=None if connector is None else self._registry.connector_name(connector),
            sender=complaint.sender,
            category=complaint.category,
            campaign_id=complaint.campaign_id,
            suppressed=complaint.suppressed,
        )
