"""Texts to SMPP addresses and back (E29, E74, E83)."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.addresses import AddressError, AddressSettings, address, address_text, kind_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+8613812345678", (1, 1, b"8613812345678")),
        ("+12", (1, 1, b"12")),
        ("+123456789012345", (1, 1, b"123456789012345")),
        ("12345", (3, 0, b"12345")),
        ("10690001", (3, 0, b"10690001")),
        ("106900012", (0, 1, b"106900012")),
        ("0" * 20, (0, 1, b"0" * 20)),
        ("8613812345678", (0, 1, b"8613812345678")),
        ("02012345678", (2, 1, b"02012345678")),
        ("013812345678", (2, 1, b"013812345678")),
        ("012345678", (2, 1, b"012345678")),
        ("01234567", (3, 0, b"01234567")),
        ("0086138123456", (0, 1, b"0086138123456")),
        ("SHOP", (5, 0, b"SHOP")),
        ("1stBank", (5, 0, b"1stBank")),
        ("My Shop 24", (5, 0, b"My Shop 24")),
        ("ABCDEFGHIJK", (5, 0, b"ABCDEFGHIJK")),
    ],
)
def test_e83_ton_and_npi_follow_from_the_text(text: str, expected: tuple[int, int, bytes]) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "+",
        "+1",
        "+0123456",
        "+1234567890123456",
        "+86 138 1234",
        "+86١٣٨",
        "1" * 21,
        "ABCDEFGHIJKL",
        "CAFÉ",
        "商城",
        "A\0B",
        "A\nB",
        "SHOP\n",
        "+8613812345678\n",
        "١٢٣",
    ],
)
def test_e83_what_no_address_can_carry_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        address(text)


ONE_OF_EACH = {
    "international": "+8613812345678",
    "national": "013812345678",
    "short_code": "12345",
    "long_code": "1069000012345",
    "alphanumeric": "SHOP",
}


def test_e83_a_connector_overrides_ton_and_npi_by_kind_and_by_side() -> None:
    wanted = msgspec.convert(
        {"source": {"alphanumeric": [5, 1], "short_code": [0, 9]}, "destination": {"any": [2, 1]}},
        AddressSettings,
    )
    for kind, text in ONE_OF_EACH.items():
        assert kind_of(text) == kind
        ton, npi, octets = address(text)
        expected = {"alphanumeric": (5, 1), "short_code": (0, 9)}.get(kind, (ton, npi))
        assert wanted.source_address(text) == (*expected, octets)
        assert wanted.destination_address(text) == (2, 1, octets)
        assert AddressSettings().source_address(text) == (ton, npi, octets)
        assert AddressSettings().destination_address(text) == (ton, npi, octets)
    # a kind by its name comes before "any", and (0, 0) is an override too
    both = AddressSettings(source={"any": (2, 2), "alphanumeric": (0, 0)})
    assert both.source_address("SHOP") == (0, 0, b"SHOP")
    assert both.source_address("12345") == (2, 2, b"12345")
    with pytest.raises(AddressError):
        wanted.source_address("")


@pytest.mark.parametrize(
    "fields",
    [
        {"source": {"any": [256, 0]}},
        {"destination": {"short_code": [0, -1]}},
        {"source": {"shortcode": [0, 0]}},
        {"source": {"any": [0]}},
        {"sender": {}},
    ],
)
def test_e83_an_override_that_no_address_can_have_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, AddressSettings)


@pytest.mark.parametrize("text", ["@shop", "shop@", "@"])
def test_e74_at_is_ascii_in_an_address(text: str) -> None:
    assert address(text) == (5, 0, text.encode("ascii"))


@given(
    st.one_of(
        st.text(max_size=25), st.from_regex(r"\+?[0-9]{1,22}", fullmatch=True), st.text("aB@ 1+")
    )
)
@settings(max_examples=200)
def test_e83_an_address_survives_the_wire(text: str) -> None:
    try:
        ton, _, octets = address(text)
    except AddressError as error:
        assert str(error)
    else:
        assert address_text(ton, octets) == text
        assert 1 <= len(octets) <= 20
        assert 0 not in octets


@given(st.integers(0, 255), st.binary(max_size=30))
def test_e29_no_address_from_a_peer_raises(ton: int, octets: bytes) -> None:
    assert isinstance(address_text(ton, octets), str)


def test_e29_an_international_address_gets_its_plus_back_once() -> None:
    assert address_text(1, b"8613812345678") == "+8613812345678"
    assert address_text(1, b"+8613812345678") == "+8613812345678"
    assert address_text(1, b"SHOP") == "SHOP"
    assert address_text(5, b"\xe9\x00") == "é\x00"
