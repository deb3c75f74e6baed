"""What one step of an import changes, and what it leaves as it stands.

Owns that decision. Must not look anything up. Pure.

An import only ever adds. It never ends an opt-out, nor makes one shorter or narrower. It does not
bring back what was taken back, unless the file was written later or the request says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from dlr.reasons import Reason
from storage.categories import Category
from storage.suppression import EVERY_CATEGORY, Key, Suppression

ADDED, EXISTS = "added", "exists"
UNDONE, OPTED_IN = "undone_since", "opted_in_since"


class ImportRow(msgspec.Struct, frozen=True, gc=False):
    """A row that can be stored. `since`: when its file says that it began; None: it does not."""

    line: int
    number: str
    category: int
    reason: int
    expires_at: datetime | None = None
    since: datetime | None = None
    senders: tuple[str, ...] | None = None


class RefusedRow(msgspec.Struct, frozen=True, gc=False):
    """A row that cannot be stored, and what would be right. `shown`: its number, masked."""

    line: int
    code: str
    detail: str
    field: str | None = None
    shown: str | None = None


class Taken(msgspec.Struct, frozen=True, gc=False):
    """A row as the entry that it asks for."""

    row: ImportRow
    entry: Suppression


class Since(msgspec.Struct, frozen=True):
    """When suppressions were taken back and consents were given, by number.

    Each is a category and the latest moment. The category is None where all were meant.
    """

    undone: Mapping[bytes, Sequence[tuple[int | None, datetime]]]
    granted: Mapping[bytes, Sequence[tuple[int, datetime]]]


class Plan(msgspec.Struct):
    """A verdict for each row in order, and what is written.

    `new` is not there yet, or has expired. `instead` takes the place of entries with its keys.
    """

    verdicts: list[str | RefusedRow]
    new: dict[Key, Suppression]
    instead: dict[Key, Suppression]


def planned(
    taken: Sequence[Taken], there: Mapping[Key, Suppression], since: Since, now: datetime
) -> Plan:
    """What these rows change. `there`: the entries with their keys."""
    plan = Plan([], {}, {})
    for each in taken:
        key = each.entry.key
        stands = plan.instead.get(key) or plan.new.get(key) or there.get(key)
        if stands is not None and not in_force(stands, now):
            stands = None
        after = each.entry if stands is None else stronger(stands, each.entry)
        if after is stands:
            plan.verdicts.append(EXISTS)
            continue
        if (refused := _taken_back(each, since)) is not None:
            plan.verdicts.append(refused)
            continue
        plan.verdicts.append(ADDED)
        if key in there and stands is not None and key not in plan.new:
            since_when = after.created_at or now
            plan.instead[key] = msgspec.structs.replace(after, created_at=since_when)
        else:
            plan.new[key] = after
    return plan


def in_force(entry: Suppression, now: datetime) -> bool:
    """Whether it has not expired."""
    return entry.expires_at is None or entry.expires_at > now


def stronger(stands: Suppression, asked: Suppression) -> Suppression:
    """The entry in force, with what is asked beyond it; itself, if that is nothing.

    It keeps its evidence, unless it is no opt-out and the other is one.
    """
    opted_out = stands.reason == Reason.OPTED_OUT
    if opted_out and asked.reason != Reason.OPTED_OUT:
        return stands
    until = _later(stands.expires_at, asked.expires_at)
    senders = _wider(stands.senders, asked.senders)
    if not opted_out and asked.reason == Reason.OPTED_OUT:
        return msgspec.structs.replace(asked, expires_at=until, senders=senders)
    if until == stands.expires_at and _same(senders, stands.senders):
        return stands
    return msgspec.structs.replace(stands, expires_at=until, senders=senders)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _wider(one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    return None if one is None or other is None else sorted({*one, *other})


def _same(one: Sequence[str] | None, other: Sequence[str] | None) -> bool:
    return one is other if one is None or other is None else set(one) == set(other)


def _taken_back(each: Taken, since: Since) -> RefusedRow | None:
    row, to_idx = each.row, each.entry.to_idx
    for category, at in since.undone.get(to_idx, ()):
        concerned = category in (None, EVERY_CATEGORY, row.category)
        concerned = concerned or row.category == EVERY_CATEGORY
        if concerned and (row.since is None or row.since <= at):
            return _refused(row, UNDONE, f"it was taken back here on {_day(at)}")
    if row.since is not None and row.reason == Reason.OPTED_OUT:
        for category, at in since.granted.get(to_idx, ()):
            if row.category in (category, EVERY_CATEGORY) and row.since < at:
                label = Category(category).label
                said = f"the person consented to {label} on {_day(at)}"
                return _refused(row, OPTED_IN, said)
    return None


def _refused(row: ImportRow, code: str, said: str) -> RefusedRow:
    right = "give a later created_at if it holds all the same, or ask with taken_back=add"
    return RefusedRow(row.line, code, f"{said}; {right}", "created_at")


def _day(at: datetime) -> str:
    return at.date().isoformat()
