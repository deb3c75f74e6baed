"""Texts to SMPP addresses and back (E29, E74, E83)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smpp.addresses import AddressError, address, address_text


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
