"""Tests of campaigns/templates/variables.py."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.templates.values import units
from campaigns.templates.variables import (
    Unfit,
    Variable,
    Worded,
    fallback_fault,
    longest,
    max_fault,
    source_fault,
    worded,
)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("text", "王女士", "王女士"), ("text", 3, "3"),
        ("int", "007", "7"), ("int", -5, "-5"), ("int", 12.0, "12"),
        ("money", "20.00", "20"), ("money", "20.5", "20.50"), ("money", Decimal("1E+2"), "100"),
        ("money", 0, "0"), ("money", "-0.00", "0"),
        ("date", "2026-11-11", "2026-11-11"), ("date", date(2026, 1, 2), "2026-01-02"),
        ("date", "2026-11-11T10:00:00+08:00", "2026-11-11"),
        ("date", datetime(2026, 11, 11, tzinfo=UTC), "2026-11-11"),
        ("code", "AB-12", "AB-12"), ("code", 271828, "271828"),
    ],
)  # fmt: skip
def test_a_value_has_the_form_of_its_type(kind: Any, value: object, text: str) -> None:
    assert worded(Variable(type=kind, max=12), value) == Worded(text, {})


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("text", None, "missing"), ("text", "  ", "blank"), ("text", "{}", "blank"),
        ("text", "一二三四五六七八九", "too_long"), ("text", "😀😀😀😀1", "too_long"),
        ("text", True, "invalid"), ("text", ["x"], "invalid"), ("text", "x" * 2_000, "too_long"),
        ("int", "1.5", "invalid"), ("int", True, "invalid"), ("int", "123456789", "too_long"),
        ("money", "1.234", "invalid"), ("money", "NaN", "invalid"), ("money", "1e999", "invalid"),
        ("money", "20元", "invalid"), ("money", True, "invalid"), ("money", "Infinity", "invalid"),
        ("date", "2026-02-30", "invalid"), ("date", "11.11", "invalid"), ("date", 5, "invalid"),
        ("date", "2026-11-11x", "invalid"),
        ("code", "a b", "invalid"), ("code", "码", "invalid"), ("code", 1.5, "invalid"),
    ],
)  # fmt: skip
def test_what_does_not_fit_says_why(kind: Any, value: object, why: str) -> None:
    assert worded(Variable(type=kind, max=8), value) == Unfit(why)


def test_dates_in_chinese() -> None:
    short = Variable(type="date", max=6, form="month_day")
    assert worded(short, "2026-01-02") == Worded("1月2日", {})
    long = Variable(type="date", max=11, form="year_month_day")
    assert worded(long, "2026-12-28") == Worded("2026年12月28日", {})


@given(
    st.sampled_from(["text", "int", "money", "date", "code"]),
    st.text() | st.integers() | st.floats() | st.decimals() | st.dates() | st.none(),
)
def test_no_value_is_longer_than_the_longest(kind: Any, value: object) -> None:
    variable = Variable(type=kind, max=12)
    found = worded(variable, value)
    if isinstance(found, Worded):
        assert found.text.strip()
        assert units(found.text) <= units(longest(variable))


def test_a_fallback_counts_as_a_value_does() -> None:
    assert longest(Variable(type="int", max=3, fallback="若干")) == "国国国"
    assert longest(Variable(type="date", max=20, fallback="the end of November")) == (
        "the end of November"
    )


def test_what_a_definition_may_not_say() -> None:
    assert fallback_fault(Variable(type="text", max=2, fallback="会员朋友")) == "is too long"
    assert fallback_fault(Variable(type="text", max=2, fallback=" ")) == "is blank"
    assert "braces" in str(fallback_fault(Variable(type="text", max=9, fallback="{会员}")))
    assert fallback_fault(Variable(type="int", max=9, fallback="若干")) is None
    assert max_fault(Variable(type="text", max=0)) == "is 1 to 200"
    assert "10" in str(max_fault(Variable(type="date", max=9)))
    assert source_fault("attr.last_order") is None
    assert source_fault("contact.external_id") is None
    assert source_fault("contact.to") is not None
    assert source_fault("attr.a b") is not None
