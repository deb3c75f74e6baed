"""The messages of the API as types, between checking a message and storing it.

Owns shapes: what a checked message is, what refuses one, what the accepter answers. What a client
writes is in requests.py. Must not check values (validation.py), and must know neither HTTP nor SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Protocol

import msgspec

from dispatch.message import PRIORITY_DEFAULT, MessageOptions
from dlr.webhooks.callbacks import Callback
from recipients.numbers.rules import NumberRules
from storage.categories import Category


class AccountPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What validation needs to know of an account. `id` as in table `account`."""

    id: int
    name: str
    default_category: Category = Category.TRANSACTIONAL
    senders: tuple[str, ...] = ()
    signature: str = ""
    opt_out_suffix: str = ""
    shorten_urls: bool = True
    sandbox: bool = False
    may_ignore_quiet_hours: bool = False  # of the key, not of the account
    numbers: NumberRules = NumberRules()
    text_days: int | None = None  # how long texts are kept: text_retention.py
    callback_hosts: tuple[str, ...] = ()  # to which its messages may name callbacks


class Prepared(msgspec.Struct, gc=False):
    """A validated message, ready to be stored."""

    account: int
    category: int
    connector: int  # first choice of the route, or SANDBOX; 0 = none
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
    callback: Callback | None = None
    text_days: int | None = None  # None: as long as the message, 0: until it is final
    asked_text: str | None = None  # as it came, where a client_ref has to know it again
    country: int = 0  # of `to`, as recipients/numbers/origin_numbers.py numbers them; 0 not known
    operator: int = 0


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one value: a JSON pointer into the body, or a query parameter's name.
    `column` counts characters of a text from 1.
    """

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None
    column: int | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A message not taken, or a request not served. `code` is one of web/problems.py."""

    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class Enough(Refused, frozen=True, gc=False):
    """A message not taken since its recipient has had enough. `detail`: by which rule, in words."""

    rule: str = ""


class Verdict(msgspec.Struct, gc=False):
    """What became of a stored message. `text` is what will be sent, with its short links.

    Of one that was stored before, `id` and `status` are the first one's.
    """

    id: int
    status: str  # label of dlr/status.py: accepted, scheduled, held, suppressed, capped, …
    reason: str | None
    text: str
    deduplicated: bool = False  # stored before, under the same client_ref; `status` is today's
    held_until: datetime | None = None


class IfCapped(Enum):
    """What becomes of a message to somebody who has had as many as a cap allows, or just got one.

    `SKIP` and `WAIT_OR_SKIP` leave no message: it is answered as `Enough`.
    """

    STORE = 0  # it ends as capped; within a gap it waits
    SKIP = 1  # also within a gap
    WAIT_OR_SKIP = 2  # within a gap it waits


class GivenIds(msgspec.Struct, frozen=True):
    """The ids that messages are to have.

    `again`: they were given out before, so messages with them may be stored. Those are not stored
    twice. `instead`: of an id, the messages of the same person that it goes in place of. Where one
    of those was canceled by itself, it is refused as `canceled`.
    """

    ids: Sequence[int]
    again: bool = False
    if_capped: IfCapped = IfCapped.STORE
    instead: Mapping[int, Sequence[int]] = MappingProxyType({})


class Accepter(Protocol):
    """Makes checked messages durable."""

    async def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        """One answer for each item, in order, once committed. Raises Overloaded, StorageDown.

        `ids`: those that the messages are to have, where the caller must know them before. Else new
        ones.
        """


class RouteChoice(Protocol):
    """The first connector for a message, by the id of table `connector`."""

    def __call__(
        self, to: str, sender: str, category: int, account: str, tags: Sequence[str], /
    ) -> int:
        """0 when no route matches."""
