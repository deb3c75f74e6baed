"""What a carrier's verdict says about the number it was about.

Owns that reading: which kind of evidence a verdict is, if any. Must not look at counts or history
(`dlr/hygiene/policy.py` does), and must not store anything. Pure.

Texting a dead number costs a fee. Dropping a living customer costs the customer. So a verdict about
us, our sender, our text or the carrier's network says nothing about the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

import msgspec

from dlr.codes import CodeClass, Codes, CodesOfConnectors
from dlr.ledger import AppliedReceipt, SubmissionRow
from dlr.reasons import REASONS, Reason
from dlr.status import Status
from storage.names import SANDBOX


class Kind(StrEnum):
    """The letter is stored in `number_evidence.kind`.

    - DELIVERED: a handset took it.
    - TEMPORARY: a later message may arrive.
    - AMBIGUOUS: living numbers get this verdict, too.
    - PRUNE: nobody has the number.
    """

    DELIVERED = "d"
    TEMPORARY = "t"
    AMBIGUOUS = "s"
    PRUNE = "p"


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What a carrier said of one submit, by a receipt or by refusing it, when it changed a status.

    `at`: when it reached us.
    """

    message_id: int
    account: int
    connector: int
    kind: Kind
    reason: int
    error: str | None
    at: datetime


_REFUSED = (Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED)


def kind_of(status: int, error: str | None, codes: Codes) -> Kind | None:
    """The evidence in a status with the carrier's code; None where there is none.

    An expiry speaks through its code alone, which may be left over from an earlier attempt. So a
    code that prunes is ambiguous there. `undelivered` without a known code is ambiguous.
    """
    if status == Status.DELIVERED:
        return Kind.DELIVERED
    if status not in _REFUSED:
        return None
    if codes.proves_dead(status, error):
        return Kind.PRUNE
    found = codes.find(error) if error else None
    if found is None:
        return Kind.AMBIGUOUS if status == Status.UNDELIVERED else None
    if found.code_class in (CodeClass.PRUNE, CodeClass.AMBIGUOUS):
        return Kind.AMBIGUOUS
    if found.code_class is CodeClass.RETRY:
        return Kind.TEMPORARY if REASONS[found.reason].party == "recipient" else None
    # Of what would fail again, only a number that a carrier does not accept is about the number.
    return Kind.AMBIGUOUS if found.reason is Reason.NUMBER_INVALID else None


def against(
    rows: Iterable[SubmissionRow], applied: Iterable[AppliedReceipt], codes: CodesOfConnectors
) -> list[Verdict]:
    """What speaks against numbers in new results and in receipts.

    A receipt that changed nothing says nothing. A duplicate has been counted, and what ranks below
    what is known contradicts it. So does one whose word for the state is unknown, and what the
    sandbox made up.
    """
    return [*_of_rows(rows, codes), *_of_receipts(applied, codes)]


def _of_rows(rows: Iterable[SubmissionRow], codes: CodesOfConnectors) -> Iterator[Verdict]:
    for row in rows:
        if row.status not in _REFUSED or row.connector == SANDBOX:
            continue
        kind = kind_of(row.status, row.error, codes.of(row.connector))
        at = row.receipt_at or row.responded_at
        if kind is not None and at is not None:
            yield Verdict(
                row.message_id, row.account, row.connector, kind, row.reason, row.error, at
            )


def _of_receipts(applied: Iterable[AppliedReceipt], codes: CodesOfConnectors) -> Iterator[Verdict]:
    for receipt in applied:
        row = receipt.row
        if (
            not receipt.changed
            or receipt.message_id is None
            or row.status not in _REFUSED
            or row.unknown_state is not None
            or row.connector == SANDBOX
        ):
            continue
        kind = kind_of(row.status, row.error, codes.of(row.connector))
        if kind is not None:
            yield Verdict(
                receipt.message_id,
                receipt.account,
                row.connector,
                kind,
                row.reason,
                row.error,
                row.received_at,
            )
