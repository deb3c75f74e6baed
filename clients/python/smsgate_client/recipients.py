"""Owns what the gateway knows of recipients, as values: consents, suppressions, what they said.

Numbers are masked unless revealed. Must not say how one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from smsgate_client.answers import ItemError
from smsgate_client.shapes import named
from smsgate_client.words import (
    Category,
    ComplaintSource,
    ConsentAction,
    ConsentChannel,
    EvidenceKind,
    EvidenceState,
    NumberVerdict,
    Reason,
    ReplyClass,
)


@dataclass(frozen=True, kw_only=True)
class InboundMessage:
    """A message from a handset; `answers` is the id of the one that it answers."""

    id: str
    sender: str | None = field(metadata=named("from"))
    sender_unreadable: bool = field(default=False, metadata=named("from_unreadable"))
    erased: bool = False
    to: str
    text: str | None
    text_discarded: bool = False
    parts: int
    parts_missing: int
    keyword: str | None
    kind: ReplyClass | None = field(metadata=named("class"))
    keyword_name: str | None
    rating: int | None
    answers: str | None
    connector: str | None
    unclear: str | None
    read_as: str | None = None
    received_at: datetime
    object: str = "inbound_message"


@dataclass(frozen=True, kw_only=True)
class Suppression:
    """A number that gets nothing: of one category, or of each. `senders`: only of these."""

    number: str | None
    number_unreadable: bool = False
    category: str
    every_account: bool
    reason: str
    source: str
    detail: str | None
    senders: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SuppressionItem:
    """One number of several: `added`, `existing`, or an error."""

    index: int
    status: str | None = None
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class AddedSuppressions:
    """What became of each number."""

    added: int
    existing: int
    rejected: int
    items: tuple[SuppressionItem, ...]


@dataclass(frozen=True, kw_only=True)
class RemovedSuppressions:
    """How many entries were removed, and how many opt-outs stay: the key may not end them."""

    removed: int
    opt_outs_kept: int = 0


@dataclass(frozen=True, kw_only=True)
class SuppressionImport:
    """How far an imported file is. `detail` says why it was interrupted."""

    id: str
    state: str
    detail: str | None
    format: str
    dry_run: bool
    rows: int
    added: int
    existing: int
    refused: int
    refused_by: Mapping[str, int]
    columns_ignored: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Consent:
    """An entry of the consent ledger."""

    id: str
    to: str | None
    to_unreadable: bool = False
    category: Category
    action: ConsentAction
    source: str
    purpose: str | None
    channel: ConsentChannel | None
    text_version: str | None
    operator: str | None
    address: str | None
    evidence: str | None
    incentive: str | None
    missing: tuple[str, ...] = ()
    at: datetime
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True)
class Complaint:
    """A complaint, and the message it is about. `suppressed` is what ended for the number."""

    id: str
    complaint_id: str
    to: str | None
    to_unreadable: bool = False
    erased: bool = False
    source: ComplaintSource
    source_name: str | None
    text: str | None
    message: str | None
    connector: str | None
    sender: str | None
    category: Category | None
    campaign: str | None
    suppressed: str | None
    at: datetime
    recorded_at: datetime
    object: str = "complaint"


@dataclass(frozen=True, kw_only=True)
class ProvenReply:
    """A reply that opted out or in, and what it answered while that is kept."""

    id: str
    keyword: str
    to: str
    text: str | None
    answers: str | None
    answered_text: str | None
    received_at: datetime


@dataclass(frozen=True, kw_only=True)
class ProvenComplaint:
    """A complaint of the person."""

    id: str
    source: str
    source_name: str | None
    text: str | None
    message: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class ProvenChange:
    """A change of the suppression list: who did what, when."""

    actor: str
    action: str
    category: str | None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What is on record of one number, the latest first; `complete` says whether that is all."""

    to: str | None
    as_of: datetime
    complete: bool
    consents: tuple[Consent, ...]
    replies: tuple[ProvenReply, ...]
    complaints: tuple[ProvenComplaint, ...]
    changes: tuple[ProvenChange, ...]
    suppressions: tuple[Suppression, ...]


@dataclass(frozen=True, kw_only=True)
class EvidenceDay:
    """What carriers said of a number on one day. `waits` and `undone` do not count."""

    day: date
    kind: EvidenceKind
    state: EvidenceState
    reason: Reason | None
    connector: str | None
    carrier_code: str | None


@dataclass(frozen=True, kw_only=True)
class ValidatedNumber:
    """What to think of a number, by the numbering plan and the account's own history."""

    index: int
    number: str
    verdict: NumberVerdict
    fault: str | None
    country: str | None
    type: str | None
    operator: str | None
    suppressed: Reason | None
    validity: float | None
    recycled: bool
    delivered_days: int
    failed_days: int
    last_delivered_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class ValidatedNumbers:
    """Each number in the order it was asked for, and how many have each verdict."""

    verdicts: Mapping[str, int]
    numbers: tuple[ValidatedNumber, ...]


@dataclass(frozen=True, kw_only=True)
class Number:
    """How a number fares; `complete` says whether all its messages were counted."""

    number: str
    valid: bool
    fault: str | None
    country: str | None
    type: str | None
    messages: int
    complete: bool
    delivered: int
    failed: int
    last_sent_at: datetime | None
    last_delivered_at: datetime | None
    last_failure: Reason | None
    last_opted_out_at: datetime | None
    validity: float
    recycled: bool
    delivered_days: int
    evidence: tuple[EvidenceDay, ...]
    suppressions: tuple[Suppression, ...]
