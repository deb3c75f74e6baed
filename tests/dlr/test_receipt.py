"""Receipts in every dialect seen in the field (E1 to E7, E18, E25 to E29), and in none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.receipt import (
    NO_STATES,
    STATES,
    Receipt,
    normalise_id,
    parse_receipt,
)
from dlr.receipt_text import ID_CHARACTERS_MAX
from dlr.status import RECEIPT_STATUSES, Status
from smpp.user_data import plain_text

STANDARD = (
    b"id:0123456789 sub:001 dlvrd:001 submit date:2401011200 done date:2401011203 "
    b"stat:DELIVRD err:000 text:Hello"
)
DONE = datetime(2024, 1, 1, 12, 3, tzinfo=UTC)


def parse(
    text: bytes,
    *,
    tlv_id: bytes | None = None,
    state: int | None = None,
    network_error: bytes | None = None,
    states: Mapping[str, Status] = NO_STATES,
) -> Receipt | None:
    return parse_receipt(
        plain_text(text),
        receipted_message_id=tlv_id,
        message_state=state,
        network_error_code=network_error,
        states=states,
    )


def parsed(text: bytes, **tlvs: object) -> Receipt:
    receipt = parse(text, **tlvs)  # type: ignore[arg-type]  # the keywords of parse
    assert receipt is not None
    return receipt


def test_the_standard_text() -> None:
    receipt = parsed(STANDARD)
    assert receipt.carrier_id == "0123456789"
    assert receipt.status is Status.DELIVERED
    assert receipt.state == "DELIVRD"
    assert receipt.error == "000"
    assert receipt.done_at == DONE
    assert receipt.text_id is None


@pytest.mark.parametrize(
    "text",
    [
        # E27: order, case, spacing, separators, missing fields, NUL at the end, UCS-2
        b"stat:DELIVRD err:000 done date:2401011203 id:0123456789 text:Hello",
        b"ID:0123456789 SUB:001 DLVRD:001 SUBMIT DATE:2401011200 DONE DATE:2401011203 "
        b"STAT:DELIVRD ERR:000 TEXT:Hello",
        b"id: 0123456789 done date: 2401011203 stat: DELIVRD err: 000",
        b"id:0123456789,done_date:240101120300,stat:DELIVRD,err:000",
        b"id:0123456789\r\ndonedate:20240101120300\r\nstat:DELIVRD\r\nerr:000",
        b"id :0123456789 done date :2401011203 stat :DELIVRD err :000",
        STANDARD + b"\x00",
        STANDARD.decode().encode("utf-16-be"),
        STANDARD.replace(b"text:", b"Text:"),
        STANDARD.replace(b"Hello", b"\x00\xff\xfe\x01\x80"),
        STANDARD.replace(b"Hello", b"id:999 stat:EXPIRED err:001"),  # the customer's words
        b"text:id:999 stat:EXPIRED " + STANDARD[: STANDARD.index(b" text:")],
    ],
)
def test_dialects_say_the_same(text: bytes) -> None:
    receipt = parsed(text)
    assert receipt.carrier_id == "0123456789"
    assert receipt.status is Status.DELIVERED
    assert receipt.error == "000"
    assert receipt.done_at == DONE


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("DELIVRD", Status.DELIVERED),
        ("delivrd", Status.DELIVERED),
        ("EXPIRED", Status.EXPIRED),
        ("DELETED", Status.UNDELIVERED),
        ("UNDELIV", Status.UNDELIVERED),
        ("FAILED", Status.UNDELIVERED),
        ("SKIPPED", Status.UNDELIVERED),
        ("REJECTD", Status.REJECTED),
        ("ACCEPTD", Status.SENT),
        ("ENROUTE", Status.SENT),
        ("UNKNOWN", Status.SENT),
        ("BADSTAT", Status.SENT),
        ("0", Status.SENT),
    ],
)
def test_stat_words(word: str, status: Status) -> None:
    receipt = parsed(f"id:1 stat:{word} err:000".encode())
    assert receipt.status is status
    assert receipt.state == word


@pytest.mark.parametrize("word", ["MK:0001", "MBBLACK", "XA:0003"])
def test_a_carrier_code_in_place_of_the_stat_word_is_the_error(word: str) -> None:
    receipt = parsed(f"id:1 sub:001 stat:{word} err:000 text:x".encode())
    assert receipt.status is Status.UNDELIVERED
    assert receipt.error == word


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"id:1 stat:UNDELIV err:21b", "21b"),
        (b"id:1 stat:UNDELIV err:0001", "0001"),
        (b"id:1 stat:UNDELIV err: text:hello", None),
        (b"id:1 stat:UNDELIV", None),
        (b"id:1 stat:UNDELIV err:" + b"9" * 100, "9" * 32),
    ],
)
def test_errors_stay_text(text: bytes, error: str | None) -> None:
    assert parsed(text).error == error


@pytest.mark.parametrize(
    ("octets", "error"),
    [(b"\x03\x00\x01", "001"), (b"\x08\x01\x00", "8-256"), (b"\x03\x00", None), (b"", None)],
)
def test_network_error_code(octets: bytes, error: str | None) -> None:
    assert parsed(b"", tlv_id=b"1", state=5, network_error=octets).error == error


def test_a_receipt_of_tlvs_alone() -> None:  # E28
    receipt = parsed(b"", tlv_id=b"6aad5\x00", state=2)
    assert (receipt.carrier_id, receipt.status) == ("6aad5", Status.DELIVERED)
    assert receipt.state == "DELIVRD"
    assert parsed(b"", tlv_id=b"1", state=200).status is Status.SENT
    assert parsed(b"", tlv_id=b"1").status is Status.SENT


def test_the_tlv_id_goes_before_the_texts_and_both_are_kept_when_they_differ() -> None:  # E7
    receipt = parsed(b"id:0000436949 stat:DELIVRD", tlv_id=b"6aad5")
    assert (receipt.carrier_id, receipt.text_id) == ("6aad5", "0000436949")
    assert parsed(b"id:6aad5 stat:DELIVRD", tlv_id=b"6aad5").text_id is None
    assert parsed(b"id:77 stat:DELIVRD", tlv_id=b"\x00").carrier_id == "77"


def test_of_two_states_the_one_that_ranks_higher_counts() -> None:
    assert parsed(b"id:1 stat:DELIVRD", state=1).status is Status.DELIVERED
    assert parsed(b"id:1 stat:ENROUTE", state=5).status is Status.UNDELIVERED


@pytest.mark.parametrize("text", [b"", b"Hello", b"id:5 see you", b"id:", b"\xff\x00"])
def test_what_says_nothing_about_a_message_is_no_receipt(text: bytes) -> None:
    assert parse(text) is None


@pytest.mark.parametrize("text", [b"stat:DELIVRD", b"id: stat:DELIVRD", b"\0stat:DELIVRD\0"])
def test_a_state_without_an_id_leaves_it_to_another_key(text: bytes) -> None:
    assert (parsed(text).carrier_id, parsed(text).status) == ("", Status.DELIVERED)


@given(
    st.binary(max_size=300)
    | st.lists(
        st.sampled_from(
            [b"id:", b"stat:", b"err:", b"text:", b"done date:", b"DELIVRD", b"12", b" ", b"\x00"]
        )
        | st.binary(max_size=8),
        max_size=30,
    ).map(b"".join),
    st.none() | st.binary(max_size=80),
    st.none() | st.integers(),
    st.none() | st.binary(max_size=6),
)
def test_nothing_a_carrier_sends_raises(
    text: bytes, tlv_id: bytes | None, state: int | None, network_error: bytes | None
) -> None:
    receipt = parse(text, tlv_id=tlv_id, state=state, network_error=network_error)
    if receipt is None:
        return
    assert receipt.status in RECEIPT_STATUSES
    assert len(receipt.carrier_id) <= ID_CHARACTERS_MAX
    assert receipt.carrier_id or receipt.state
    stored = f"{receipt.carrier_id}{receipt.error}{receipt.state}{receipt.text_id}"
    assert "\x00" not in stored


identifiers = st.text("0123456789abcdefXYZ-", min_size=1, max_size=20)


@given(
    identifiers, st.sampled_from(sorted(STATES)), st.text("0123456789", min_size=10, max_size=10)
)
def test_the_quick_way_and_the_tolerant_way_agree(identifier: str, stat: str, date: str) -> None:
    plain = (
        f"id:{identifier} sub:001 dlvrd:001 submit date:{date} done date:{date} "
        f"stat:{stat} err:01 text:a"
    )
    # One more blank than the standard has, and the quick way does not apply.
    tolerant = parsed(plain.replace(" sub", "  sub").encode())
    quick = parsed(plain.encode())
    assert (quick.carrier_id, quick.status, quick.state, quick.error, quick.done_at) == (
        tolerant.carrier_id,
        tolerant.status,
        tolerant.state,
        tolerant.error,
        tolerant.done_at,
    )


@given(st.integers(0, 2**64), st.integers(0, 8), st.booleans())
def test_hex_and_decimal_meet_whatever_the_padding_and_case(
    number: int, zeros: int, upper: bool
) -> None:  # E1, E2, E5
    in_hex = "0" * zeros + (f"{number:X}" if upper else f"{number:x}")
    in_decimal = "0" * zeros + str(number)
    assert normalise_id(in_hex, "hex") == normalise_id(in_decimal.encode(), "dec") == str(number)


@pytest.mark.parametrize("base", ["opaque", "hex", "dec"])
@pytest.mark.parametrize("identifier", ["0a1b-4c", "00b8be19-3f1e-4f6c-8f2b-00aa11bb22cc", "SAR-1"])
def test_an_id_that_is_no_number_stays_as_it_is(identifier: str, base: str) -> None:  # E3, E4
    assert normalise_id(identifier, base) == identifier  # type: ignore[arg-type]  # one of the three


def test_opaque_keeps_zeros_and_case() -> None:
    assert normalise_id(b"00B8BE19\x00", "opaque") == "00B8BE19"


@pytest.mark.parametrize("zeros", ["0", "000"])
@pytest.mark.parametrize("base", ["hex", "dec"])
def test_zero_survives(zeros: str, base: str) -> None:
    assert normalise_id(zeros, base) == "0"  # type: ignore[arg-type]  # one of the three


def test_letters_are_no_decimal_number() -> None:
    assert normalise_id("00b8be19", "dec") == "00b8be19"
