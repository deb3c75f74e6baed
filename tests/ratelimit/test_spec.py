"""How a rate is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ratelimit.spec import RateSpec, RateSpecError, parse_rate, rate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500/s", RateSpec(500, 1, 50)),
        ("10/s,burst=5", RateSpec(10, 1, 5)),
        ("3000/m", RateSpec(3000, 60, 5)),
        ("100/h", RateSpec(100, 3600, 1)),
        ("0.5/s", RateSpec(5, 10, 1)),
        ("0/s", RateSpec(0, 1, 1)),
        (" 10 / s , burst = 2 ", RateSpec(10, 1, 2)),
    ],
)
def test_notation(text: str, expected: RateSpec) -> None:
    assert parse_rate(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "500", "s", "-1/s", "500/x", "10/s,burst=0", "10/s,burst", "1e9/s", "99999999/s", "٣/s"],
)
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(RateSpecError, match="rate"):
        parse_rate(text)


@given(st.integers(0, 10**6), st.integers(1, 86_400))
def test_the_default_burst_is_a_tenth_of_a_second_and_at_least_one(
    amount: int, seconds: int
) -> None:
    burst = rate(amount, seconds).burst
    assert burst >= 1
    assert burst == 1 or burst * 10 * seconds <= amount
