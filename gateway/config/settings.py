"""The settings: the sections that hold for the whole process, and the configuration as a whole.

Owns the shapes: every key with its unit, range and default is documented once, here or in the
modules of the sections that repeat. Must not read files or the environment (load.py does) and must
not know who uses a setting. docs/configuration.md is generated from these types
(`python -m gateway.config.reference`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.account_settings import AccountSettings, CallbackHost
from gateway.config.base import Settings
from gateway.config.breaker_settings import BreakerSettings
from gateway.config.category_settings import (
    AnotherWaySettings,
    DoubtSettings,
    ValiditySettings,
)
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.hygiene_settings import HygieneSettings
from gateway.config.partner_settings import PartnerSettings
from gateway.config.policy_settings import QuietHoursSettings
from gateway.config.retention_settings import RetentionSettings
from gateway.config.route_settings import RouteSettings
from gateway.config.threshold_settings import ThresholdSettings
from gateway.config.values import Address, BaseUrl, DatabaseUrl, Size, TargetUrl
from gateway.config.webhook_settings import WebhookSettings
from shortlinks.addresses import Networks
from shortlinks.click_ids import PARAMETER

Level = Literal["debug", "info", "warning", "error"]
LogForm = Literal["auto", "json", "text"]


class DatabaseSettings(Settings, frozen=True, kw_only=True):
    """Where everything is stored."""

    url: Annotated[
        DatabaseUrl,
        Meta(
            description="`embedded` runs a private PostgreSQL; or `postgresql://…` (15 or later).",
            extra={"secret": True},
        ),
    ] = DatabaseUrl("embedded")
    password: Annotated[
        str,
        Meta(
            max_length=1000,
            description="Password of the user that `url` names, as it is. In `url` itself `@`, `/` "
            "and `#` have to be written as %40, %2F and %23.",
            extra={"secret": True},
        ),
    ] = ""
    password_file: Annotated[
        str | None,
        Meta(description="File that holds the password; its last line break is dropped."),
    ] = None
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


# Both listeners have them, and each its own.
ConnectionsMax = Annotated[
    int,
    Meta(
        ge=8,
        le=100_000,
        description="Connections at once; above it the longest silent one makes room, or the new "
        "one gets 503. Lowered at start where the process may not open so many files.",
    ),
]
KeepAliveSeconds = Annotated[
    float,
    Meta(
        ge=1,
        le=3600,
        description="Seconds until an idle connection is closed; longer than a proxy in front "
        "keeps its own.",
    ),
]


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
    connections_max: ConnectionsMax = 2_000
    keep_alive_seconds: KeepAliveSeconds = 75.0
    metrics_key: Annotated[
        bool,
        Meta(description="Whether `/metrics` wants a key with the scope `metrics:read`."),
    ] = False
    wrong_keys_per_minute: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Keys that do not exist, as one address or one beginning of keys may try "
            "them; above it: 429. Good keys go on.",
        ),
    ] = 30
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description='Networks such as "10.0.0.0/8" whose `X-Forwarded-For` is believed; '
            "without it every client behind a proxy has the proxy's address."
        ),
    ] = ()
    tls_certificate_file: Annotated[
        str | None,
        Meta(
            description="PEM file with the certificate and its chain; then the API speaks TLS, and "
            "nothing else. A changed file is taken within seconds."
        ),
    ] = None
    tls_key_file: Annotated[
        str | None,
        Meta(description="PEM file with its key, not encrypted; unset: in the same file."),
    ] = None
    lame_duck_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=300,
            description="After SIGTERM `/readyz` says 503 for so long while all else goes on. So a "
            "load balancer sends its requests elsewhere before the port closes.",
        ),
    ] = 0.0


class LogSettings(Settings, frozen=True, kw_only=True):
    """The log, on standard error."""

    level: Annotated[
        Level,
        Meta(description="The least important lines that are written; it follows a reload."),
    ] = "info"
    form: Annotated[
        LogForm,
        Meta(description="`json` an object a line, `text` for people; `auto` by the terminal."),
    ] = "auto"


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
    click_id_hosts: Annotated[
        tuple[CallbackHost, ...],
        Meta(
            max_length=1000,
            description="Hosts that are told the click's id, to send it back with a conversion. "
            "`*.shop.example` is every name below it. Empty: none.",
        ),
    ] = ()
    click_id_parameter: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Za-z0-9_-]{1,32}\Z",
            description="The parameter of the target that holds the click's id.",
        ),
    ] = PARAMETER
    allow_hosts: Annotated[
        tuple[CallbackHost, ...],
        Meta(
            max_length=10_000,
            description="Hosts that links may lead to that are made through `/v1/links`, or that "
            "messages name. Empty: any.",
        ),
    ] = ()
    deny_hosts: Annotated[
        tuple[CallbackHost, ...],
        Meta(max_length=10_000, description="Hosts that none of them may lead to."),
    ] = ()
    fallback_url: Annotated[
        TargetUrl | None,
        Meta(description="Where unknown and expired links lead. Unset: to a page that says so."),
    ] = None
    brand: Annotated[
        str,
        Meta(max_length=80, description="Whose links these are, shown above such pages."),
    ] = ""
    agents_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="Days after which the text of a click's user agent ends; what it spoke "
            "for stays. 0: it is kept as long as the click.",
        ),
    ] = 30
    networks: Annotated[
        Networks,
        Meta(
            description="What is kept of a client's address with its click: the network of 256 "
            "addresses (IPv6: /48), a keyed hash of it, or nothing."
        ),
    ] = "truncated"
    memory: Annotated[
        Size,
        Meta(
            description="Recipients' links in memory, the newest and those in use: about 14 octets "
            "a link. They lead on while the database is away."
        ),
    ] = Size(64 << 20)
    status_listen: Annotated[
        Address,
        Meta(
            description="Address of `/metrics`, `/healthz` and `/readyz` of a process that was "
            "started with `--role links`."
        ),
    ] = Address("127.0.0.1:8082")
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description='Networks such as "10.0.0.0/8" whose `X-Forwarded-For` is believed; '
            "without it every visitor behind a proxy has the proxy's address."
        ),
    ] = ()
    connections_max: ConnectionsMax = 4_000
    keep_alive_seconds: KeepAliveSeconds = 75.0


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
    shed_above_percent: Annotated[
        int,
        Meta(
            ge=1,
            le=100,
            description="Percent of `waiting_max` from which marketing messages are refused (503); "
            "service and transactional ones follow at one and two thirds of the rest.",
        ),
    ] = 60


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
    recipient_gap_seconds: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Least time between two messages to the same number, one-time passwords "
            "excepted; the later one waits. 0: none.",
        ),
    ] = 0.0
    receipts_waiting_max: Annotated[
        int,
        Meta(
            ge=100,
            le=1_000_000,
            description="Receipts waiting for a commit; above it the carrier is told to "
            "send them later and its connection is not read.",
        ),
    ] = 20_000
    inbound_waiting_max: Annotated[
        int,
        Meta(
            ge=100,
            le=100_000,
            description="Messages from handsets, or parts of them, waiting for a commit. Above it "
            "the carrier is told to send them later and its connection is not read.",
        ),
    ] = 5_000
    unknown_after_hours: Annotated[
        int,
        Meta(
            ge=1, le=720, description="Hours without a final receipt until a message is `unknown`."
        ),
    ] = 72


class Config(Settings, frozen=True, kw_only=True):
    """The whole configuration."""

    database: DatabaseSettings = DatabaseSettings()
    http: HttpSettings = HttpSettings()
    links: LinkSettings = LinkSettings()
    logs: LogSettings = LogSettings()
    accept: AcceptSettings = AcceptSettings()
    limits: LimitSettings = LimitSettings()
    quiet_hours: QuietHoursSettings = QuietHoursSettings()
    validity: ValiditySettings = ValiditySettings()
    doubt: DoubtSettings = DoubtSettings()
    another_way: AnotherWaySettings = AnotherWaySettings()
    breakers: BreakerSettings = BreakerSettings()
    hygiene: HygieneSettings = HygieneSettings()
    retention: RetentionSettings = RetentionSettings()
    webhooks: WebhookSettings = WebhookSettings()
    thresholds: ThresholdSettings = ThresholdSettings()
    connectors: tuple[ConnectorSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    accounts: tuple[AccountSettings, ...] = ()
    partners: tuple[PartnerSettings, ...] = ()
