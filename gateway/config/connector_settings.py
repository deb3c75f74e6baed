"""The settings of a connector: how one carrier is reached and what it is like.

Owns the section `[[connectors]]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.base import IdBase, Name, Settings
from gateway.config.values import Rate


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
    inbound_country_code: Annotated[
        str,
        Meta(
            pattern=r"^(\+[1-9][0-9]{0,2})?$",
            description='Such as "+86": where handsets are from whose numbers come without it.',
        ),
    ] = ""
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
