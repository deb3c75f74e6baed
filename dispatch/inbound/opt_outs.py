"""Opt-outs and other replies: from a reply to what follows, in the message's own transaction.

Owns what a reply leads to in each account, and the counts. Must not decide what a reply is
(recipients/replies.py) nor write the table itself (storage does).

The sending side is told of an opt-out before it is committed. So nothing is written to that number
after the commit.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Literal

import msgspec

from dispatch.inbound import told
from dispatch.inbound.latency import ApplyLatency
from dispatch.inbound.messages import Answered, InboundRow
from dispatch.inbound.records import Received
from dlr.reasons import Reason
from dlr.webhooks.changes import tell
from recipients.just_stopped import JustStopped
from recipients.replies import OTHER, RATING_HOURS, Reply, ReplyClass, ReplyWords, read
from recipients.scopes import WHOLE, plain
from storage import audit, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.ids import IdSource
from storage.pool import Connection
from storage.suppression import EVERY_CATEGORY, Key, Suppression, Undo

SOURCE = "keyword"
ADDED, REMOVED = "suppression.add", "suppression.remove"
HELP_AGAIN_SECONDS = 600  # two machines that answer each other must not go on for ever
HELPED_MAX = 10_000


class OptOutPolicy(msgspec.Struct, frozen=True):
    """What an account does about replies. `category` as in the table; -1 for all.

    `text_days`: how long their texts are kept, None: as long as the messages. `of_senders`: what
    holds instead for those of its senders that have a brand, in the plain form.
    """

    words: ReplyWords
    category: int = int(Category.MARKETING)
    reply: str = ""
    help_reply: str = ""
    of_senders: Mapping[str, OptOutPolicy] = MappingProxyType({})
    text_days: int | None = None


class Confirmation(msgspec.Struct, frozen=True):
    """A reply owed to who has just opted out, or asked for help. `sender` was texted."""

    account: int
    to: str
    sender: str
    text: str
    to_whom: Literal["opt_out", "help"] = "opt_out"


class Applied(msgspec.Struct):
    """What changed. `replies`: inbound id -> the text owed, or "" where none is."""

    replies: Mapping[int, str] = msgspec.field(default_factory=dict)
    opted_in: int = 0


class OptOuts:
    """Reads replies and changes the suppression list."""

    def __init__(
        self,
        policies: Mapping[int, OptOutPolicy],
        *,
        stopped: JustStopped,
        ids: IdSource,
        wall_ms: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        """`policies` by account. An account without one has the default words.

        `monotonic` is the clock of Received.arrived.
        """
        self.policies = policies
        self._usual = OptOutPolicy(ReplyWords.of())
        self.scopes = WHOLE
        self._stopped = stopped
        self._ids = ids
        self._wall_ms = wall_ms
        self._monotonic = monotonic
        self._helped: OrderedDict[tuple[bytes, str], float] = OrderedDict()
        self.opted_out = 0
        self.opted_in = 0
        self.classes: Counter[str] = Counter()
        self.latency = ApplyLatency()

    def read(
        self, account: int, message: Received, answer: Answered | None, now: datetime
    ) -> Reply:
        """What a message asks for; with a gap in it, nothing."""
        if message.parts_missing:
            return OTHER
        answers = answer is not None and (
            answer.submitted_at is None
            or now - answer.submitted_at <= timedelta(hours=RATING_HOURS)
        )
        words = self.policy(account, message.destination).words
        return read(message.text, words, answers=answers)

    def text_days(self, account: int) -> int | None:
        """How long the account keeps texts of messages from handsets."""
        return self.policies.get(account, self._usual).text_days

    async def apply(
        self,
        connection: Connection,
        rows: Sequence[InboundRow],
        others: Mapping[bytes, Sequence[bytes]] = MappingProxyType({}),
    ) -> Applied:
        """Change the list as these messages ask. Of several from a number to a number, the last
        counts.

        `others`: indexes under which the release before may have suppressed some of them.
        """
        last = {(row.from_idx, row.destination): row for row in rows if row.keyword is not None}
        if not last:
            return Applied()
        asked = list(last.values())
        out = [row for row in asked if row.reply.kind is ReplyClass.OPT_OUT]
        known = await self._out_already(connection, out)
        added = await self._opt_out(connection, out)
        removed = await self._opt_in(
            connection, [row for row in asked if row.reply.kind is ReplyClass.OPT_IN], others
        )
        await audit.append(
            connection,
            [
                *(self._entry(ADDED, row.account, row.from_idx, row.id) for row in added),
                *(self._entry(REMOVED, account, to_idx, None) for to_idx, account, _ in removed),
            ],
        )
        ended = [(row, category) for row in added for category in sorted(self._categories(row))]
        await tell(connection, told.opted_out(ended) + told.opted_in(asked, removed), self._ids)
        replies = {row.id: "" if row.id in known else self._of(row).reply for row in added}
        return Applied(replies, len(removed))

    def committed(
        self, received: Sequence[Received], rows: Sequence[InboundRow], applied: Applied
    ) -> list[Confirmation]:
        """Count what was committed; returns the replies that are owed for it."""
        self.opted_out += len(applied.replies)
        self.opted_in += applied.opted_in
        now = self._monotonic()
        owed: list[Confirmation] = []
        for message, row in zip(received, rows, strict=True):
            self.classes[row.kind] += 1
            if row.id in applied.replies:
                self.latency.observe(max(0.0, now - message.arrived))
            text, to_whom = self._owed(row, applied, now)
            if text:
                owed.append(
                    Confirmation(row.account, message.source, row.destination, text, to_whom)
                )
        return owed

    def _owed(
        self, row: InboundRow, applied: Applied, now: float
    ) -> tuple[str | None, Literal["opt_out", "help"]]:
        if row.reply.kind is not ReplyClass.HELP:
            return applied.replies.get(row.id), "opt_out"
        text = self._of(row).help_reply
        asked = (row.from_idx, row.destination)
        before = self._helped.get(asked)
        if not text or (before is not None and now - before < HELP_AGAIN_SECONDS):
            return None, "help"
        self._helped[asked] = now
        self._helped.move_to_end(asked)
        if len(self._helped) > HELPED_MAX:
            self._helped.popitem(last=False)
        return text, "help"

    async def _out_already(self, connection: Connection, rows: Sequence[InboundRow]) -> set[int]:
        """Whose opt-out says no more than a wider one that stands: it is not confirmed again."""
        if not rows:
            return set()
        found = await suppression.look_up(connection, [row.from_idx for row in rows])
        return {
            row.id
            for row in rows
            if all(
                found.reason(
                    row.from_idx,
                    row.account,
                    category,
                    sender=row.destination,
                    covers=self.scopes.covers,
                )
                == Reason.OPTED_OUT
                for category in self._categories(row)
            )
        }

    async def _opt_out(
        self, connection: Connection, rows: Sequence[InboundRow]
    ) -> list[InboundRow]:
        by_key: dict[Key, InboundRow] = {}
        texted: dict[Key, set[str] | None] = {}  # the senders that were; None: all
        for row in rows:
            senders = self._senders(row)
            for category in self._categories(row):
                key = (row.from_idx, row.account, category)
                by_key[key] = row
                before = texted.get(key, set())
                texted[key] = None if senders is None or before is None else before | {*senders}
        now_ms = self._wall_ms()
        entries = [
            Suppression(
                to_idx=to_idx,
                reason=Reason.OPTED_OUT,
                source=SOURCE,
                account=account,
                category=category,
                message_id=row.id,
                detail=row.destination,
                to_enc=row.from_enc,
                senders=_listed(texted[to_idx, account, category]),
            )
            for (to_idx, account, category), row in by_key.items()
        ]
        self._stopped.add(entries, now_ms)
        # Not before this moment: what was written until now was written before the opt-out.
        since = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        new = await suppression.add_new(connection, entries, since)
        return list({row.id: row for key, row in by_key.items() if key in new}.values())

    def _senders(self, row: InboundRow) -> Sequence[str] | None:
        """Those that this opt-out is of; None: all.

        A carrier may write the number that was texted in another way than its sender is written.
        Unless a message from it was answered, or the settings name it, the opt-out is of all.
        """
        account, texted = row.account, row.destination
        known = row.answers is not None or self.scopes.knows(account, texted)
        return self.scopes.of(account, texted) if known else None

    def _categories(self, row: InboundRow) -> set[int]:
        """What this opt-out ends; that of everything ends the others, too."""
        named = set(row.reply.categories)
        if row.reply.usual:
            named.add(self._of(row).category)
        return {EVERY_CATEGORY} if EVERY_CATEGORY in named else named

    async def _opt_in(
        self,
        connection: Connection,
        rows: Sequence[InboundRow],
        others: Mapping[bytes, Sequence[bytes]],
    ) -> list[Key]:
        """Takes back what words of this number had put there, for the senders in scope."""
        wanted = [
            Undo(index, row.account, row.destination, self.scopes.of(row.account, row.destination))
            for row in rows
            for index in (row.from_idx, *others.get(row.from_idx, ()))
        ]
        undone = await suppression.undo_keywords(connection, wanted)
        self._stopped.remove([key for key, gone in undone.items() if gone])
        for each in wanted:
            for key, gone in undone.items():
                if not gone and key[0] == each.to_idx:
                    self._stopped.narrow(key, each.senders or ())
        return list(undone)

    def stop(self, entries: Sequence[Suppression]) -> None:
        """Nothing that these forbid is written from now on; they are about to be stored."""
        self._stopped.add(entries, self._wall_ms())

    def take_back(self, undone: Mapping[Key, bool], sender: str) -> None:
        """These entries were undone, for the senders that belong to this one: as a whole or not."""
        self._stopped.remove([key for key, gone in undone.items() if gone])
        for key, gone in undone.items():
            if not gone:
                self._stopped.narrow(key, self.scopes.of(key[1], sender) or ())

    def _of(self, row: InboundRow) -> OptOutPolicy:
        return self.policy(row.account, row.destination)

    def policy(self, account: int, destination: str) -> OptOutPolicy:
        """What holds for replies to this sender of the account."""
        policy = self.policies.get(account, self._usual)
        return policy.of_senders.get(plain(destination), policy)

    def _entry(
        self, action: str, account: int, subject: bytes, inbound_id: int | None
    ) -> AuditEntry:
        detail = {} if inbound_id is None else {"inbound_id": inbound_id}
        return AuditEntry(self._ids.next(), account, SOURCE, action, subject, detail)


def _listed(senders: set[str] | None) -> list[str] | None:
    return None if senders is None else sorted(senders)
