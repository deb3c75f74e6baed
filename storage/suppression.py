"""The suppression table: who must not be texted.

Owns every read and write of `suppression`. Must not decide who is suppressed. Number hygiene,
opt-outs and the API do, and they write through here, in their own transactions.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import asyncpg
import msgspec

from storage import sql
from storage.pool import Connection

_SQL = sql.load("storage")

_EVER = datetime.min.replace(tzinfo=UTC)  # when nothing had expired
EVERY_ACCOUNT = 0
EVERY_CATEGORY = -1
OPTED_OUT = 9  # the reason of what a person has told, as dlr/reasons.py numbers it
COMPLAINT = "complaint"  # the source of entries that no word of the person undoes
HYGIENE = "receipt"  # the source of entries that evidence about the number made, and may end
Key = tuple[bytes, int, int]  # to_idx, account, category
FIRST: Key = (b"", -(1 << 15), -(1 << 15))  # before every key
# Whether an entry of these senders of an account (None: all) forbids a message from this one.
Covers = Callable[[int, Sequence[str] | None, str], bool]
_BETWEEN = "\n"  # senders, where an array of arrays is none


class Suppression(msgspec.Struct, gc=False, frozen=True):
    """One entry. `account` 0 and `category` -1 mean all. `message_id` is the evidence."""

    to_idx: bytes
    reason: int
    source: str
    account: int = EVERY_ACCOUNT
    category: int = EVERY_CATEGORY
    message_id: int | None = None
    detail: str | None = None
    created_at: datetime | None = None  # of entries that are read; add_new() is told it
    expires_at: datetime | None = None  # None: for good
    to_enc: bytes | None = None  # to show the number where no message is the evidence
    senders: Sequence[str] | None = None  # of the account that must not text it; None: all

    @property
    def key(self) -> Key:
        """There is one entry for each key."""
        return self.to_idx, self.account, self.category


_TOLD = ("to_idx", "account", "category", "reason", "source", "message_id", "detail")


class Recipient(Protocol):
    """Whom a message goes to: the index of the number, and the older indexes of its other forms."""

    to_idx: bytes
    old_idx: tuple[bytes, ...]


def indexes_of(recipients: Sequence[Recipient]) -> list[bytes]:
    """Every index that has to be asked for."""
    indexes = [recipient.to_idx for recipient in recipients]
    for recipient in recipients:
        if recipient.old_idx:
            indexes += recipient.old_idx
    return indexes


class SuppressionLookup:
    """The entries that concern one batch of recipients, asked for at once."""

    __slots__ = ("_entries",)

    def __init__(self, rows: Iterable[asyncpg.Record]) -> None:
        self._entries: dict[bytes, list[tuple[int, int, int, Sequence[str] | None]]] = {}
        for row in rows:
            self._entries.setdefault(row["to_idx"], []).append(
                (row["account"], row["category"], row["reason"], row["senders"])
            )

    def __bool__(self) -> bool:
        return bool(self._entries)

    def reason(
        self,
        to_idx: bytes,
        account: int,
        category: int,
        old_idx: Sequence[bytes] = (),
        *,
        sender: str = "",
        covers: Covers | None = None,
    ) -> int | None:
        """Why this recipient must not get this message; None if it may.

        `covers` None: an entry of some senders is one of all.
        """
        for index in (to_idx, *old_idx):
            for of_account, of_category, reason, senders in self._entries.get(index, ()):
                if (
                    of_account in (EVERY_ACCOUNT, account)
                    and of_category in (EVERY_CATEGORY, category)
                    and (covers is None or covers(account, senders, sender))
                ):
                    return reason
        return None

    def reasons(self, indexes: Iterable[bytes], account: int, category: int) -> set[int]:
        """Every reason for which some sender must not text who stands under these indexes."""
        return {
            reason
            for index in indexes
            for of_account, of_category, reason, _ in self._entries.get(index, ())
            if of_account in (EVERY_ACCOUNT, account) and of_category in (EVERY_CATEGORY, category)
        }


async def look_up(connection: Connection, recipients: Sequence[bytes]) -> SuppressionLookup:
    """The entries of these recipients (16-octet indexes), in one round trip for any number of
    them.
    """
    found = await connection.fetch(_SQL["suppression_look_up"], b"".join(recipients))
    return SuppressionLookup(found)


async def add(connection: Connection, entries: Sequence[Suppression]) -> int:
    """Add what is not there yet. An older entry keeps its evidence. Returns how many were new.

    What people and carriers tell goes over an entry of HYGIENE, and so does longer hygiene. None
    gets shorter or narrower.
    """
    return len(await add_new(connection, entries))


async def add_new(
    connection: Connection, entries: Sequence[Suppression], created_at: datetime | None = None
) -> set[Key]:
    """As add(); returns which were new. `created_at` None: now, by the database's clock."""
    if not entries:
        return set()
    together: dict[Key, list[Suppression]] = {}
    for entry in entries:
        together.setdefault(entry.key, []).append(entry)
    # Sorted, so that two writers lock the rows in the same order and cannot deadlock.
    ordered = [
        merged(each, _EVER) if len(each) > 1 else each[0] for _, each in sorted(together.items())
    ]
    rows = await connection.fetch(
        _SQL["suppression_add"],
        *_columns(ordered, *_TOLD, "expires_at", "to_enc"),
        created_at,
        _joined(ordered),
    )
    return _keys(rows)


