"""The settings of a connector: how one carrier is reached and what it is like.

Owns the section `[[connectors]]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from dlr.codes import CodeTableName
from gateway.config.base import IdBase, Name, ReceiptIdBase, Settings
from gateway.config.carrier_settings import (
    CODES_MAX,
    RECEIPT_STATES_MAX,
    AlphabetName,
    CodeReason,
    DataCodingSettings,
    IdRewriteSettings,
    PriorityFlagSettings,
    ReceiptOutcome,
    ReceiptWord,
    TlvSettings,
    TonNpi,
    TonNpiSettings,
)
from gateway.config.values import Rate, TimeZone


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
    interface_version: Annotated[
        Literal["3.3", "3.4", "5.0"],
        Meta(description="`interface_version` of the bind: 0x33, 0x34 or 0x50."),
    ] = "3.4"
    address_range: Annotated[
        str,
        Meta(
            max_length=40,
            description="`address_range` of the bind: whose messages and receipts the carrier "
            "sends on it; empty: all of this system_id.",
        ),
    ] = ""
    bind_ton_npi: Annotated[
        TonNpi | None,
        Meta(description="`[addr_ton, addr_npi]` of the bind, for `address_range`; unset: 0, 0."),
    ] = None
    bind: Annotated[
        Literal["transceiver", "transmitter+receiver", "transmitter", "receiver"],
        Meta(
            description="One session both ways, a pair of sessions, or one way alone. A `receiver` "
            "takes receipts and messages from handsets, and no route may name it. Receipts of "
            "what another connector sent need the same `receipt_group`."
        ),
    ] = "transceiver"
    receiver_host: Annotated[
        Annotated[str, Meta(min_length=1, max_length=253)] | None,
        Meta(description="Where the receivers of a pair bind; unset: `host`."),
    ] = None
    receiver_port: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)] | None,
        Meta(description="The TCP port of the receivers of a pair; unset: `port`."),
    ] = None
    binds: Annotated[int, Meta(ge=1, le=64, description="Parallel sessions of each process.")] = 1
    window: Annotated[
        int, Meta(ge=1, le=10_000, description="Unanswered submits allowed in each session.")
    ] = 100
    rate: Annotated[
        Rate | None,
        Meta(description="The contracted pace in parts, in each process; unset: no limit."),
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
    default_alphabet: Annotated[
        AlphabetName, Meta(description="What `data_coding` 0 means to the carrier.")
    ] = "gsm7"
    alphabets: Annotated[
        tuple[AlphabetName, ...],
        Meta(
            max_length=3,
            description="Tried in this order; none: the default alphabet, then `ucs2`. Without "
            "`ucs2` other characters are refused.",
        ),
    ] = ()
    data_codings: Annotated[
        DataCodingSettings, Meta(description="The carrier's own numbers for alphabets.")
    ] = DataCodingSettings()
    segmentation: Annotated[
        Literal["udh8", "udh16", "sar", "payload"],
        Meta(
            description="How the parts of a long text are joined: by a header with an 8- or 16-bit "
            "reference or by SAR TLVs. Or the carrier cuts one `message_payload`."
        ),
    ] = "udh8"
    smart_replacement: Annotated[
        bool,
        Meta(
            description="Whether typographic characters are written plainly where the text then "
            "needs no UCS-2."
        ),
    ] = False
    source_ton_npi: Annotated[
        TonNpiSettings, Meta(description="Of senders, where the carrier wants other ones.")
    ] = TonNpiSettings()
    destination_ton_npi: Annotated[
        TonNpiSettings, Meta(description="Of recipients, where the carrier wants other ones.")
    ] = TonNpiSettings()
    service_type: Annotated[
        str, Meta(max_length=5, description="`service_type` of submit_sm, if the carrier asks.")
    ] = ""
    message_mode: Annotated[
        Literal["default", "store_and_forward"],
        Meta(description="The messaging mode in `esm_class`: 0, or 3 for carriers that want it."),
    ] = "default"
    protocol_id: Annotated[
        int, Meta(ge=0, le=255, description="`protocol_id` of submit_sm (TP-PID).")
    ] = 0
    priority_flag: Annotated[
        PriorityFlagSettings, Meta(description="What the carrier is told of urgency.")
    ] = PriorityFlagSettings()
    registered_delivery: Annotated[
        int,
        Meta(
            ge=0,
            le=31,
            description="`registered_delivery` of submit_sm: 1 asks for receipts, 2 for those of "
            "failures alone, 16 more for intermediate ones. With 0 nothing tells what was "
            "delivered.",
        ),
    ] = 1
    validity_period: Annotated[
        Literal["relative", "absolute", "none"],
        Meta(
            description="How the carrier is told when a message is no longer worth trying: after "
            "so long, at a moment (UTC), or not at all. Then its own limit counts. One that "
            "answers ESME_RINVEXPIRY (0x62) to all wants another."
        ),
    ] = "relative"
    tlvs: Annotated[
        tuple[TlvSettings, ...],
        Meta(
            max_length=20,
            description="On every message; one that a message states itself goes before it.",
        ),
    ] = ()
    response_id_base: Annotated[
        IdBase,
        Meta(description="How the carrier writes `message_id` in submit_sm_resp."),
    ] = "opaque"
    receipt_id_base: Annotated[
        ReceiptIdBase,
        Meta(
            description="How it writes the id in receipts: some mix hex and decimal. `auto` finds "
            "out from the first receipts whose number fits as well."
        ),
    ] = "auto"
    receipt_id_first: Annotated[
        Literal["tlv", "text"],
        Meta(description="Which id is tried first where a receipt names two."),
    ] = "tlv"
    id_rewrite: Annotated[
        IdRewriteSettings | None,
        Meta(description="Takes off what the carrier puts around ids, `SAR-` for instance."),
    ] = None
    receipt_group: Annotated[
        Name | None,
        Meta(
            description="Connectors of one name here are one carrier: what is sent on one may be "
            "reported on another."
        ),
    ] = None
    code_table: Annotated[
        CodeTableName,
        Meta(
            description="Whose numbers the codes of its receipts are. `none`: a bare number is "
            "kept as it came and proves nothing; codes that are words are known everywhere."
        ),
    ] = "none"
    codes: Annotated[
        dict[ReceiptWord, CodeReason],
        Meta(
            max_length=CODES_MAX,
            description='What single codes of its receipts mean, such as `{ 650 = "handset_full" '
            "}`; before every table. A number with a code of `number_unknown` is given up.",
        ),
    ] = field(default_factory=dict)
    receipt_time_zone: Annotated[
        TimeZone,
        Meta(
            description="Of the dates in receipts that do not tell theirs. Of an hour that comes "
            "twice the first is meant; one that is skipped is read with the offset before it. A "
            "date over 5 minutes before the submit or over a day after its arrival is not believed:"
            " the arrival counts."
        ),
    ] = TimeZone("UTC")
    receipts_per: Annotated[
        Literal["part", "message"],
        Meta(
            description="What one receipt is about where a text has several parts. `message`: the "
            "carrier sends one for all of them."
        ),
    ] = "part"
    user_message_reference: Annotated[
        bool,
        Meta(
            description="Whether each submit carries a number of ours, by which a receipt is "
            "matched, together with its recipient, where no id matches."
        ),
    ] = False
    query_after_seconds: Annotated[
        Annotated[int, Meta(ge=1, le=259_200)] | None,
        Meta(
            description="Asks once, by query_sm, what became of a part whose receipt has not come "
            "for so long, counted from when its answer was due. Unset: never. Needs ids as the "
            "carrier wrote them.",
        ),
    ] = None
    receipts_without_esm_class: Annotated[
        bool,
        Meta(
            description="Whether a text with esm_class 0 is a receipt if it has an id and a state "
            "there is, or all other fields. With it, handsets can send such texts too."
        ),
    ] = False
    receipt_states: Annotated[
        dict[ReceiptWord, ReceiptOutcome],
        Meta(
            max_length=RECEIPT_STATES_MAX,
            description="What the carrier means by its own words in `stat:`, such as "
            '`{ NOROUTE = "undelivered" }`; before their usual meaning, in any case. `sent`: no '
            "outcome yet. Of other unknown words the message stays `sent`.",
        ),
    ] = field(default_factory=dict)
    keep_raw: Annotated[
        Literal["unclear", "all", "none"],
        Meta(
            description="Which deliver_sm are kept octet for octet, encrypted, for `[retention]` "
            "`raw_days`. `unclear` ones are parked, unreadable, guessed or of an unknown word, "
            "and every message from a handset. Or `all`, or `none`."
        ),
    ] = "unclear"
    inbound_gsm7: Annotated[
        Literal["unpacked", "packed"],
        Meta(
            description="Texts from handsets in GSM 7-bit: one octet a character, or eight "
            "characters packed in seven octets."
        ),
    ] = "unpacked"
    inbound_country_code: Annotated[
        str,
        Meta(
            pattern=r"^(\+[1-9][0-9]{0,2})?$",
            description='Such as "+86": where handsets are from whose numbers come without it, in '
            "messages and receipts.",
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
