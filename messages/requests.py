"""A message and a batch as a client writes them, with what the API's document says of each field.

Owns the shapes of requests. Must not check values (accept/validation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

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


class CallbackRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Where the changes of one message are told, beside the account's webhook endpoints. Signed
    with the account's callback secret.
    """

    url: Annotated[str, _described("As of a webhook endpoint.", maxLength=2048)]
    events: Annotated[
        tuple[str, ...] | None,
        _described("`final`, the default, `message.*`, or names of a message's events."),
    ] = None
    data: Annotated[
        Any, _described("Comes back in each event as `callback_data`; up to 4 000 octets of JSON.")
    ] = None


class TextDays(msgspec.Struct, forbid_unknown_fields=True):
    """How many days a text is kept, from when the message was accepted."""

    days: Annotated[int, _described("1 to 3650.", minimum=1, maximum=3650)]


class RetentionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How long what a message says is kept. No text goes before its message is final."""

    text: Annotated[
        Literal["keep", "discard"] | TextDays,
        _described(
            "`keep`: as long as the message. `discard`: until it is final. Days: until they are "
            "over and it is final. The account has a default."
        ),
    ]


class NamedLinkRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A link that the text names."""

    url: Annotated[
        str,
        _described(
            "http or https. `{{name}}` in its path or query is a value of `params`.",
            maxLength=2048,
        ),
    ]


class MessageRequest(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One message as a client writes it. null means: not given."""

    to: Annotated[
        str,
        _described("The recipient in E.164 form, as in +8613812345678.", pattern=r"^\+[1-9]\d+$"),
    ]
    text: Annotated[
        str,
        _described("Signature, opt-out suffix and short links are put in. This or `template_id`."),
    ] = ""
    template_id: Annotated[
        str | None,
        _described(
            "Instead of a text: `tpl_…` for the newest version, `tpl_…@3` for that one.",
            minLength=1,
        ),
    ] = None
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
    links: Annotated[
        dict[str, NamedLinkRequest] | None,
        _described("Links by name: `{{link:main}}` in the text becomes the recipient's own one."),
    ] = None
    params: Annotated[
        dict[str, str] | None,
        _described("Values of this recipient for the template and the addresses of `links`."),
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
    callback: CallbackRequest | None = None
    retention: RetentionRequest | None = None
    sandbox: Annotated[
        bool | None,
        _described("true: to the built-in sandbox, never to a carrier; digits script the outcome."),
    ] = None


class BatchRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The envelope of a batch. Items stay raw, so that one bad item never sinks the others."""

    messages: list[msgspec.Raw]
