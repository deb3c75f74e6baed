"""Whom an account may text: countries, also where several share a code, and kinds of number."""

from __future__ import annotations

import pytest

from messages.accept.validation import Validator
from messages.models import AccountPolicy, Refused
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.plan import NumberPlan
from recipients.numbers.rules import NumberRules


@pytest.mark.parametrize(
    ("countries", "number", "allowed"),
    [
        ("", "+8613812345678", True),
        ("CN HK", "+8613812345678", True),
        ("HK", "+8613812345678", False),
        ("US", "+12025550123", True),
        ("US", "+14165550123", False),  # Canada, of the same code
        ("CA", "+14165550123", True),
        ("KZ", "+77012345678", True),
        ("RU", "+77012345678", False),
        ("CN", "+870773111632", False),  # a satellite's, which has no country
    ],
)
def test_a_country_is_that_of_the_number(countries: str, number: str, allowed: bool) -> None:
    fault = NumberRules(frozenset(countries.split())).fault(number)
    assert (None if fault is None else fault[0]) == (None if allowed else "country_not_allowed")


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+8613812345678", None),
        ("+861012345678", "number_landline"),
        ("+442079460018", "number_landline"),
        ("+12025550123", None),  # mobile and fixed lines share their numbers there
        ("+18005550123", "number_not_mobile"),
        ("+447911123456", None),
        ("+541123017883", None),  # a mobile number without its 9 looks like this, too
        ("+5491123017883", None),
        ("+551131234567", "number_landline"),
        ("+5511981234567", None),
    ],
)
def test_landlines_are_refused_where_the_account_says_so(number: str, code: str | None) -> None:
    assert NumberRules().fault(number) is None
    fault = NumberRules(refuse_landlines=True).fault(number)
    assert (None if fault is None else fault[0]) == code


def test_what_an_account_does_not_text_is_refused_by_its_code_and_counted() -> None:
    decisions: dict[tuple[str, str], int] = {}
    validator = Validator(
        numbers=NumberPlan(),
        route=lambda _to, _sender, _category, _account, _tags: 1,
        link_base_url="https://s.example",
        parts_max=10,
        validity_seconds_max=259_200,
        timing=TimingRules(),
        decisions=decisions,
    )
    rules = NumberRules(frozenset({"CN"}), refuse_landlines=True)
    account = AccountPolicy(id=1, name="shop", numbers=rules)
    for number, code in (
        ("+12025550123", "country_not_allowed"),
        ("+861012345678", "number_landline"),
        ("+1", "number_invalid"),
    ):
        refused = validator.check(b'{"to":"%b","text":"x"}' % number.encode(), account, now_ms=0)
        assert isinstance(refused, Refused)
        assert (refused.code, refused.errors[0].pointer) == (code, "/to")
    assert decisions == {
        ("country_not_allowed", "refused"): 1,
        ("number_landline", "refused"): 1,
    }
