"""Matching: which submit a receipt is about, where its carrier's id alone does not say.

Owns the choice among the submits under an id, and the statements that look them up. Must not change
a row. The choice is pure, and the same whether or not this process remembers the id.

A carrier may answer several submits with one id: the parts of a message, or two messages (E8, E92).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta

import asyncpg
import msgspec

from dlr.connector_groups import ConnectorGroups
from dlr.receipt_rows import JOIN_MINUTES, ReceiptRow
from dlr.status import Status, outranks
from storage import sql

_SQL = sql.load("dlr")
# Submits under one id that are looked at: the newest, open ones first. Beyond that, those to the
# receipt's own number.
CANDIDATES_MAX = 200

Key = tuple[int, str]  # connector, carrier id


class Candidate(msgspec.Struct, gc=False):
    """A submit that was answered with the id.

    `status` changes with the receipts given to it. `stored` is the status in the database.
    """

    id: int
    message_id: int
    connector: int
    parts: int
    stored: int
    status: int


class AboutMessage(msgspec.Struct, frozen=True, gc=False):
    """The recipient of a message, and how many of its parts have a row."""

    to_idx: bytes
    parts_known: int


def is_open(status: int) -> bool:
    """Whether no verdict about a submit is known yet."""
    return status < Status.UNKNOWN


def split(rows: Sequence[ReceiptRow]) -> tuple[list[int], list[int]]:
    """(positions of receipts whose submit is known or guessed, positions of those to be looked up).

    A guess holds for one verdict. Where an id has more to tell in one call, all of its receipts are
    looked up, in their order.
    """
    certain = {row.submission_id for row in rows if row.certain}
    told: set[int] = set()
    crowded: set[Key] = set()
    for row in rows:
        target = row.submission_id
        if row.certain:
            continue
        if target is None or target in told or target in certain:
            crowded.add((row.connector, row.carrier_id))
        elif not is_open(row.status):
            told.add(target)
    direct: list[int] = []
    asked: list[int] = []
    for position, row in enumerate(rows):
        known = row.certain or (row.connector, row.carrier_id) not in crowded
        (direct if known else asked).append(position)
    return direct, asked


async def find_targets(
    connection: asyncpg.Connection,
    rows: Sequence[ReceiptRow],
    horizon: int,
    now: datetime,
    groups: ConnectorGroups,
) -> set[int | None]:
    """Write the submission id, or None, into each row. Returns those that were open.

    It is found by its id, else by its other id, else by its reference.
    """
    candidates: list[list[Candidate]] = [[] for _ in rows]
    seen: dict[int, Candidate] = {}
    for attribute in ("carrier_id", "alternate_id"):
        keys: list[list[Key]] = [
            [(connector, getattr(row, attribute)) for connector in groups.of(row.connector)]
            if not candidates[position] and getattr(row, attribute)
            else []
            for position, row in enumerate(rows)
        ]
        wanted = {key: None for each in keys for key in each}
        if wanted:
            found = await _candidates(connection, list(wanted), horizon, seen)
            for position, each in enumerate(keys):
                candidates[position] += [one for key in each for one in found.get(key, ())]
            full = {key for key, several in found.items() if len(several) >= CANDIDATES_MAX}
            if full:
                own = await _of_numbers(connection, rows, keys, full, horizon, seen)
                for position, several in own.items():
                    candidates[position] = several
    unclear = _unclear(candidates)
    messages = await _about(connection, unclear) if unclear else {}
    for row, several in zip(rows, candidates, strict=True):
        row.submission_id = choose(row, several, messages, now) if several else row.reference_id
    return {identifier for identifier, each in seen.items() if is_open(each.stored)}


def choose(
    row: ReceiptRow,
    candidates: Sequence[Candidate],
    messages: Mapping[int, AboutMessage],
    now: datetime,
) -> int | None:
    """The submit that the receipt is about; its status is raised here.

    Of several, it is first the one that something other than the id points to. Else it is the one
    whose number the receipt comes from. Among these the newest open one is meant. Else it is the
    newest, or another part of its message that the receipt changes.

    None if none seems to be meant: the receipt waits for the answer to another. `messages` tells of
    those candidates that more than the id is needed for.
    """
    indexes: tuple[bytes, ...] = ()
    if messages and row.parties is not None:
        parties = row.parties()
        if parties.to_idx is not None:
            indexes = (parties.to_idx, *parties.other_idx)

    def fits(candidate: Candidate) -> bool:
        about = messages.get(candidate.message_id)
        return about is not None and about.to_idx in indexes

    best = max(
        candidates,
        key=lambda each: (
            each.id == row.reference_id,
            fits(each),
            is_open(each.status),
            each.connector == row.connector,
            each.id,
        ),
    )
    if not is_open(best.status) and best.id != row.reference_id:
        parts = [each for each in candidates if each.message_id == best.message_id]
        best = max(parts, key=lambda each: (outranks(row.status, each.status), each.id))
    if outranks(row.status, best.status):
        best.status = row.status
        return best.id
    if is_open(best.status) or is_open(row.status):
        return best.id
    if now - row.received_at < timedelta(minutes=JOIN_MINUTES):
        about = messages.get(best.message_id)
        if about is not None and indexes and about.to_idx not in indexes:
            return None
        if about is not None and about.parts_known < best.parts:
            # About a part without a row yet. Nobody else may claim the receipt: it may be a
            # repetition.
            row.parties = None
            return None
    return best.id


def _unclear(candidates: Iterable[Sequence[Candidate]]) -> list[int]:
    """The messages of ids that several submits have, or with more receipts than open submits."""
    found: set[int] = set()
    receipts = Counter(each[0].id for each in candidates if each)
    for each in candidates:
        if not each:
            continue
        messages = {candidate.message_id for candidate in each}
        open_now = sum(is_open(candidate.status) for candidate in each)
        if len(messages) > 1 or receipts[each[0].id] > open_now:
            found |= messages
    return sorted(found)


async def _candidates(
    connection: asyncpg.Connection,
    wanted: Sequence[Key],
    horizon: int,
    seen: dict[int, Candidate],
) -> Mapping[Key, list[Candidate]]:
    """One object for each submission, however often it was asked for."""
    found: dict[Key, list[Candidate]] = {}
    for record in await connection.fetch(
        _SQL["submission_match"],
        [connector for connector, _ in wanted],
        [carrier_id for _, carrier_id in wanted],
        horizon,
        Status.UNKNOWN,
        CANDIDATES_MAX,
    ):
        candidate = _candidate(record, seen)
        found.setdefault(wanted[record["position"] - 1], []).append(candidate)
    return found


async def _of_numbers(
    connection: asyncpg.Connection,
    rows: Sequence[ReceiptRow],
    keys: Sequence[Sequence[Key]],
    full: Set[Key],
    horizon: int,
    seen: dict[int, Candidate],
) -> Mapping[int, list[Candidate]]:
    """By position: the submits to the number that the receipt comes from.

    For ids with more submits than were looked at. Not where something other than the id points to
    one.
    """
    asked: list[tuple[int, int, str, bytes]] = []
    for position, (row, several) in enumerate(zip(rows, keys, strict=True)):
        if row.reference_id is not None or row.parties is None or full.isdisjoint(several):
            continue
        parties = row.parties()
        if parties.to_idx is not None:
            indexes = (parties.to_idx, *parties.other_idx)
            asked += [(position, *key, index) for key in several for index in indexes]
    found: dict[int, list[Candidate]] = {}
    if not asked:
        return found
    for record in await connection.fetch(
        _SQL["submission_match_number"],
        *zip(*asked, strict=True),
        horizon,
        Status.UNKNOWN,
        CANDIDATES_MAX,
    ):
        found.setdefault(record["position"], []).append(_candidate(record, seen))
    return found


def _candidate(record: asyncpg.Record, seen: dict[int, Candidate]) -> Candidate:
    _, identifier, message_id, owner, parts, status = record
    return seen.setdefault(
        identifier, Candidate(identifier, message_id, owner, parts, status, status)
    )


async def _about(
    connection: asyncpg.Connection, message_ids: Sequence[int]
) -> Mapping[int, AboutMessage]:
    records = await connection.fetch(_SQL["messages_matched"], message_ids)
    return {record[0]: AboutMessage(record[1], record[2]) for record in records}
