"""The look through the audit chain: is each row as it was written, and in its place?

Owns what counts as a fault, and where it is. Must not change anything. It reads one state of the
database in slices, so its memory does not grow with the chain.

A chain that somebody rewrote from some row up to its end is whole again. So is one whose end was
cut off together with the head. Both are found only by anchors that were kept elsewhere. Its
beginning may be missing where the newest row CUT says so, and nowhere else.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import Sequence
from typing import Literal

import asyncpg
import msgspec

from storage import sql
from storage.audit import CUT
from storage.audit_anchor import Anchor
from storage.audit_chain import START, Said, commitment, linked, moment
from storage.pool import Connection

_SQL = sql.load("storage")
ROWS_PER_SLICE = 2_000
FAULTS_SHOWN_MAX = 20

FaultKind = Literal[
    "missing",  # no row has this place in the chain
    "changed",  # its hash does not fit to what it says, behind the row before it
    "uncommitted",  # its subject or text is not the one that was committed to
    "outside",  # it stands before the chain begins
    "cut",  # the chain begins elsewhere than the newest row CUT says
    "end",  # the chain does not end where its head says
    "anchor",  # the row of an anchor has another hash, or is gone
    "anchor_unproved",  # an anchor that none of our keys signed
]


class Fault(msgspec.Struct, frozen=True):
    """One fault, at a place in the chain. `until`: the last place of several that are missing."""

    kind: FaultKind
    seq: int
    id: int | None = None
    until: int | None = None


class Cut(msgspec.Struct, frozen=True):
    """The beginning up to `last`, from before the moment `until`, is gone. The row at `said_by`
    says so.
    """

    last: int
    hash: str
    until: str
    said_by: int


class Verdict(msgspec.Struct, kw_only=True):
    """What a look through the chain has found. `faults`: the first ones, of `faults_total`.

    The chain holds `rows` rows in the places `first` to `last`; `hash` is its end in hexadecimal.
    `unlinked` rows of the release before are not in it yet. `erased` rows lost subject and text.
    `cut`: what the newest row CUT says. `anchors_cut` of `anchors` are about rows that it took.
    """

    rows: int = 0
    first: int = 0
    last: int = 0
    hash: str = ""
    erased: int = 0
    unlinked: int = 0
    anchors: int = 0
    anchors_cut: int = 0
    cut: Cut | None = None
    faults: list[Fault] = msgspec.field(default_factory=list)
    faults_total: int = 0

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return self.faults_total == 0


class Checker:
    """Is told one row after the other. Pure."""

    def __init__(self, cut_seq: int, cut_hash: bytes, anchors: Sequence[Anchor]) -> None:
        """The chain begins behind `cut_seq`, whose row had `cut_hash`."""
        self.verdict = Verdict(first=cut_seq + 1, last=cut_seq, anchors=len(anchors))
        self._before = self._cut_hash = cut_hash
        self._anchors: dict[int, bytes] = {}
        for anchor in anchors:
            if (
                not anchor.proved
                or self._anchors.setdefault(anchor.seq, anchor.hash) != anchor.hash
            ):
                self._fault(Fault("anchor_unproved", anchor.seq))
        gone = [seq for seq in self._anchors if seq < cut_seq]
        self.verdict.anchors_cut = len(gone)
        for seq in gone:
            del self._anchors[seq]
        self._cut_seq = cut_seq
        self._anchored(cut_seq, cut_hash, None)

    def row(self, row: asyncpg.Record) -> None:
        """The row with the next higher seq."""
        verdict, seq, identifier = self.verdict, row["seq"], row["id"]
        if seq <= self._cut_seq:
            self._fault(Fault("outside", seq, identifier))
            return
        if seq != verdict.last + 1:
            self._fault(Fault("missing", verdict.last + 1, until=seq - 1))
        said = Said(
            id=identifier,
            at=moment(identifier),
            account=row["account"],
            actor=row["actor"],
            action=row["action"],
            detail=row["detail"],
            subject_hash=row["subject_hash"],
            text_hash=row["text_hash"],
        )
        if linked(self._before, seq, said) != row["hash"]:
            self._fault(Fault("changed", seq, identifier))
        if not _as_committed(row):
            self._fault(Fault("uncommitted", seq, identifier))
        if row["salt"] is None and (said.subject_hash or said.text_hash):
            verdict.erased += 1
        self._anchored(seq, row["hash"], identifier)
        if said.action == CUT:
            with contextlib.suppress(msgspec.ValidationError):  # then it was changed
                verdict.cut = msgspec.convert({**said.detail, "said_by": seq}, Cut)
        # The stored hash goes on, so that one changed row is one fault.
        self._before, verdict.last = row["hash"], seq
        verdict.rows += 1

    def end(self, head_seq: int, head_hash: bytes) -> Verdict:
        """The verdict, behind the last row."""
        cut = self.verdict.cut
        begins = (0, START.hex()) if cut is None else (cut.last, cut.hash)
        if begins != (self._cut_seq, self._cut_hash.hex()):
            self._fault(Fault("cut", self._cut_seq))
        if (head_seq, head_hash) != (self.verdict.last, self._before):
            self._fault(Fault("end", self.verdict.last + 1))
        for seq in sorted(self._anchors):
            self._fault(Fault("anchor", seq))
        self.verdict.hash = self._before.hex()
        return self.verdict

    def _anchored(self, seq: int, octets: bytes, identifier: int | None) -> None:
        anchor = self._anchors.pop(seq, None)
        if anchor is not None and not hmac.compare_digest(anchor, octets):
            self._fault(Fault("anchor", seq, identifier))

    def _fault(self, fault: Fault) -> None:
        self.verdict.faults_total += 1
        if len(self.verdict.faults) < FAULTS_SHOWN_MAX:
            self.verdict.faults.append(fault)


async def verify(connection: Connection, anchors: Sequence[Anchor] = ()) -> Verdict:
    """Look through the whole chain, at about 100 000 rows a second."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = await connection.fetchrow(_SQL["audit_head"])
        assert head is not None  # made by its migration
        checker = Checker(head["cut_seq"], head["cut_hash"], anchors)
        rows = connection.cursor(_SQL["audit_rows"], prefetch=ROWS_PER_SLICE)
        async for row in rows:
            checker.row(row)
        verdict = checker.end(head["seq"], head["hash"])
        verdict.unlinked = await connection.fetchval(_SQL["audit_unlinked"])
    return verdict


def _as_committed(row: asyncpg.Record) -> bool:
    """Whether what can be erased is what was committed to, or was erased altogether."""
    salt, subject, text = row["salt"], row["subject"], row["text"]
    if salt is None:
        return subject is None and text is None
    wanted = (
        None if subject is None else commitment(b"s", salt, subject),
        None if text is None else commitment(b"t", salt, text.encode()),
    )
    return wanted == (row["subject_hash"], row["text_hash"])