async def harden(
    connection: Connection, entries: Sequence[Suppression], created_at: datetime
) -> None:
    """As `add_new`, for good: an entry of before that a word could undo, or time, is replaced."""
    ordered = sorted(entries, key=lambda entry: entry.key)
    await connection.execute(
        _SQL["suppression_harden"], *_columns(ordered, *_TOLD, "to_enc"), created_at
    )


class Removed(msgspec.Struct, frozen=True):
    """Entries that are gone, and those that only the person's own word ends."""

    gone: set[Key]
    kept: set[Key]


async def remove(
    connection: Connection,
    recipients: Sequence[bytes],
    accounts: Sequence[int],
    category: int | None,
    *,
    opted_out: int | None = None,
) -> Removed:
    """Delete these numbers' entries of these accounts, of one category or of each (None).

    `opted_out`: the reason of opt-outs, which then stay, as what a person told otherwise does.
    None: they go, too.
    """
    rows = await connection.fetch(
        _SQL["suppression_remove_numbers"], recipients, accounts, category, opted_out is None,
        opted_out,
    )  # fmt: skip
    gone = _keys(row for row in rows if not row["stays"])
    return Removed(gone, _keys(row for row in rows if row["stays"]))


async def lift(connection: Connection, recipients: Collection[bytes], source: str = HYGIENE) -> int:
    """Delete the entries of every account and category that this source made for these numbers.

    Returns how many there were.
    """
    if not recipients:
        return 0
    found = await connection.fetch(
        _SQL["suppression_lift"], sorted(recipients), EVERY_ACCOUNT, EVERY_CATEGORY, source
    )
    return len(found)


class Undo(msgspec.Struct, gc=False, frozen=True):
    """What a recipient's word to opt in takes back: what was put there for this account, or by a
    text to this number. `senders`: of theirs only; None: of all.
    """

    to_idx: bytes
    account: int
    destination: str
    senders: Sequence[str] | None = None


async def undo_keywords(connection: Connection, wanted: Sequence[Undo]) -> dict[Key, bool]:
    """Take out what words had put there; which entries, and whether they are gone as a whole."""
    if not wanted:
        return {}
    rows = await connection.fetch(
        _SQL["suppression_undo_keyword"],
        [each.to_idx for each in wanted],
        [each.account for each in wanted],
        [each.destination for each in wanted],
        [None if each.senders is None else _BETWEEN.join(each.senders) for each in wanted],
    )
    return {(row["to_idx"], row["account"], row["category"]): row["gone"] for row in rows}


async def undo_page(
    connection: Connection,
    recipients: Sequence[bytes],
    account: int,
    categories: Sequence[int],
    senders: Sequence[str] | None,
) -> dict[Key, bool]:
    """Take out what presses on a page had put there, for these senders (None: all of the account).

    Which entries, and whether they are gone as a whole.
    """
    rows = await connection.fetch(
        _SQL["suppression_undo_page"], recipients, account, categories, senders
    )
    return {(row["to_idx"], row["account"], row["category"]): row["gone"] for row in rows}


Place = tuple[datetime, bytes, int, int]  # created_at, to_idx, account, category


async def listed(
    connection: Connection,
    accounts: Sequence[int],
    after: Place | None,
    *,
    source: str | None,
    category: int | None,
    limit: int,
) -> list[Suppression]:
    """The entries of these accounts behind a place, newest first, expired ones too."""
    place = after or (None, None, None, None)
    rows = await connection.fetch(
        _SQL["suppression_list"], accounts, *place, source, category, limit
    )
    return [Suppression(**dict(row)) for row in rows]


async def of_number(
    connection: Connection, indexes: Sequence[bytes], accounts: Sequence[int]
) -> list[Suppression]:
    """The entries of one number for these accounts, newest first, expired ones too."""
    rows = await connection.fetch(_SQL["suppression_of_number"], indexes, accounts)
    return [Suppression(**dict(row)) for row in rows]


