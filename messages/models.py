"""The messages of the API as types, and the seam between checking a message and storing it.

Owns shapes: what a request may hold, what a checked message is, what the accepter answers. Must not
check values (validation.py), and knows neither HTTP nor SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta

from dispatch.message import PRIORITY_DEFAULT, MessageOptions
from recipients.numbers.rules import NumberRules
from smpp.custom_tlvs import CustomTlv
from storage.categories import Category


def _described(text: str, **schema: Any) -> Meta:
    """What the API's document says of a field. Nothing of it is checked when JSON is decoded: that
    is validation.py, which names every fault at once.
    """
    return Meta(description=text, extra_json_schema=schema)


_LABEL: Mapping[str, Any] = {"minLength": 1, "maxLength": 100}


class SendWindowRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Hours in which a message may go, by the recipient's clock or by that of a zone."""

    start: Annotated[str, _described("As in 10:00.")] = msgspec.field(name="from")
    end: Annotated[str, _described("As in 12:00.")] = msgspec.field(name="to")
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] | None = None
    tz: Annotated[str, _described("`recipient`, or a zone such as Asia/Shanghai.")] = "recipient"


class PolicyRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a message wants of the rules. `ignore` takes a key with the scope `policy:ignore`."""

    quiet_hours: Literal["hold", "reject", "ignore"] | None = None


class MessageRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message as a client writes it. null means: not given."""

    to: Annotated[
        str,
        _described("The recipient in E.164 form, as in +8613812345678.", pattern=r"^\+[1-9]\d+$"),
    ]
    text: Annotated[
        str, _described("Signature, opt-out suffix and short links are put in.", minLength=1)
    ]
    sender: Annotated[
        str | None,
        _described("A sender of the account; its first one by default.", minLength=1, maxLength=20),
    ] = msgspec.field(default=None, name="from")
    category: Annotated[
        str | None,
        _described(
            "What it is for; the account has a default.",
            enum=[*(category.label for category in Category), None],
        ),
    ] = None
    priority: Annotated[
        int | None,
        _described(
            "0, the highest, to 9; 5 by default. Orders your own messages of one category.",
            minimum=0,
            maximum=9,
        ),
    ] = None
    client_ref: Annotated[
        str | None,
        _described(
            "Yours; a repeat within 72 hours is not sent again, another message under it refused.",
            **_LABEL,
        ),
    ] = None
    campaign_id: Annotated[str | None, _described("Reports group by it.", **_LABEL)] = None
    variant: Annotated[str | None, _described("Reports group by it.", **_LABEL)] = None
    tags: Annotated[
        tuple[str, ...] | None,
        _described("Routes may ask for them.", maxItems=10, items={"type": "string", **_LABEL}),
    ] = None
    expires_in: Annotated[
        int | None, _described("Seconds after which it is not sent any more.", minimum=1)
    ] = None
    shorten_urls: Annotated[
        bool | None, _described("Whether URLs become short links; the account has a default.")
    ] = None
    max_parts: Annotated[
        int | None, _described("A text that needs more is refused.", minimum=1)
    ] = None
    send_at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        _described("Not before then; at most 35 days ahead."),
    ] = None
    send_window: SendWindowRequest | None = None
    policy: PolicyRequest | None = None
    tlvs: tuple[CustomTlv, ...] | None = None
    sandbox: Annotated[
        bool | None,
        _described("true: to the built-in sandbox, never to a carrier; digits script the outcome."),
    ] = None


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
    sandbox: bool = False
    may_ignore_quiet_hours: bool = False  # of the key, not of the account
    numbers: NumberRules = NumberRules()


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
    asked_text: str | None = None  # as it came, where a client_ref has to know it again


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
    held_until: datetime | None = None


class GivenIds(msgspec.Struct, frozen=True):
    """The ids that messages are to have. `again`: they were given out before, and messages with
    them may be stored; those are not stored twice.
    """

    ids: Sequence[int]
    again: bool = False


class Overloaded(Exception):
    """No room: nothing was stored, the client may send the same again after a pause.

    `policies` names the marks that were reached and what they allow to wait.
    """

    def __init__(
        self, retry_after_seconds: int, policies: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        super().__init__(f"no room; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds
        self.policies = policies


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
