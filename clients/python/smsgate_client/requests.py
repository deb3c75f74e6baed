"""Owns what is sent: the bodies of requests. A field that is None is left out of them.

Must not judge a value: the gateway does, and names all mistakes at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime

from smsgate_client.shapes import named
from smsgate_client.words import (
    Category,
    ComplaintSource,
    ConsentAction,
    ConsentChannel,
    QuietHours,
    SuppressedCategory,
    SuppressionReason,
    TextRetention,
    Weekday,
)


@dataclass(frozen=True, kw_only=True)
class SendWindow:
    """When a message may leave: `start` to `end` as "10:00", of the recipient's clock or `tz`."""

    start: str = field(metadata=named("from"))
    end: str = field(metadata=named("to"))
    days: Sequence[Weekday | str] | None = None
    tz: str | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Exemptions from the rules; some need a scope of the key."""

    quiet_hours: QuietHours | str | None = None


@dataclass(frozen=True, kw_only=True)
class CustomTlv:
    """A TLV for the carrier: a tag as "0x1403" or by its name, and one of text, hex, integer."""

    tag: str
    text: str | None = None
    hex: str | None = None
    integer: int | None = None
    octets: int | None = None
    terminated: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Callback:
    """Where the changes of one message are told, beside the account's webhook endpoints.

    `events` are `final` ones if none are named. `data`, of JSON, comes back in each event.
    """

    url: str
    events: Sequence[str] | None = None
    data: object = None


@dataclass(frozen=True, kw_only=True)
class TextDays:
    """Days for which a text is kept."""

    days: int


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long the text is kept: "keep", "discard" once it is final, or days."""

    text: TextRetention | str | TextDays


@dataclass(frozen=True)
class NamedLink:
    """Where `{{link:…}}` in a text leads; `{{name}}` in it is one of the message's `params`."""

    url: str


@dataclass(frozen=True)
class NewMessage:
    """A message to be sent. `expires_in` in seconds; `priority` from 0, the highest, to 9.

    `client_ref` is your own name for it: the same one again is the same message. It has a `text`,
    or a `template_id` and `params`.
    """

    to: str
    text: str | None = None
    _: KW_ONLY
    template_id: str | None = None
    sender: str | None = field(default=None, metadata=named("from"))
    category: Category | str | None = None
    priority: int | None = None
    client_ref: str | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: Sequence[str] | None = None
    expires_in: int | None = None
    shorten_urls: bool | None = None
    links: Mapping[str, NamedLink] | None = None
    params: Mapping[str, str] | None = None
    max_parts: int | None = None
    send_at: datetime | None = None
    send_window: SendWindow | None = None
    policy: Policy | None = None
    tlvs: Sequence[CustomTlv] | None = None
    callback: Callback | None = None
    retention: Retention | None = None
    sandbox: bool | None = None


@dataclass(frozen=True)
class NewSuppression:
    """A number that is to get nothing: of one category, or of each."""

    number: str
    _: KW_ONLY
    category: SuppressedCategory | str | None = None
    reason: SuppressionReason | str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class NewConsent:
    """A person's word, and where it was given."""

    to: str
    action: ConsentAction | str
    source: str
    _: KW_ONLY
    category: Category | str | None = None
    purpose: str | None = None
    channel: ConsentChannel | str | None = None
    text_version: str | None = None
    operator: str | None = None
    address: str | None = None
    evidence: str | None = None
    incentive: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class NewComplaint:
    """What a person complained of, of a number or a message. `id` is the teller's own.

    The same one told again is one complaint.
    """

    id: str
    source: ComplaintSource | str
    _: KW_ONLY
    to: str | None = None
    message: str | None = None
    campaign: str | None = None
    source_name: str | None = None
    text: str | None = None
    at: datetime | None = None
