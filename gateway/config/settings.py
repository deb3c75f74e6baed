"""The settings: every section, key, unit, range and default, each documented once, here.

Owns the shapes. Must not read files or the environment (load.py does) and must not know who uses a
setting. docs/configuration.md is generated from these types (`python -m gateway.config.reference`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gateway.config.values import Address, BaseUrl, DatabaseUrl, Rate, Size

CategoryLabel = Literal["otp", "transactional", "service", "marketing"]
IdBase = Literal["opaque", "hex", "dec"]
Name = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9_-]{0,62}\Z",
        extra={
            "expected": "a name: 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit"
        },
    ),
]
Prefix = Annotated[
    str,
    Meta(
        pattern=r"\A\+[0-9]{1,15}\Z",
        extra={"expected": 'the beginning of a number such as "+86": + and 1 to 15 digits'},
    ),
]

# A signature or suffix longer than this would leave hardly any room in a one-part UCS-2 message of
# 70 characters.
_AFFIX_CHARS_MAX = 64


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every section."""


class DatabaseSettings(Settings, frozen=True, kw_only=True):
    """Where everything is stored."""

    url: Annotated[
        DatabaseUrl,
        Meta(
            description="`embedded` runs a private PostgreSQL; or `postgresql://…` (15 or later).",
            extra={"secret": True},
        ),
    ] = DatabaseUrl("embedded")
    data_dir: Annotated[
        str,
        Meta(
            min_length=1,
            description="Folder of the embedded database, the number key and the click journal; "
            "relative to the working directory.",
        ),
    ] = "./data"
    read_connections: Annotated[
        int, Meta(ge=1, le=100, description="Connections for reports and lookups.")
    ] = 4


class HttpSettings(Settings, frozen=True, kw_only=True):
    """The API."""

    listen: Annotated[
        Address,
        Meta(description="Address of the API, `/metrics`, `/healthz` and `/readyz`."),
    ] = Address("127.0.0.1:8080")
    max_body: Annotated[Size, Meta(description="Largest request body; above it: 413.")] = Size(
        8 << 20
    )
    bodies_max: Annotated[
        Size,
        Meta(description="Request bodies held in memory at once; above it: 503."),
    ] = Size(64 << 20)
    batch_items_max: Annotated[
        int, Meta(ge=1, le=10_000, description="Messages in one `POST /v1/messages/batch`.")
    ] = 10_000


class LinkSettings(Settings, frozen=True, kw_only=True):
    """Short links."""

    listen: Annotated[Address, Meta(description="Address of the redirect server.")] = Address(
        "127.0.0.1:8081"
    )
    base_url: Annotated[
        BaseUrl,
        Meta(description="What short links begin with, as the recipient's phone reaches it."),
    ] = BaseUrl("http://127.0.0.1:8081")
    lifetime_days: Annotated[
        int, Meta(ge=1, le=3650, description="Days after which a short link answers 410.")
    ] = 90
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description='Networks such as "10.0.0.0/8" whose `X-Forwarded-For` is believed; '
            "without it every visitor behind a proxy has the proxy's address."
        ),
    ] = ()


class AcceptSettings(Settings, frozen=True, kw_only=True):
    """Between the API and the database."""

    waiting_max: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000,
            description="Messages waiting for a commit, in each of the two lanes; above it: 503.",
        ),
    ] = 20_000


class LimitSettings(Settings, frozen=True, kw_only=True):
    """Bounds that hold everywhere, each with its unit."""

    ready_seconds: Annotated[
        float,
        Meta(
            ge=0.1,
            le=60,
            description="Seconds of work, at the connector's rate, that each ready queue holds "
            "in memory.",
        ),
    ] = 2.0
    drain_seconds: Annotated[
        float,
        Meta(ge=0, le=600, description="Seconds a stop waits for submits in flight."),
    ] = 30.0
    message_parts_max: Annotated[
        int, Meta(ge=1, le=32, description="Parts of one message; longer texts are refused.")
    ] = 10
    validity_seconds_max: Annotated[
        int, Meta(ge=60, le=2_592_000, description="Largest `expires_in` of a message, seconds.")
    ] = 259_200
    receipts_waiting_max: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000,
            description="Receipts waiting for a commit; above it the carrier is told to "
            "send them later and its connection is not read.",
        ),
    ] = 20_000
    unknown_after_hours: Annotated[
        int,
        Meta(
            ge=1, le=720, description="Hours without a final receipt until a message is `unknown`."
        ),
    ] = 72


