"""Owns what the gateway answers, as values. Times have a zone; numbers are masked unless revealed.

`to_unreadable` and its like: the number is encrypted with a key that the gateway lacks now.
Must not say how one is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from smsgate_client.shapes import named
from smsgate_client.words import (
    Category,
    EventKind,
    Reason,
    Status,
)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake in a request: its code, and the place by a JSON pointer or a parameter. Of an
    expression `column` counts characters from 1.
    """

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    column: int | None = None


@dataclass(frozen=True, kw_only=True)
class ItemError:
    """Why one item of several was refused."""

    code: str
    detail: str
    errors: tuple[Fault, ...]


@dataclass(frozen=True, kw_only=True)
class SentMessage:
    """A message as it was taken; `text` has its short links, `deduplicated` had its client_ref."""

    id: str
    status: Status
    to: str | None
    sender: str = field(metadata=named("from"))
    category: Category
    parts: int
    encoding: str
    text: str | None
    reason: Reason | None = None
    held_until: datetime | None = None
    client_ref: str | None = None
    deduplicated: bool = False
    sandbox: bool = False
    to_unreadable: bool = False
    text_discarded: bool = False
    erased: bool = False


@dataclass(frozen=True, kw_only=True)
class BatchItem:
    """One message of a batch, by its place in the request: taken, or refused with an error."""

    index: int
    id: str | None = None
    status: Status | None = None
    reason: Reason | None = None
    held_until: datetime | None = None
    deduplicated: bool = False
    sandbox: bool = False
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class SentBatch:
    """What became of each message of a batch."""

    batch_id: str
    accepted: int
    rejected: int
    deduplicated: int
    suppressed: int
    items: tuple[BatchItem, ...]


@dataclass(frozen=True, kw_only=True)
class NamedCallback:
    """Where else the changes of a message are told, as it was asked for."""

    url: str
    events: tuple[str, ...]
    data: object


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as it stands."""

    id: str
    to: str | None
    to_unreadable: bool = False
    erased: bool = False
    sender: str = field(metadata=named("from"))
    text: str | None
    text_discarded: bool = False
    category: Category
    status: Status
    final: bool
    reason: Reason | None
    held_until: datetime | None
    error: str | None
    detail: str | None
    parts: int
    parts_delivered: int
    encoding: str
    connector: str | None
    sandbox: bool
    client_ref: str | None
    batch_id: str | None
    campaign_id: str | None
    variant: str | None
    tags: tuple[str, ...]
    callback: NamedCallback | None = None
    created_at: datetime
    updated_at: datetime | None
    send_at: datetime | None
    expires_at: datetime | None
    object: str = "message"


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened to a message; `kind` is an end's status where it has no name of its own."""

    at: datetime
    kind: EventKind
    detail: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class CanceledMessage:
    """A message that is certainly not sent. `replaced_by`: the one that went in its place after its
    campaign was edited, which is canceled, too.
    """

    id: str
    status: Status
    object: str = "message"
    replaced_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class LinkLeftAlone:
    """A link that stays text, and why."""

    code: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Route:
    """Which connector would be taken, why, and which ones after it."""

    connector: str | None
    reason: str
    then: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What a rule would do with a message."""

    rule: str
    status: Status
    reason: Reason | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class PreviewedMessage:
    """What would become of a message, without sending it."""

    status: Status
    to: str
    sender: str = field(metadata=named("from"))
    category: Category
    text: str
    encoding: str
    parts: int
    characters: int
    characters_remaining: int
    ucs2_characters: tuple[str, ...]
    links: tuple[str, ...]
    links_left_alone: tuple[LinkLeftAlone, ...]
    route: Route
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, kw_only=True)
class PreviewItem:
    """One previewed message, or why it would be refused."""

    index: int
    message: PreviewedMessage | None = None
    error: ItemError | None = None


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What would become of each message, and when the last would go; None: nobody knows."""

    items: tuple[PreviewItem, ...]
    expected_finish_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ChangedBatch:
    """A batch after a change; `in_flight` can no longer be stopped."""

    id: str
    state: str
    rate: str | None
    in_flight: int
    object: str = "batch"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch as it stands, and how many of its messages stand where."""

    id: str
    state: str
    rate: str | None
    in_flight: int
    created_at: datetime
    changed_at: datetime | None
    counts: Mapping[str, int]
    object: str = "batch"
    campaign: str | None = None
    expected_finish_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ConnectorState:
    """A connection to a carrier, as every account may know it."""

    name: str
    kind: str
    up: bool


@dataclass(frozen=True, kw_only=True)
class Connector(ConnectorState):
    """The operator's view of it; asked for with the scope `connectors:read`, too."""

    reason: str | None
    binds: int
    binds_up: int
    window: int
    in_flight: int
    queued: int
    rate: str | None
    rate_max: str | None = None
    paused: bool = False
    withheld: tuple[str, ...] = ()
    code_table: str = "none"
    codes: Mapping[str, str] = field(default_factory=dict)
    keep_raw: str = "unclear"
    receipt_states: Mapping[str, str] = field(default_factory=dict)
    receipts_per: str = "part"
    receipt_time_zone: str = "UTC"
    receipt_states_unknown: Mapping[str, int] = field(default_factory=dict)
    bind: str = "transceiver"
    hints: tuple[str, ...] = ()
