"""What is masked in a line, and what is left as it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.log_masking import masked_fields, masked_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("to +8613812345678", "to +86138****5678"),
        ("value '8613812345678' is no row", "value '86138****5678' is no row"),
        ("key sk_AbCdEf012345 is unknown", "key sk_*** is unknown"),
        ("secret of it: whsec_AbC+/012345=", "secret of it: whsec_***"),
        ("postgresql://me:hush@db.example/sms", "postgresql://me:***@db.example/sms"),
        ("password=hush, user=me", "password=***, user=me"),
        ('{"password": "hush hush"}', '{"password": ***}'),
        ("msg_0akw0xgzm0001 after 1234567890 ms at 10.0.0.1:2775", None),
        ("2026-11-29T17:20:11.010000Z", None),
        ("74f72ba305b5105012345678901a", None),
        ("0x86138123456789", None),
    ],
)
def test_a_text_loses_its_secrets_and_nothing_else(text: str, shown: str | None) -> None:
    assert masked_text(text) == (text if shown is None else shown)


def test_fields_are_masked_wherever_they_stand_but_for_ids() -> None:
    event = {
        "event": "refused +8613812345678",
        "message_id": "12345678901234",
        "detail": {"to": ["+8613812345678", 7, None]},
        "count": 8613812345678,
        "error": ValueError("no +8613812345678"),
        "octets": b"8613812345678",
    }
    assert masked_fields(event) == {
        "event": "refused +86138****5678",
        "message_id": "12345678901234",
        "detail": {"to": ["+86138****5678", 7, None]},
        "count": 8613812345678,
        "error": "ValueError('no +86138****5678')",
        "octets": "b'86138****5678'",
    }


@given(
    st.from_regex(r"\A\+[1-9][0-9]{7,14}\Z"),
    st.sampled_from(["", " ", "'", '"', "(", "=", ":", ","]),
)
def test_no_number_gets_through_whatever_stands_around_it(number: str, around: str) -> None:
    assert number[1:] not in masked_text(f"a{around or ' '}{number}{around} b")
