"""Opt-outs by page: from a press on the recipient's own page to what follows.

Owns these transactions. What an opt-out ends, whose messages it covers and what is replied are the
keywords' rules (opt_outs.py). Must not know HTML or HTTP (shortlinks/opt_out_door.py).

The page says what is done only after the commit. The sending side is told before it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from dispatch.inbound import told
from dispatch.inbound.opt_outs import ADDED, REMOVED, Confirmation, OptOuts
from dlr.reasons import Reason
from dlr.webhooks.changes import tell
from recipients import preferences
from recipients.frequency import Number
from recipients.preferences import Preference
from shortlinks.opt_outs import (
    EVERY,
    OFFERED,
    Choose,
    How,
    Language,
    Standing,
    Stop,
    Undo,
    Wish,
)
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.crypto import NumberVault
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.suppression import EVERY_ACCOUNT, Key, Suppression

_SQL = sql.load("dispatch")
SOURCE = "page"
PRESSES_PER_FLUSH_MAX = 50
PRESSES_WAITING_MAX = 2_000
EVERYTHING = frozenset(map(int, Category))

# Hears on whose message's page somebody opted out, and of its account, in the transaction.
Named = Callable[[Connection, Sequence[int], Collection[int]], Awaitable[None]]


class PagePolicy(msgspec.Struct, frozen=True):
    """What an account's page says. `name` "": the sender."""

    name: str = ""
    language: Language = "en"
    asks_month: bool = False


class _Recipient(msgspec.Struct, frozen=True):
    """Whose page it is. `to_idx` is today's index; `indexes`: it, and those of before."""

    account: int
    sender: str
    to_enc: bytes
    to_idx: bytes
    indexes: Sequence[bytes]
    number: str | None

    @property
    def wishes(self) -> Number:
        """Where a wish about marketing stands."""
        return self.account, int(Category.MARKETING), self.to_idx


class _Press(msgspec.Struct, frozen=True):
    message_id: int
    wish: Wish
    how: How
    network: str
    since: float


class _Done(msgspec.Struct):
    standing: Standing
    recipient: _Recipient
    entries: Sequence[Suppression] = ()
    ended: Collection[Key] = ()
    undone: Mapping[Key, bool] = msgspec.field(default_factory=dict)
    owed: str = ""


