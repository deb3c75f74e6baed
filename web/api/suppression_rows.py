"""The rows of a file of suppressions: which fields they have, and what is right in them.

Owns the type of a row and its check. Must not read octets (web/edge/file_rows.py), nor store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from dlr.reasons import Reason
from messages.accept.senders import sender_fault
from messages.models import FieldError
from recipients.files.import_plan import ImportRow, RefusedRow
from recipients.numbers.plan import NumberPlan
from storage.categories import Category
from storage.crypto import mask
from storage.suppression import EVERY_CATEGORY
from web.api.suppressions import E164, CategoryOrAll, ReasonLabel
from web.edge.file_rows import FileRow
from web.edge.parameters import MOMENTS, YEAR_MAX

SENDERS_MAX = 100
LISTS: Mapping[str, str] = MappingProxyType({"senders": "|"})  # in a cell; no sender has a |
PASSED_OVER = frozenset({"source", "detail", "every_account", "number_unreadable"})

_REASONS = {reason.label: int(reason) for reason in Reason}
_DIALLED = re.compile(r"[+0-9 ().\-/]{5,40}", re.ASCII)


class SuppressionRow(msgspec.Struct, forbid_unknown_fields=True):
    """One row. `category` and `reason` are the request's where they are absent or empty.

    `created_at`: since when it holds, as the sender of the file knows it. Fields that an export has
    besides are known and not stored.
    """

    number: E164
    category: CategoryOrAll | None = None
    reason: ReasonLabel | None = None
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None
    created_at: Annotated[datetime, Meta(tz=True)] | None = None
    senders: Annotated[list[str], Meta(min_length=1, max_length=SENDERS_MAX)] | None = None
    source: object = None
    detail: object = None
    every_account: object = None
    number_unreadable: object = UNSET


_FIELDS = SuppressionRow.__struct_encode_fields__
_UNKNOWN = f"the row has a field besides {', '.join(_FIELDS)}"


class RowCheck:
    """Checks rows. `category` and `reason` hold where a row names none."""

    def __init__(
        self, category: str, reason: str, numbers: NumberPlan, wall_ms: Callable[[], int]
    ) -> None:
        self._category = category
        self._reason = reason
        self._numbers = numbers
        self._wall_ms = wall_ms

    def checked(self, found: FileRow[SuppressionRow]) -> ImportRow | RefusedRow:
        """The row as it is to be stored, or its first mistake."""
        row = found.row
        faults = list(found.faults)
        if row is not None and not _spoiled(faults, "number"):
            said = self._numbers.fault(row.number)
            if said is not None:
                faults.append(FieldError("number_invalid", f"number {said}", "/number"))
        if row is not None and not faults:
            faults += self._moments(row)
            faults += _senders(row.senders)
        if row is None or faults:
            return _refused(found.line, faults, row)
        return ImportRow(
            found.line,
            row.number,
            category_of(row.category or self._category),
            _REASONS[row.reason or self._reason],
            row.expires_at,
            row.created_at,
            None if row.senders is None else tuple(dict.fromkeys(row.senders)),
        )

    def _moments(self, row: SuppressionRow) -> Sequence[FieldError]:
        if row.expires_at is None and row.created_at is None:
            return ()
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        faults: list[FieldError] = []
        if row.expires_at is not None and not now < row.expires_at < MOMENTS[1]:
            detail = f"expires_at is past, or after {YEAR_MAX}"
            faults.append(FieldError("out_of_range", detail, "/expires_at"))
        if row.created_at is not None and not MOMENTS[0] <= row.created_at <= now:
            detail = f"created_at is before {MOMENTS[0].year}, or in the future"
            faults.append(FieldError("out_of_range", detail, "/created_at"))
        return faults


def category_of(label: str) -> int:
    """The category as the table has it."""
    return EVERY_CATEGORY if label == "all" else int(Category.of(label))


def _senders(senders: Sequence[str] | None) -> Sequence[FieldError]:
    for sender in senders or ():
        if (said := sender_fault(sender)) is not None:
            return [FieldError("sender_invalid", said, "/senders")]
    return ()


def _spoiled(faults: Sequence[FieldError], field: str) -> bool:
    return any(_field(fault) == field for fault in faults)


def _refused(line: int, faults: Sequence[FieldError], row: SuppressionRow | None) -> RefusedRow:
    first = faults[0]
    number = "" if row is None else row.number
    shown = mask(number) if _DIALLED.fullmatch(number) else None
    field = _field(first)
    if field is not None and field not in _FIELDS:  # perhaps a number, and verdicts are kept
        return RefusedRow(line, first.code, _UNKNOWN, None, shown)
    return RefusedRow(line, first.code, first.detail, field, shown)


def _field(fault: FieldError) -> str | None:
    """The field that a fault is of; None: the row as a whole."""
    return (fault.pointer or "").partition("/")[2].partition("/")[0] or None
