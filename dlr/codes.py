"""What carriers' error codes mean: the tables of smsgate, and which of them hold for a connector.

Owns the tables (`dlr/code_tables/*.csv`) and the look-up. Must not decide what is done about a
code: retries are `dispatch/answers/error_policy.py`, suppression is `dlr/hygiene`.

A bare number means something only to a connector that names its table. To one carrier 1 is an
unknown subscriber, to another a handset that is off. Words (`MK:0001`, `ESME_RINVDSTADR`) mean the
same everywhere. An unknown code is kept as it came, with the reason of its status.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

import msgspec

from dlr.reasons import Reason, reason_from_label
from dlr.status import Status

CodeTableName = Literal["none", "map", "smpp", "unicom", "telecom", "twilio", "infobip", "8x8"]

FOLDER: Final = Path(__file__).parent / "code_tables"
EVERYWHERE: Final = ("command_status", "china")  # tables of words
SHIPPED: Final = (*EVERYWHERE, *(name for name in get_args(CodeTableName) if name != "none"))
PRUNE_SURE_MIN, SURE_MAX = 2, 3


class CodeClass(Enum):
    """What follows for the next message to the number.

    - PERMANENT: the same would fail again.
    - RETRY: a later one may arrive.
    - AMBIGUOUS: living numbers get this code, too.
    - PRUNE: nobody has the number.
    """

    PERMANENT = "P"
    RETRY = "R"
    AMBIGUOUS = "A"
    PRUNE = "X"


class Code(msgspec.Struct, frozen=True):
    """One row. `sure`: 3 by a specification or the carrier's own page, 2 by two public tables that
    agree.

    1 by one table, or by tables that differ.
    """

    code: str
    reason: Reason
    code_class: CodeClass
    sure: int
    source: str


_OF_STATUS: Mapping[Status, Reason] = MappingProxyType(
    {
        Status.UNKNOWN: Reason.UNKNOWN,
        Status.UNCONFIRMED: Reason.UNKNOWN,
        Status.EXPIRED: Reason.EXPIRED,
        Status.REJECTED: Reason.CARRIER_REJECTED,
        Status.UNDELIVERED: Reason.UNKNOWN,
        Status.FAILED: Reason.INTERNAL,
        Status.SUPPRESSED: Reason.UNKNOWN,
    }
)
_EXPLAINED = frozenset({Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED, Status.FAILED})
# What another carrier may not suffer from. Whose subscription is suspended, is so everywhere.
_ELSEWHERE = frozenset(
    {
        Reason.THROTTLED,
        Reason.ROUTE_UNAVAILABLE,
        Reason.HANDSET_UNREACHABLE,
        Reason.HANDSET_FULL,
        Reason.EXPIRED,
    }
)
# An expired message can carry a code left over from an earlier attempt. Only these two are the
# carrier's verdict.
_VERDICTS = frozenset({Status.REJECTED, Status.UNDELIVERED})


class Codes:
    """What codes mean on one connector."""

    def __init__(
        self, table: CodeTableName = "none", own: Mapping[str, Reason] | None = None
    ) -> None:
        """`own`: the operator's meanings of this carrier's codes, which win over the tables.

        Raises ValueError for a code with two meanings.
        """
        self.table = table
        self.own = _own(own or {})
        self._codes = {**_table(table), **self.own}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Codes) and (self.table, self.own) == (other.table, other.own)

    def __hash__(self) -> int:
        return hash((self.table, frozenset(self.own)))

    def find(self, error: str) -> Code | None:
        """The row of a code as a carrier wrote it; None for an unknown one."""
        return self._codes.get(canonical_code(error))

    def reason(self, status: Status, error: str | None) -> Reason:
        """Why a part has this status.

        `error` is the carrier's code: `err:` of the receipt, a command_status name, a word. Unknown
        codes give the status's own reason. Only a verdict (rejected, undelivered) says that nobody
        has the number.
        """
        if status is Status.DELIVERED:
            return Reason.NONE  # nearly every one
        plain = _OF_STATUS.get(status, Reason.NONE)
        if not error or status not in _EXPLAINED:
            return plain
        found = self.find(error)
        if found is None or (found.code_class is CodeClass.PRUNE and status not in _VERDICTS):
            return plain
        return found.reason

    def another_way(self, status: int, error: str | None) -> bool:
        """Whether such a failure may be none over another connector.

        The class of the code decides. Without a known code only an expiry is such a one.
        """
        found = self.find(error) if error else None
        if found is None:
            return status == Status.EXPIRED
        return found.code_class is CodeClass.RETRY and found.reason in _ELSEWHERE

    def proves_dead(self, status: int, error: str | None) -> bool:
        """Whether such a verdict is proof that nobody has the number."""
        if not error or status not in _VERDICTS:
            return False
        found = self.find(error)
        return found is not None and found.code_class is CodeClass.PRUNE


def canonical_code(error: str) -> str:
    """One spelling per code: upper case, numbers with three digits (`1`, `01`, `0001` are `001`;
    E26).
    """
    code = error.strip().upper()
    if code.isascii() and code.isdigit() and len(code) <= 10:
        return f"{int(code):03d}"
    return code


def _own(said: Mapping[str, Reason]) -> dict[str, Code]:
    """The operator's meanings count as sure: a number that nobody has is given up."""
    codes: dict[str, Code] = {}
    for written, reason in said.items():
        code = canonical_code(written)
        if code in codes and codes[code].reason is not reason:
            raise ValueError(f"{written} means two things: case and zeros make no difference")
        codes[code] = Code(code, reason, _class_of(reason), SURE_MAX, "the configuration")
    return codes


def _class_of(reason: Reason) -> CodeClass:
    if reason is Reason.NUMBER_UNKNOWN:
        return CodeClass.PRUNE
    return CodeClass.PERMANENT if reason.permanent else CodeClass.RETRY


@cache  # one entry a shipped table
def _table(name: CodeTableName) -> Mapping[str, Code]:
    names = EVERYWHERE if name == "none" else (*EVERYWHERE, name)
    return MappingProxyType({code.code: code for each in names for code in rows(each)})


def rows(table: str) -> list[Code]:
    """The rows of a shipped table. Raises ValueError for a row that says more than it knows."""
    with (FOLDER / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return [row_of(row) for row in csv.DictReader(file)]


def row_of(columns: Mapping[str, str]) -> Code:
    """A row of a table. Raises ValueError where fewer than two tables say that a code prunes."""
    row = Code(
        columns["code"],
        reason_from_label(columns["reason"]),
        CodeClass(columns["class"]),
        int(columns["sure"]),
        columns["source"],
    )
    if row.code_class is CodeClass.PRUNE and row.sure < PRUNE_SURE_MIN:
        raise ValueError(f"{row.code} would prune on the word of one table")
    return row


WORDS_ONLY: Final = Codes()


class CodesOfConnectors:
    """Made of (connector, its codes). A connector that is not named has the tables of words."""

    def __init__(self, members: Iterable[tuple[int, Codes]] = ()) -> None:
        self._codes = dict(members)

    def of(self, connector: int) -> Codes:
        """What codes mean on this connector."""
        return self._codes.get(connector, WORDS_ONLY)


NONE_NAMED: Final = CodesOfConnectors()
