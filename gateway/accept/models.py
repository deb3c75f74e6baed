"""The messages of the API as types, and the seam between checking a message and storing it.

Owns shapes: what a request may hold, what a checked message is, what the accepter answers. Must not
check values (validation.py), and knows neither HTTP nor SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from gateway.dispatch.message import PRIORITY_DEFAULT, MessageOptions
from storage.categories import Category


class SendWindowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Hours in which a message may go, by the recipient's clock or by that of a zone."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = None
    tz: str = "recipient"


class PolicyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a message wants of the rules. `ignore` takes a key with the scope `policy:ignore`."""

    quiet_hours: Literal["hold", "reject", "ignore"] | None = None


class MessageRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message as a client writes it. null means: not given."""

    to: str
    text: str
    sender: str | None = msgspec.field(default=None, name="from")
    category: str | None = None
    client_ref: str | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: tuple[str, ...] | None = None
    expires_in: int | None = None
    shorten_urls: bool | None = None
    max_parts: int | None = None
    send_at: Annotated[datetime, Meta(tz=True)] | None = None
    send_window: SendWindowRequest | None = None
    policy: PolicyRequest | None = None


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The envelope of a batch. Items stay raw, so that one bad item never sinks the others."""

    messages: list[msgspec.Raw]


class AccountPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What validation needs to know of an account. `id` as in table `account`."""

    id: int
    name: str
    default_category: Category = Category.TRANSACTIONAL
    senders: tuple[str, ...] = ()
    signature: str = ""
    opt_out_suffix: str = ""
    shorten_urls: bool = True
    may_ignore_quiet_hours: bool = False  # of the key, not of the account


class Prepared(msgspec.Struct, gc=False):
    """A validated message, ready to be stored."""

    account: int
    category: int
    connector: int  # first choice of the route; 0 = none
    to: str  # E.164 with +
    sender: str  # "" = the carrier's default
    text: str  # final: signature, suffix and link placeholders of final length included
    links: tuple[str, ...]  # target URLs by slot
    link_slots: tuple[int, ...]  # the slot of each link placeholder in `text`, in order
    data_coding: int
    parts: int
    client_ref: str | None = None
    campaign_id: str | None = None
    variant: str | None = None
    tags: tuple[str, ...] = ()
    expires_at: int | None = None  # ms since the epoch
    priority: int = PRIORITY_DEFAULT
    options: MessageOptions | None = None


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one value: a JSON pointer into the body, or a query parameter's name."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A message not taken, or a request not served; `code` is one of web/problems.py."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class Verdict(msgspec.Struct, gc=False):
    """What became of a stored message. `text` is what will be sent, with its short links.

    Of one that was stored before, `id` and `status` are the first one's.
    """

    id: int
    status: str  # label of dlr/status.py: accepted, scheduled, held, suppressed, capped, …
    reason: str | None
    text: str
    deduplicated: bool = False  # stored before, under the same client_ref; `status` is today's


class GivenIds(msgspec.Struct, frozen=True):
    """The ids that messages are to have. `again`: they were given out before, and messages with
    them may be stored; those are not stored twice.
    """

    ids: Sequence[int]
    again: bool = False


class Overloaded(Exception):
    """No room: nothing was stored, the client may send the same again after a pause."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"no room; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class StorageDown(Exception):
    """The database is not available: nothing was stored, the client may send the same again."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"the database is not available; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class Accepter(Protocol):
    """Makes checked messages durable."""

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        """One answer for each item, in order, once committed. Raises Overloaded, StorageDown.

        `ids`: those that the messages are to have, for who must know them before; else new ones.
        """


class RouteChoice(Protocol):
    """The first connector for a message, by the id of table `connector`."""

    def __call__(
        self, to: str, sender: str, category: int, account: str, tags: Sequence[str], /
    ) -> int:
        """0 when no route matches."""
