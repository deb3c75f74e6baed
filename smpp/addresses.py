"""Owns the three forms of an SMPP address (TON, NPI, octets) and a text that people write (E83).

Must not know which numbers exist or who may use which sender. SMPP 3.4 sections 5.2.5 to 5.2.9.
Address octets are ASCII, not GSM 03.38, where "@" is 0x00 and would end the string (E74).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from msgspec import Struct as Record

from smpp.vocabulary import (
    NPI_ISDN,
    NPI_UNKNOWN,
    TON_ALPHANUMERIC,
    TON_INTERNATIONAL,
    TON_NATIONAL,
    TON_NETWORK_SPECIFIC,
    TON_UNKNOWN,
)

E164_DIGITS_MAX: Final = 15
# Up to this many digits it is a short code of the network; national numbers are longer.
SHORT_CODE_DIGITS_MAX: Final = 8
# What source_addr and destination_addr hold before their NUL; service codes such as 1069... use it.
ADDRESS_DIGITS_MAX: Final = 20
# Eleven 7-bit characters fit into the ten octets that a phone is given (TS 23.040 9.1.2.5).
ALPHANUMERIC_CHARACTERS_MAX: Final = 11

_INTERNATIONAL: Final = re.compile(rf"\+[1-9][0-9]{{1,{E164_DIGITS_MAX - 1}}}", re.ASCII)
_NATIONAL: Final = re.compile(
    rf"0[1-9][0-9]{{{SHORT_CODE_DIGITS_MAX - 1},{E164_DIGITS_MAX}}}", re.ASCII
)
_DIGITS: Final = re.compile(rf"[0-9]{{1,{ADDRESS_DIGITS_MAX}}}", re.ASCII)
_ALPHANUMERIC: Final = re.compile(rf"[ -~]{{1,{ALPHANUMERIC_CHARACTERS_MAX}}}", re.ASCII)


AddressKind = Literal["international", "national", "short_code", "long_code", "alphanumeric"]
_TON_NPI: Final[Mapping[AddressKind, tuple[int, int]]] = MappingProxyType(
    {
        "international": (TON_INTERNATIONAL, NPI_ISDN),
        "national": (TON_NATIONAL, NPI_ISDN),
        "short_code": (TON_NETWORK_SPECIFIC, NPI_UNKNOWN),
        # A service code, or a number without its plus: the carrier knows which.
        "long_code": (TON_UNKNOWN, NPI_ISDN),
        "alphanumeric": (TON_ALPHANUMERIC, NPI_UNKNOWN),
    }
)


class AddressError(ValueError):
    """The text is no address that SMPP can carry. The caller's to fix; says why."""


class AddressSettings(Record, frozen=True, forbid_unknown_fields=True):
    """The (TON, NPI) that one carrier wants for kinds of senders and of recipients (E83).

    "any" stands for every kind that is not named; a kind without either has the usual one. Raises
    ValueError for a number outside 0...255.
    """

    source: dict[AddressKind | Literal["any"], tuple[int, int]] = {}
    destination: dict[AddressKind | Literal["any"], tuple[int, int]] = {}

    def __post_init__(self) -> None:
        for kind, numbers in [*self.source.items(), *self.destination.items()]:
            if not all(0 <= number <= 0xFF for number in numbers):
                raise ValueError(f"TON and NPI of {kind} are 0 to 255, not {numbers}")

    def source_address(self, text: str) -> tuple[int, int, bytes]:
        """As ``address``, for a sender."""
        return _with_override(*_parse_sender(text), self.source)

    def destination_address(self, text: str) -> tuple[int, int, bytes]:
        """As ``address``, for a recipient."""
        return _with_override(*_parse(text), self.destination)


def _with_override(
    kind: AddressKind, octets: bytes, wanted: Mapping[AddressKind | Literal["any"], tuple[int, int]]
) -> tuple[int, int, bytes]:
    usual = _TON_NPI[kind]
    ton, npi = (wanted.get(kind) or wanted.get("any") or usual) if wanted else usual
    return ton, npi, octets


def address(text: str) -> tuple[int, int, bytes]:
    """(TON, NPI, octets) of a sender or recipient. Raises AddressError.

    - ``"+8613812345678"``: international (1, 1), E.164 without the plus.
    - Up to 8 digits: a short code (3, 0).
    - 9 to 17 digits with one leading 0, the trunk prefix that no country code begins with: national
      (2, 1).
    - Other 9 to 20 digits: unknown (0, 1), for the carrier to read.
    - Up to 11 characters of printable ASCII, not all digits: alphanumeric (5, 0).
    """
    kind, octets = _parse(text)
    ton, npi = _TON_NPI[kind]
    return ton, npi, octets


def kind_of(text: str) -> AddressKind:
    """What kind of address ``text`` is. Raises AddressError."""
    return _parse(text)[0]


def _parse(text: str) -> tuple[AddressKind, bytes]:
    if text[:1] == "+":
        if _INTERNATIONAL.fullmatch(text) is None:
            raise AddressError("a number with + must have 2 to 15 digits and not begin with 0")
        return "international", text[1:].encode()
    if _DIGITS.fullmatch(text) is not None:
        octets = text.encode("ascii")
        if len(octets) <= SHORT_CODE_DIGITS_MAX:
            return "short_code", octets
        return "national" if _NATIONAL.fullmatch(text) else "long_code", octets
    if _ALPHANUMERIC.fullmatch(text) is None or not text.strip():
        raise AddressError(
            "an address is + and up to 15 digits, up to 20 digits, "
            "or up to 11 printable ASCII characters"
        )
    return "alphanumeric", text.encode("ascii")


# Few senders send most messages, and remembering makes one fifteen times cheaper.
_parse_sender: Final = lru_cache(maxsize=1024)(_parse)


def address_text(ton: int, octets: bytes) -> str:
    """The text of an address that a peer sent: international digits get their plus back.

    Never raises (E29): octets that are no ASCII are read as Latin-1.
    """
    text = octets.decode("latin-1")
    if ton == TON_INTERNATIONAL and octets.isdigit():
        return "+" + text
    return text
