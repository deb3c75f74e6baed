"""The consent ledger: who allowed an account to send what. Append-only.

Owns the table `consent`. Must not decide which messages need consent.

A person's latest word counts, by when it was given and not by when it was recorded. So an old form
that is typed in today does not undo a withdrawal.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from storage import sql
from storage.pool import Connection

if TYPE_CHECKING:
    from asyncpg import Record

_SQL = sql.load("recipients")
ID_MAX = 2**63 - 1


class ConsentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one word says, but not whose it is. `granted` False: consent is withdrawn.

    `text_version`: which wording the person saw. `operator`: who took it. `address`: the IP address
    it was given from.
    """

    category: int
    granted: bool
    source: str
    text_version: str | None
    evidence: str | None
    at: datetime
    purpose: str | None = None
    channel: str | None = None
    operator: str | None = None
    address: str | None = None
    incentive: str | None = None


FACTS = ConsentFacts.__struct_fields__


class Consent(ConsentFacts, frozen=True, kw_only=True):
    """One word of one person."""

    account: int
    to_idx: bytes
    to_enc: bytes


class RecordedConsent(ConsentFacts, frozen=True, kw_only=True):
    """The same, as it stands in the ledger."""

    id: int
    to_enc: bytes
    recorded_at: datetime


def facts_of(word: ConsentFacts) -> dict[str, Any]:
    """By name."""
    return {name: getattr(word, name) for name in FACTS}


def missing(word: ConsentFacts) -> tuple[str, ...]:
    """What an authority asks for and this word does not say; a withdrawal owes nothing."""
    if not word.granted:
        return ()
    asked = ("purpose", "channel", "text_version", "evidence")
    lacking = [name for name in asked if getattr(word, name) is None]
    if word.operator is None and word.address is None:
        lacking.append("operator")
    return tuple(lacking)


async def beside_others(connection: Connection) -> None:
    """Before words that somebody tells are appended, in their transaction."""
    await connection.execute(_SQL["consent_words_beside"])


async def alone(connection: Connection) -> None:
    """Before words are appended by what was said before: nobody tells any until the transaction
    ends.
    """
    await connection.execute(_SQL["consent_words_alone"])


async def record(connection: Connection, consent: Consent) -> RecordedConsent:
    """Append one word."""
    row = await connection.fetchrow(_SQL["consent_add"], *_columns(consent))
    assert row is not None
    return RecordedConsent(
        id=row["id"],
        to_enc=consent.to_enc,
        recorded_at=row["recorded_at"],
        **facts_of(consent),
    )


async def record_many(connection: Connection, consents: Sequence[Consent]) -> None:
    """Append words of several people."""
    await connection.executemany(_SQL["consent_add"], map(_columns, consents))


def _columns(consent: Consent) -> tuple[object, ...]:
    return (
        consent.account, consent.category, consent.to_idx, consent.to_enc, consent.granted,
        consent.source, consent.text_version, consent.evidence, consent.at, consent.purpose,
        consent.channel, consent.operator, consent.address, consent.incentive,
    )  # fmt: skip


async def standing(
    connection: Connection,
    recipients: Collection[bytes],
    account: int,
    old: Mapping[bytes, bytes] = MappingProxyType({}),
) -> dict[tuple[bytes, int], bool]:
    """What these people last said to an account, by recipient and category: whether they grant.

    `old`: as in granted().
    """
    rows = await _latest(connection, recipients, [account], old)
    return {(row["to_idx"], row["category"]): row["granted"] for row in rows}


async def granted(
    connection: Connection,
    recipients: Collection[bytes],
    accounts: Collection[int],
    old: Mapping[bytes, bytes] = MappingProxyType({}),
) -> set[tuple[bytes, int, int]]:
    """Those of these (recipient, account, category) for which consent holds now.

    `old`: other indexes of some recipients, and whose they are. A person's latest word counts,
    whichever index it stands under.
    """
    rows = await _latest(connection, recipients, accounts, old)
    return {(row["to_idx"], row["account"], row["category"]) for row in rows if row["granted"]}


async def _latest(
    connection: Connection,
    recipients: Collection[bytes],
    accounts: Collection[int],
    old: Mapping[bytes, bytes],
) -> list[Record]:
    if not old:
        return await connection.fetch(_SQL["consent_standing"], list(recipients), list(accounts))
    forms = [*zip(recipients, recipients, strict=True), *old.items()]
    columns = list(zip(*forms, strict=True))
    return await connection.fetch(_SQL["consent_of_forms"], *columns, list(accounts))


async def ledger(
    connection: Connection,
    account: int,
    *,
    indexes: Collection[bytes] | None,
    before: int,
    limit: int,
) -> list[RecordedConsent]:
    """An account's entries, the latest recorded first; of one number, or of all (None)."""
    rows = await connection.fetch(_SQL["consents"], account, indexes, before, limit)
    return [RecordedConsent(**dict(row.items())) for row in rows]


async def page(connection: Connection, after_id: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """(id, index, encrypted number) of the entries behind one, in order."""
    rows = await connection.fetch(_SQL["consent_page"], after_id, limit)
    return [(row["id"], row["to_idx"], row["to_enc"]) for row in rows]


async def move(connection: Connection, moves: Mapping[int, bytes]) -> None:
    """Put entries under another index of the same person. Nothing that was said changes."""
    await connection.execute(_SQL["consent_move"], list(moves), list(moves.values()))
