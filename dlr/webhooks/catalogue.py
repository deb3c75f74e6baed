"""Every type of event: what it tells, and the type of its `data`.

Owns this table, from which the API's document and docs/meanings.md are made. Where the events of a
type are made, their data has these fields. Pure. Must not make an event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dlr.status import STATUSES
from dlr.webhooks.events import BATCH, TELLABLE, TEST, MessageData, type_of

Moment = Annotated[str, Meta(description="RFC 3339, in UTC, to the microsecond.")]
Number = Annotated[
    str | None,
    Meta(
        description="Masked unless the endpoint has `numbers: full`; null: it cannot be read.",
        examples=["+86138****5678"],
    ),
]


class InboundData(msgspec.Struct, kw_only=True):
    """A message from a handset. `answers`: the message that it most likely answers."""

    sender: Number = msgspec.field(name="from")
    id: str
    to: str
    text: str
    parts: int
    parts_missing: int
    answers: str | None
    opt_out: bool
    received_at: Moment


class RecipientData(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A number that may not, or may again, be texted. `evidence`: the message that says so."""

    number: Number
    scope: Literal["account", "all"]
    category: Annotated[str, Meta(description="`otp`, `transactional` … or `all`.")]
    source: Literal["receipt", "keyword", "page", "api"]
    evidence: str | None
    reason: Annotated[str | None, Meta(description="Of one that was pruned.")] = None


class ClickData(msgspec.Struct, kw_only=True):
    """One click on a short link of a message. A click that is classified anew has the next
    `revision`.
    """

    message_id: str
    link: Annotated[int, Meta(description="Which of the message's links, from 0 on.")]
    click_class: Annotated[str, Meta(description="By whom, as the timeline says it.")] = (
        msgspec.field(name="class")
    )
    reasons: Sequence[str]
    human: bool
    revision: int


class ConversionData(msgspec.Struct, kw_only=True):
    """What a link led to, as the account's site told it. `click`: the one that counts."""

    id: Annotated[str, Meta(description="The site's own.")]
    conversion_id: str
    event: str
    value: Annotated[str | None, Meta(description="A decimal of `currency`.")]
    currency: str | None
    occurred_at: Moment
    message_id: Annotated[str | None, Meta(description="null: the link belongs to no message.")]
    link: Annotated[int | None, Meta(description="Which of the message's links, from 0 on.")]
    click: str | None
    attribution: Literal["last_click", "first_click", "none"]


class BatchData(msgspec.Struct, kw_only=True):
    """A batch as it stands since then."""

    id: str
    state: str
    rate: str | None
    in_flight: int
    reason: str


class EndedBatchData(msgspec.Struct, kw_only=True):
    """A batch of which nothing waits. `counts`: its messages by outcome."""

    id: str
    counts: dict[str, int]


class ConnectorData(msgspec.Struct, kw_only=True):
    """A connector of the gateway, told to every account that asks."""

    connector: str


class BreakerData(msgspec.Struct, kw_only=True):
    """A breaker. Of connectors and operators told to every account that asks."""

    scope: Literal["connector", "operator", "batch", "campaign", "sender"]
    subject: str
    state: Literal["closed", "open", "half_open", "forced_open", "forced_closed"]
    reason: str
    until: Annotated[
        Moment | None, Meta(description="When the next state begins by itself; null: by probes.")
    ]


class AnomalyData(msgspec.Struct, kw_only=True):
    """Something is unlike other days. Of connectors and operators, which all accounts share, only
    where and what.
    """

    detector: Literal["drop", "silence", "latency", "surge", "reason", "complaints"]
    scope: Literal["connector", "operator", "campaign", "sender"]
    subject: str
    about: Annotated[
        str | None, Meta(description="The reason that rises; `answer` or `receipt` of a latency.")
    ]
    began_at: Moment
    observed: float | None
    usual: float | None


class EndpointData(msgspec.Struct, kw_only=True):
    """An endpoint of the account, told to its other ones. `since`: of the state before."""

    endpoint: str
    reason: str
    since: Moment


class TestData(msgspec.Struct, kw_only=True):
    """The endpoint that is tested."""

    __test__ = False

    endpoint: str


class ToldEvent(msgspec.Struct, kw_only=True):
    """One event of a batch, whole, with its own id."""

    id: Annotated[str, Meta(description="The `webhook-id` that it would have alone.")]
    type: str
    timestamp: Moment
    data: object


class BatchedData(msgspec.Struct, kw_only=True):
    """Events in the order they came."""

    events: Sequence[ToldEvent]


class EventKind(msgspec.Struct, frozen=True):
    """`data` None: nothing tells it yet. `meaning` is a sentence."""

    meaning: str
    data: type[msgspec.Struct] | None = None


def _of_messages() -> dict[str, EventKind]:
    return {
        type_of(status): EventKind(f"A message is `{status.label}`: {_small(STATUSES[status].doc)}")
        for status in TELLABLE
    }


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


EVENT_KINDS: Mapping[str, EventKind] = MappingProxyType(
    {
        **{
            name: msgspec.structs.replace(kind, data=MessageData)
            for name, kind in _of_messages().items()
        },
        "message.received": EventKind("A handset wrote to the account.", InboundData),
        "recipient.opted_out": EventKind("A person does not want to be texted.", RecipientData),
        "recipient.opted_in": EventKind("A person wants to be texted again.", RecipientData),
        "recipient.pruned": EventKind("A carrier says that nobody has the number.", RecipientData),
        "batch.paused": EventKind("Nothing of the batch is sent until it is resumed.", BatchData),
        "connector.down": EventKind("No bind to the carrier is up.", ConnectorData),
        "connector.up": EventKind("A bind to the carrier is up again.", ConnectorData),
        "endpoint.failing": EventKind(
            "Another endpoint fails and gets one request at a time.", EndpointData
        ),
        "endpoint.disabled": EventKind(
            "Another endpoint gets nothing any more; its events are skipped.", EndpointData
        ),
        TEST: EventKind("Somebody tests the endpoint; told on request only.", TestData),
        BATCH: EventKind("Several events, of an endpoint with `batch_max`.", BatchedData),
        "link.clicked": EventKind("A short link was opened.", ClickData),
        "conversion.recorded": EventKind("A message led to what it was sent for.", ConversionData),
        "batch.completed": EventKind(
            "Every message of a batch has ended, within 6 days.", EndedBatchData
        ),
        "anomaly.detected": EventKind("Something is unlike other days.", AnomalyData),
        "breaker.opened": EventKind(
            "Nothing is sent there any more, because too much fails or a person says so.",
            BreakerData,
        ),
        "breaker.closed": EventKind("What was held there goes again.", BreakerData),
    }
)