class Placed(msgspec.Struct, gc=False, frozen=True):
    """One entry by its key, and its number as far as anything tells it."""

    to_idx: bytes
    account: int
    category: int
    to_enc: bytes | None

    @property
    def key(self) -> Key:
        """As Suppression.key."""
        return self.to_idx, self.account, self.category


async def page(connection: Connection, after: Key, limit: int) -> list[Placed]:
    """Entries behind one, in the order of their keys."""
    rows = await connection.fetch(_SQL["suppression_page"], *after, limit)
    return [Placed(**dict(row)) for row in rows]


async def move(
    connection: Connection, moves: Mapping[Key, tuple[bytes, bytes]], now: datetime
) -> None:
    """Put entries under another index: key -> (index, encrypted number).

    Where several come together one is left, as merged() makes it.
    """
    goals = {(to_idx, *key[1:]) for key, (to_idx, _) in moves.items()}
    together: dict[Key, list[Suppression]] = {}
    for entry in await locked(connection, {*moves, *goals}):
        if entry.key in moves:
            to_idx, to_enc = moves[entry.key]
            entry = msgspec.structs.replace(entry, to_idx=to_idx, to_enc=to_enc)
        together.setdefault(entry.key, []).append(entry)
    left = [merged(together[key], now) for key in sorted(together)]
    await replace(connection, {*moves, *goals}, left)


async def locked(connection: Connection, keys: Collection[Key]) -> list[Suppression]:
    """Those of these entries that are there, locked until the transaction ends."""
    if not keys:
        return []
    # In the order of add_new().
    rows = await connection.fetch(_SQL["suppression_lock"], *zip(*sorted(keys), strict=True))
    return [Suppression(**dict(row)) for row in rows]


async def replace(
    connection: Connection, keys: Collection[Key], entries: Sequence[Suppression]
) -> None:
    """Put whole entries in the place of those with these keys, which locked() holds."""
    if not keys:
        return
    await connection.execute(_SQL["suppression_delete"], *zip(*sorted(keys), strict=True))
    *columns, _senders = Suppression.__struct_fields__
    await connection.execute(
        _SQL["suppression_put"], *_columns(entries, *columns), _joined(entries), OPTED_OUT
    )


async def exported(
    connection: Connection, accounts: Sequence[int], after: Key, limit: int
) -> list[Suppression]:
    """The entries in force of these accounts behind a key, in the order of the keys."""
    rows = await connection.fetch(_SQL["suppression_export"], accounts, *after, limit)
    return [Suppression(**dict(row)) for row in rows]


async def count(connection: Connection, accounts: Sequence[int]) -> int:
    """How many entries in force these accounts have."""
    counted: int = await connection.fetchval(_SQL["suppression_count"], accounts)
    return counted


def merged(entries: Sequence[Suppression], now: datetime) -> Suppression:
    """One entry of several with one key.

    It has the oldest evidence of those in force, and lasts as long as the longest of them. It is of
    the senders of all. That of HYGIENE, which a delivery ends, gives way to any other, and any to
    that of a COMPLAINT. One of an opt-out makes it an opt-out.
    """
    in_force = [each for each in entries if each.expires_at is None or each.expires_at > now]
    candidates = in_force or entries
    oldest = min(
        candidates,
        key=lambda each: (
            each.source != COMPLAINT, each.source == HYGIENE, each.created_at or now, each.source
        ),
    )  # fmt: skip
    reasons = {each.reason for each in candidates}
    ends = [each.expires_at for each in candidates]
    until = None if None in ends else max(end for end in ends if end is not None)
    to_enc = next((each.to_enc for each in (oldest, *candidates) if each.to_enc), None)
    named: set[str] = set()
    for each in candidates:
        named.update(each.senders or ())
    whole = any(each.senders is None for each in candidates)
    return msgspec.structs.replace(
        oldest,
        reason=OPTED_OUT if OPTED_OUT in reasons else oldest.reason,
        expires_at=until,
        to_enc=to_enc,
        senders=None if whole else sorted(named),
    )


def _columns(entries: Sequence[Suppression], *names: str) -> list[list[object]]:
    return [[getattr(entry, name) for entry in entries] for name in names]


def _joined(entries: Sequence[Suppression]) -> list[str | None]:
    return [None if each.senders is None else _BETWEEN.join(each.senders) for each in entries]


def _keys(rows: Iterable[asyncpg.Record]) -> set[Key]:
    return {(row["to_idx"], row["account"], row["category"]) for row in rows}
