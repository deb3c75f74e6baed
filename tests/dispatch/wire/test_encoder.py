"""From a ready message to its submit_sm: addresses, parts, references and validity."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.message import ReadyMessage
from dispatch.wire.encoder import concatenation_reference, encode_message
from dispatch.wire.wire_profile import WireProfile
from smpp.pdu import SubmitSm, decode, encode
from smpp.text import TooManyParts
from smpp.times import parse
from storage.ids import IdSource

NOW_MS = 1_790_000_000_000
UDH_INDICATOR = 0x40
LONG = "0123456789" * 40  # 400 septets: three parts


PROFILE = WireProfile()


def encoded(
    message: ReadyMessage, now_ms: int = NOW_MS, profile: WireProfile = PROFILE
) -> list[tuple[int, SubmitSm]]:
    return encode_message(message, profile, now_ms).unsent


def message(text: str = "hello", *, message_id: int = 77, **fields: object) -> ReadyMessage:
    defaults: dict[str, object] = {
        "category": 1, "account": 1, "parts": 1, "cost": 1, "to": "+8613812345678", "to_idx": b"",
        "sender": "SHOP",
    }  # fmt: skip
    return ReadyMessage(id=message_id, text=text, **(defaults | fields))  # type: ignore[arg-type]  # the fields' names are checked by the constructor


def header(submit_sm: SubmitSm) -> tuple[int, int, int]:
    """(reference, parts, number) of the concatenation element (3GPP TS 23.040, 9.2.3.24.1)."""
    octets = submit_sm.short_message
    assert octets[:3] == b"\x05\x00\x03"
    return octets[3], octets[4], octets[5]


def test_a_short_message_is_one_submit_sm_that_asks_for_a_receipt() -> None:
    [(number, submit_sm)] = encoded(message(), NOW_MS)
    assert number == 1
    assert (submit_sm.source_addr_ton, submit_sm.source_addr_npi) == (5, 0)
    assert (submit_sm.dest_addr_ton, submit_sm.dest_addr_npi) == (1, 1)
    assert (submit_sm.source_addr, submit_sm.destination_addr) == (b"SHOP", b"8613812345678")
    assert (submit_sm.short_message, submit_sm.data_coding, submit_sm.esm_class) == (b"hello", 0, 0)
    assert submit_sm.registered_delivery == 1
    assert submit_sm.validity_period == b""


def test_a_long_message_comes_last_part_first_so_that_pop_gives_the_first() -> None:
    parts = encoded(message(LONG, parts=3, cost=3))
    assert [number for number, _ in parts] == [3, 2, 1]
    assert [header(submit_sm)[1:] for _, submit_sm in parts] == [(3, 3), (3, 2), (3, 1)]
    assert all(submit_sm.esm_class & UDH_INDICATOR for _, submit_sm in parts)
    text = b"".join(submit_sm.short_message[6:] for _, submit_sm in reversed(parts))
    assert text == LONG.encode()


def test_e79_a_later_attempt_repeats_the_missing_parts_octet_for_octet() -> None:
    first = dict(encoded(message(LONG, parts=3, cost=3), NOW_MS))
    again = dict(
        encoded(
            message(LONG, parts=3, cost=1, attempt=2, parts_done=frozenset({1, 3})),
            NOW_MS + 60_000,
        )
    )
    assert list(again) == [2]
    assert again[2].short_message == first[2].short_message


@pytest.mark.parametrize("step_ms", [0, 1])
def test_e78_256_long_messages_in_a_row_have_256_references(step_ms: int) -> None:
    """Made within one millisecond, or one each."""
    ticks = iter(range(NOW_MS, NOW_MS + 1_000))
    ids = IdSource(5, (lambda: next(ticks)) if step_ms else (lambda: NOW_MS))
    references = {
        header(encoded(message(LONG, message_id=ids.next()), NOW_MS)[0][1])[0] for _ in range(256)
    }
    assert len(references) == 256


@given(st.integers(0, (1 << 63) - 1))
def test_the_reference_is_two_octets_at_most(message_id: int) -> None:
    assert 0 <= concatenation_reference(message_id) <= 0xFFFF


@pytest.mark.parametrize(
    ("left_ms", "validity"),
    [
        (90_000, timedelta(seconds=90)),
        (90_999, timedelta(seconds=90)),
        (1, timedelta(seconds=1)),  # 0 would mean: no validity at all
        (-5_000, timedelta(seconds=1)),
        (30 * 86_400_000, timedelta(days=30)),  # the longest that the configuration allows
    ],
)
def test_the_validity_is_what_is_left(left_ms: int, validity: timedelta) -> None:
    [(_, submit_sm)] = encoded(message(expires_at=NOW_MS + left_ms), NOW_MS)
    assert parse(submit_sm.validity_period) == validity


def test_chinese_goes_as_ucs2() -> None:
    [(_, submit_sm)] = encoded(message("【店】验证码 1234"), NOW_MS)
    assert submit_sm.data_coding == 8
    assert submit_sm.short_message.decode("utf-16-be") == "【店】验证码 1234"


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=300),
    st.sampled_from(["SHOP", "10690001", "+8613800000000", "106900011234"]),
)
def test_whatever_is_encoded_goes_over_the_wire_and_comes_back(text: str, sender: str) -> None:
    for _, submit_sm in encoded(message(text, sender=sender), NOW_MS):
        again = decode(encode(submit_sm))
        assert again == submit_sm


def test_a_text_of_too_many_parts_is_refused() -> None:
    with pytest.raises(TooManyParts):
        encoded(message("x" * 40_000), NOW_MS)


def test_a_message_without_a_sender_leaves_it_to_the_carrier() -> None:
    """SMPP 3.4, 5.2.8: source_addr may be empty; `Prepared.sender` "" is the carrier's default."""
    [(_, submit_sm)] = encoded(message(sender=""), NOW_MS)
    assert (submit_sm.source_addr_ton, submit_sm.source_addr_npi) == (0, 0)
    assert submit_sm.source_addr == b""