class PageOptOuts:
    """Implements OptOutBook. Counts since start: `opted_out` presses that ended something, and
    `opted_in` entries taken back.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        opt_outs: OptOuts,
        policies: Mapping[int, PagePolicy],
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
        monotonic: Callable[[], float],
        owe: Callable[[Sequence[Confirmation]], None],
        named: Named | None = None,
    ) -> None:
        """`owe` takes the texts that confirm an opt-out, where the account has one."""
        self._pool = pool
        self._dedicated = dedicated
        self._opt_outs = opt_outs
        self.policies = policies
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._owe = owe
        self._named = named
        self.counts: Counter[str] = Counter(opted_out=0, opted_in=0)
        self.commits: GroupCommit[_Press, _Done | None] = GroupCommit(
            self._flush,
            name="opt-out-pages",
            items_per_flush_max=PRESSES_PER_FLUSH_MAX,
            items_waiting_max=PRESSES_WAITING_MAX,
        )

    async def standing(self, message_id: int) -> Standing | None:
        """As OptOutBook says."""
        async with reading(self._pool) as connection:
            recipient = await self._recipient(connection, message_id)
            return None if recipient is None else await self._standing(connection, recipient)

    async def change(
        self, message_id: int, wish: Wish, *, how: How, network: str
    ) -> Standing | None:
        """As OptOutBook says."""
        press = _Press(message_id, wish, how, network, self._monotonic())
        done: _Done | None = await committed(self.commits, press)
        return None if done is None else done.standing

    async def close(self) -> None:
        """Store what was pressed, then stop."""
        await self.commits.close()

    async def _flush(self, presses: list[_Press], _attempt: int) -> list[_Done | None]:
        async with self._dedicated.transaction() as connection:
            done = [await self._press(connection, press) for press in presses]
        now = self._monotonic()
        for press, each in zip(presses, done, strict=True):
            if each is not None:
                self._committed(each, now - press.since)
        return done

    def _committed(self, done: _Done, seconds: float) -> None:
        self._opt_outs.take_back(done.undone, done.recipient.sender)
        self._opt_outs.stop(done.entries)  # what another press of this flush had taken back
        self.counts["opted_in"] += len(done.undone)
        if done.ended:
            self.counts["opted_out"] += 1
            self._opt_outs.latency.observe(max(0.0, seconds))
        recipient = done.recipient
        if done.owed and recipient.number is not None:
            owed = Confirmation(recipient.account, recipient.number, recipient.sender, done.owed)
            self._owe([owed])

    async def _press(self, connection: Connection, press: _Press) -> _Done | None:
        recipient = await self._recipient(connection, press.message_id)
        if recipient is None:
            return None
        before = await self._standing(connection, recipient)
        ends, undoes = _asked(press.wish, before)
        undone = await self._undo(connection, recipient, undoes) if undoes else {}
        entries = self._entries(recipient, ends, press.message_id)
        self._opt_outs.stop(entries)
        now = self._now()
        ended = await suppression.add_new(connection, entries, now)
        await self._record(connection, press, recipient, ended, undone, now)
        if self._named is not None and ended:
            await self._named(connection, [press.message_id], [recipient.account])
        if isinstance(press.wish, Choose) and before.asks_month:
            stands = preferences.Wish(before.month_max, before.days)
            await self._wish(connection, recipient, press, stands, now)
        after = await self._standing(connection, recipient)
        owed = ""
        if after.out and not before.out:
            owed = self._opt_outs.policy(recipient.account, recipient.sender).reply
        return _Done(after, recipient, entries, ended, undone, owed)

    async def _undo(
        self, connection: Connection, recipient: _Recipient, categories: Collection[int]
    ) -> dict[Key, bool]:
        senders = self._opt_outs.scopes.of(recipient.account, recipient.sender)
        return await suppression.undo_page(
            connection, recipient.indexes, recipient.account, sorted(categories), senders
        )

    def _entries(
        self, recipient: _Recipient, categories: Collection[int], message_id: int
    ) -> list[Suppression]:
        return [
            Suppression(
                to_idx=recipient.to_idx,
                reason=Reason.OPTED_OUT,
                source=SOURCE,
                account=recipient.account,
                category=category,
                message_id=message_id,
                detail=recipient.sender,
                to_enc=recipient.to_enc,
                senders=self._opt_outs.scopes.of(recipient.account, recipient.sender)
                if recipient.sender
                else None,
            )
            for category in sorted(categories)
        ]

    async def _record(
        self,
        connection: Connection,
        press: _Press,
        recipient: _Recipient,
        ended: Collection[Key],
        undone: Collection[Key],
        now: datetime,
    ) -> None:
        """The evidence, in the audit, and what webhooks tell."""
        changes = [(ADDED, key) for key in sorted(ended)] + [
            (REMOVED, key) for key in sorted(undone)
        ]
        await audit.append(
            connection,
            [
                self._entry(
                    action,
                    recipient,
                    press,
                    {"category": category, "how": press.how},
                )
                for action, (_, _, category) in changes
            ],
        )
        await tell(
            connection,
            [
                told.by_page(
                    kind, recipient.account, category, now, press.message_id, recipient.to_enc
                )
                for kind, keys in (("recipient.opted_out", ended), ("recipient.opted_in", undone))
                for _, _, category in sorted(keys)
            ],
            self._ids,
        )

    def _entry(
        self, action: str, recipient: _Recipient, press: _Press, detail: dict[str, object]
    ) -> AuditEntry:
        detail["message_id"] = press.message_id
        return AuditEntry(
            self._ids.next(), recipient.account, SOURCE, action, recipient.to_idx, detail,
            press.network or None,
        )  # fmt: skip

    async def _wish(
        self,
        connection: Connection,
        recipient: _Recipient,
        press: _Press,
        before: preferences.Wish,
        now: datetime,
    ) -> None:
        assert isinstance(press.wish, Choose)
        asked = preferences.Wish(press.wish.month_max, press.wish.days)
        if asked == before:
            return
        if asked == preferences.Wish():
            await preferences.drop(connection, recipient.wishes)
        else:
            wish = Preference(
                number=recipient.wishes,
                to_enc=recipient.to_enc,
                wish=asked,
                message_id=press.message_id,
                updated_at=now,
            )
            await preferences.put(connection, wish)
        said: dict[str, object] = {"month_max": asked.month_max, "days": asked.days}
        entry = self._entry("preference.set", recipient, press, said)
        await audit.append(connection, [entry])

    async def _recipient(self, connection: Connection, message_id: int) -> _Recipient | None:
        row = await connection.fetchrow(_SQL["page_message"], message_id)
        if row is None:
            return None
        number = self._vault.open_or_none(row["to_enc"])
        indexes = [row["to_idx"]] if number is None else list(self._vault.indexes(number))
        return _Recipient(row["account"], row["sender"], row["to_enc"], indexes[0], indexes, number)

    async def _standing(self, connection: Connection, recipient: _Recipient) -> Standing:
        account, sender = recipient.account, recipient.sender
        page = self.policies.get(account, PagePolicy())
        found = await suppression.of_number(connection, recipient.indexes, [EVERY_ACCOUNT, account])
        now = self._now()
        by_page: set[int] = set()
        otherwise: set[int] = set()
        for entry in found:
            if (
                entry.reason == Reason.OPTED_OUT
                and (entry.expires_at is None or entry.expires_at > now)
                and self._opt_outs.scopes.covers(account, entry.senders, sender)
            ):
                categories = EVERYTHING if entry.category == EVERY else {entry.category}
                own = entry.source == SOURCE and entry.account == account
                (by_page if own else otherwise).update(categories)
        wish = preferences.Wish()
        if page.asks_month:
            wishes = await preferences.wishes(connection, [recipient.wishes])
            wish = wishes.get(recipient.wishes, wish)
        return Standing(
            name=page.name or sender,
            language=page.language,
            usual=self._opt_outs.policy(account, sender).category,
            ended=frozenset(by_page | otherwise),
            fixed=frozenset(otherwise),
            month_max=wish.month_max,
            days=wish.days,
            asks_month=page.asks_month,
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall_ms() / 1000, UTC)


def _asked(wish: Wish, before: Standing) -> tuple[set[int], set[int]]:
    """(what ends, what is taken back): categories."""
    if isinstance(wish, Stop):
        return {EVERY if wish.everything else before.usual}, set()
    if isinstance(wish, Undo):
        return set(), {EVERY, *EVERYTHING}
    return _chosen(before, wish.wanted)


def _chosen(before: Standing, wanted: Collection[int]) -> tuple[set[int], set[int]]:
    """(what ends, what is taken back) where a person names the categories that are wanted.

    An end of everything is taken back only by who wants something that it covers.
    """
    ends = {int(category) for category in OFFERED} - {*wanted}
    takes_back = {category for category in wanted if category in before.ended}
    if takes_back:
        return ends, {EVERY, *takes_back}
    return ends - before.ended, set()
