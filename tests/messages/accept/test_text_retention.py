"""The field `retention`: what a message says, what its account says, and what is refused."""

from __future__ import annotations

import msgspec
import pytest

from messages.accept.validation import Validator
from messages.models import AccountPolicy, Prepared, Refused
from tests.messages.accept.test_validation import PLAIN, check, validator

__all__ = ["validator"]

KEEPS_7 = msgspec.structs.replace(PLAIN, text_days=7)


@pytest.mark.parametrize(
    ("account", "retention", "days"),
    [
        (PLAIN, None, None),
        (PLAIN, {"text": "keep"}, None),
        (PLAIN, {"text": "discard"}, 0),
        (PLAIN, {"text": {"days": 30}}, 30),
        (KEEPS_7, None, 7),
        (KEEPS_7, {"text": "keep"}, None),
        (KEEPS_7, {"text": "discard"}, 0),
    ],
)
def test_a_message_says_more_than_its_account(
    validator: Validator, account: AccountPolicy, retention: object, days: int | None
) -> None:
    found = check(validator, account, retention=retention)
    assert isinstance(found, Prepared)
    assert found.text_days == days


@pytest.mark.parametrize(
    ("retention", "code", "pointer"),
    [
        ({"text": "forget"}, "field_type", "/retention/text"),
        ({"text": {"days": 0}}, "out_of_range", "/retention/text/days"),
        ({"text": {"days": 3_651}}, "out_of_range", "/retention/text/days"),
        ({"text": {"days": "7"}}, "field_type", "/retention/text/days"),
        ({"text": {"days": 7, "hours": 1}}, "field_unknown", "/retention/text/hours"),
        ({"to": "obfuscate", "text": "keep"}, "field_unknown", "/retention/to"),
        ({}, "field_missing", "/retention/text"),
        ("discard", "field_type", "/retention"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_beside_the_rest(
    validator: Validator, retention: object, code: str, pointer: str
) -> None:
    found = check(validator, retention=retention, priority=99)
    assert isinstance(found, Refused)
    assert {(each.code, each.pointer) for each in found.errors} == {
        (code, pointer),
        ("out_of_range", "/priority"),
    }