class ConnectorSettings(Settings, frozen=True, kw_only=True):
    """One carrier connection. Repeat `[[connectors]]` for each."""

    name: Annotated[Name, Meta(description="How routes, metrics and reports call it.")]
    kind: Annotated[Literal["smpp"], Meta(description="Protocol: SMPP 3.4.")] = "smpp"
    host: Annotated[str, Meta(min_length=1, max_length=253, description="The carrier's SMSC.")]
    port: Annotated[int, Meta(ge=1, le=65_535, description="Its TCP port.")] = 2775
    system_id: Annotated[
        str, Meta(min_length=1, max_length=15, description="User name of the bind.")
    ]
    password: Annotated[
        str,
        Meta(
            max_length=64,
            description="Password of the bind; or use `password_file`.",
            extra={"secret": True},
        ),
    ] = ""
    password_file: Annotated[
        str | None,
        Meta(description="File that holds the password; its last line break is dropped."),
    ] = None
    system_type: Annotated[
        str, Meta(max_length=12, description="`system_type` of the bind, if the carrier asks.")
    ] = ""
    bind: Annotated[
        Literal["transceiver", "transmitter+receiver"],
        Meta(description="One session both ways, or a pair of sessions."),
    ] = "transceiver"
    binds: Annotated[int, Meta(ge=1, le=64, description="Parallel sessions.")] = 1
    window: Annotated[
        int, Meta(ge=1, le=10_000, description="Unanswered submits allowed in each session.")
    ] = 100
    rate: Annotated[
        Rate | None, Meta(description="The contracted pace, in parts; unset: no limit of ours.")
    ] = None
    tls: Annotated[bool, Meta(description="TLS to the carrier.")] = False
    tls_ca_file: Annotated[
        str | None, Meta(description="Certificates to trust, PEM; unset: the system's.")
    ] = None
    tls_server_name: Annotated[
        str, Meta(description="Name in the carrier's certificate, also sent as SNI; unset: `host`.")
    ] = ""
    tls_certificate_file: Annotated[
        str | None, Meta(description="Our own certificate, PEM, where the carrier wants one.")
    ] = None
    tls_key_file: Annotated[str | None, Meta(description="Its key, PEM, not encrypted.")] = None
    tls_verify: Annotated[
        bool, Meta(description="Whether the carrier's certificate is checked.")
    ] = True
    response_id_base: Annotated[
        IdBase,
        Meta(description="How the carrier writes `message_id` in submit_sm_resp."),
    ] = "opaque"
    receipt_id_base: Annotated[
        IdBase,
        Meta(description="How it writes the id in receipts: some mix hex and decimal."),
    ] = "opaque"
    enquire_link_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="Silence after which the link is probed.")
    ] = 30.0
    response_timeout_seconds: Annotated[
        float, Meta(ge=1, le=3600, description="How long a submit may stay unanswered.")
    ] = 60.0
    bind_timeout_seconds: Annotated[
        float, Meta(ge=1, le=600, description="How long connecting and binding may take.")
    ] = 10.0
    reconnect_seconds_min: Annotated[
        float, Meta(ge=0.05, le=3600, description="First pause before a new connection.")
    ] = 1.0
    reconnect_seconds_max: Annotated[
        float, Meta(ge=0.05, le=3600, description="Longest pause between connections.")
    ] = 60.0


class MatchSettings(Settings, frozen=True, kw_only=True):
    """Which messages a route takes: every key given must match, each by any of its values."""

    prefix: Annotated[
        tuple[Prefix, ...], Meta(description="Beginnings of the number, `+86` for instance.")
    ] = ()
    sender: Annotated[tuple[str, ...], Meta(description="Senders.")] = ()
    category: Annotated[tuple[CategoryLabel, ...], Meta(description="Categories.")] = ()
    account: Annotated[tuple[Name, ...], Meta(description="Accounts.")] = ()
    tag: Annotated[tuple[str, ...], Meta(description="Tags; one common tag is enough.")] = ()


class ShareSettings(Settings, frozen=True, kw_only=True):
    """A connector that takes a share of a route's messages."""

    name: Annotated[Name, Meta(description="The connector.")]
    weight: Annotated[int, Meta(ge=1, le=1000, description="Its share, relative to the others'.")]


class RouteSettings(Settings, frozen=True, kw_only=True):
    """One rule of routing; the first that matches decides. None: every connector, in order."""

    match: Annotated[MatchSettings, Meta(description="Which messages; `{}` matches all.")] = (
        MatchSettings()
    )
    via: Annotated[
        tuple[str | ShareSettings, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Connectors: names in order of preference (the next takes over when one "
            "is down), or `{ name, weight }` each to share, the same number always the same way.",
        ),
    ]


class AccountSettings(Settings, frozen=True, kw_only=True):
    """One sending application. None: one account `default`."""

    name: Annotated[Name, Meta(description="The account's name, as in `keys create --account`.")]
    default_category: Annotated[
        CategoryLabel, Meta(description="Used when a message names none.")
    ] = "transactional"
    senders: Annotated[
        tuple[str, ...],
        Meta(description="Senders it may use, the first by default; empty: any."),
    ] = ()
    signature: Annotated[
        str,
        Meta(
            max_length=_AFFIX_CHARS_MAX,
            description="Put first in every text that does not begin with it; counted in parts.",
        ),
    ] = ""
    opt_out_suffix: Annotated[
        str,
        Meta(
            max_length=_AFFIX_CHARS_MAX,
            description="Appended to marketing texts that lack it; counted in parts.",
        ),
    ] = ""
    rate: Annotated[
        Rate | None, Meta(description="Pace of this account, in parts; unset: no limit.")
    ] = None
    shorten_urls: Annotated[
        bool,
        Meta(description="Whether URLs in texts become short links unless a message says."),
    ] = True


class Config(Settings, frozen=True, kw_only=True):
    """The whole configuration."""

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    links: LinkSettings = LinkSettings()
    accept: AcceptSettings = AcceptSettings()
    limits: LimitSettings = LimitSettings()
    connectors: tuple[ConnectorSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    accounts: tuple[AccountSettings, ...] = ()
