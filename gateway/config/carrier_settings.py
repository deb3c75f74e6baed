"""The tables within a connector: what its carrier wants of texts, addresses and TLVs.

Owns the keys of these tables. Must not know who uses a setting, nor what it becomes on the wire
(wire.py).
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from gateway.config.base import Settings
from smpp.custom_tlvs import CUSTOM_TLV_OCTETS_MAX

AlphabetName = Literal["gsm7", "latin1", "ucs2"]
DataCoding = Annotated[int, Meta(ge=0, le=255)]
RECEIPT_STATES_MAX = CODES_MAX = 200
ReceiptWord = Annotated[
    str,
    Meta(
        pattern=r"\A[!-~]{1,32}\Z",
        extra={
            "expected": "a word as receipts write it: up to 32 ASCII characters without a blank"
        },
    ),
]
ReceiptOutcome = Literal["delivered", "undelivered", "rejected", "expired", "sent"]
CodeReason = Literal[
    "number_invalid", "number_unknown", "number_suspended", "handset_unreachable", "handset_full",
    "carrier_blocked", "content_filtered", "recipient_blocked", "throttled", "expired",
    "route_unavailable", "carrier_rejected", "unknown",
]  # fmt: skip
PriorityFlag = Annotated[int, Meta(ge=0, le=3)]
TonNpi = Annotated[tuple[Annotated[int, Meta(ge=0, le=255)], ...], Meta(min_length=2, max_length=2)]


class DataCodingSettings(Settings, frozen=True, kw_only=True):
    """The number by which the carrier knows an alphabet, where it is not the usual one."""

    gsm7: Annotated[
        DataCoding | None,
        Meta(description="GSM 03.38; unset: 0 where it is the default alphabet."),
    ] = None
    latin1: Annotated[
        DataCoding | None,
        Meta(description="ISO 8859-1; unset: 3, or 0 where it is the default alphabet."),
    ] = None
    ucs2: Annotated[
        DataCoding | None,
        Meta(description="UTF-16BE; unset: 8, or 0 where it is the default alphabet."),
    ] = None


class TonNpiSettings(Settings, frozen=True, kw_only=True):
    """Type of number and numbering plan, `[ton, npi]`, by the kind of address."""

    international: Annotated[
        TonNpi | None, Meta(description="`+` and up to 15 digits; unset: `[1, 1]`.")
    ] = None
    national: Annotated[
        TonNpi | None, Meta(description="9 to 17 digits behind one 0; unset: `[2, 1]`.")
    ] = None
    short_code: Annotated[TonNpi | None, Meta(description="Up to 8 digits; unset: `[3, 0]`.")] = (
        None
    )
    long_code: Annotated[
        TonNpi | None, Meta(description="Other digits, up to 20; unset: `[0, 1]`.")
    ] = None
    alphanumeric: Annotated[
        TonNpi | None, Meta(description="Up to 11 characters; unset: `[5, 0]`.")
    ] = None
    any: Annotated[TonNpi | None, Meta(description="Every kind that is not set here.")] = None


class PriorityFlagSettings(Settings, frozen=True, kw_only=True):
    """`priority_flag` of submit_sm, 0 (lowest) to 3, by category."""

    otp: Annotated[PriorityFlag, Meta(description="One-time passwords.")] = 0
    transactional: Annotated[PriorityFlag, Meta(description="Transactional.")] = 0
    service: Annotated[PriorityFlag, Meta(description="Service.")] = 0
    marketing: Annotated[PriorityFlag, Meta(description="Marketing.")] = 0


class IdRewriteSettings(Settings, frozen=True, kw_only=True):
    """What is rewritten in the carrier's ids before they are compared, in answers and receipts."""

    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=100,
            description="Regular expression: at most 2 repetitions, none of a group, no `(?`.",
        ),
    ]
    replacement: Annotated[
        str,
        Meta(max_length=100, description="What each match becomes; `\\1` is its first group."),
    ] = ""


class TlvSettings(Settings, frozen=True, kw_only=True):
    """One TLV on every message of the connector. Give one of `text`, `hex` and `integer`."""

    tag: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=64,
            description='Its tag: a number such as "0x1401" or "5121", or the name in SMPP.',
        ),
    ]
    text: Annotated[
        Annotated[str, Meta(max_length=CUSTOM_TLV_OCTETS_MAX)] | None,
        Meta(description="The value as text, UTF-8."),
    ] = None
    hex: Annotated[
        Annotated[str, Meta(max_length=2 * CUSTOM_TLV_OCTETS_MAX)] | None,
        Meta(description="The value's octets, hexadecimal."),
    ] = None
    integer: Annotated[
        Annotated[int, Meta(ge=0, le=(1 << 63) - 1)] | None,
        Meta(description="The value as a number, most significant octet first."),
    ] = None
    octets: Annotated[int, Meta(ge=1, le=8, description="Octets of `integer`: 1, 2, 4 or 8.")] = 4
    terminated: Annotated[bool, Meta(description="Whether a NUL follows `text`.")] = False
