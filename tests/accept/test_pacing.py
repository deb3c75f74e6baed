"""The timetables of accounts, senders, routes and recipients; one-time passwords never wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.accept import pacing
from gateway.accept.models import Prepared
from gateway.accept.pacing import STOPPED_NS, Pacing, PacingRates
from gateway.dispatch.holds import Hold
from ratelimit.spec import RateSpec, parse_rate
from storage.categories import Category

SECOND = 1_000_000_000
MARKETING, OTP = Category.MARKETING, Category.OTP


def message(
    account: int = 1, category: int = MARKETING, parts: int = 1, sender: str = "SHOP"
) -> Prepared:
    return Prepared(account, category, 1, "+8613812345678", sender, "", (), (), 0, parts)


def wait(pace: Pacing, message: Prepared, now: int = 0, to: bytes = b"a") -> int:
    return pace.wait_ns(message, to, now)[0]


def accounts(*rates: str) -> Pacing:
    return Pacing(
        PacingRates(accounts={number: parse_rate(rate) for number, rate in enumerate(rates, 1)})
    )


def test_an_account_without_a_rate_never_waits() -> None:
    pace = accounts("1/s")
    assert [wait(pace, message(2, parts=1_000)) for _ in range(10)] == [0] * 10


def test_each_account_has_its_own_timetable() -> None:
    pace = accounts("1/s", "1/s")
    assert [wait(pace, message(each)) for each in (1, 1, 2)] == [0, SECOND, 0]


def test_e39_parts_are_counted_not_messages() -> None:
    pace = accounts("10/s,burst=1")
    wait(pace, message(parts=5))
    assert wait(pace, message()) == SECOND // 2


def test_a_one_time_password_goes_at_once_and_the_others_pay() -> None:
    pace = Pacing(
        PacingRates(
            accounts={1: parse_rate("10/s,burst=1")},
            senders={(1, "SHOP"): parse_rate("10/s,burst=1")},
            routes={0: parse_rate("10/s,burst=1")},
            recipient_gap_ns=60 * SECOND,
        ),
        lambda _message: 0,
    )
    assert [wait(pace, message(category=OTP)) for _ in range(20)] == [0] * 20
    assert wait(pace, message()) == 2 * SECOND


def test_the_slowest_limit_decides_and_is_named() -> None:
    pace = Pacing(
        PacingRates(
            accounts={1: parse_rate("100/s,burst=1")},
            senders={(1, "SHOP"): parse_rate("1/s"), (2, "SHOP"): parse_rate("1/h")},
            routes={3: parse_rate("0.5/s")},
        ),
        lambda message: 3 if message.account == 1 else None,
    )
    assert pace.wait_ns(message(), b"a", 0) == (0, Hold.NONE)
    assert pace.wait_ns(message(), b"b", 0) == (2 * SECOND, Hold.ROUTE_RATE)
    assert pace.wait_ns(message(sender="OTHER"), b"c", 0) == (4 * SECOND, Hold.ROUTE_RATE)
    assert pace.wait_ns(message(2), b"d", 0) == (0, Hold.NONE)
    assert pace.wait_ns(message(2), b"e", 0) == (3600 * SECOND, Hold.SENDER_RATE)


def test_two_messages_to_one_number_keep_the_gap_and_others_do_not_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pacing, "RECIPIENTS_MAX", 2)
    pace = Pacing(PacingRates(recipient_gap_ns=10 * SECOND))
    assert [wait(pace, message(), to=to) for to in (b"a", b"a", b"b", b"a")] == [
        0, 10 * SECOND, 0, 20 * SECOND,
    ]  # fmt: skip
    assert pace.wait_ns(message(), b"a", 29 * SECOND) == (SECOND, Hold.RECIPIENT_RATE)
    assert wait(pace, message(category=OTP), to=b"a") == 0
    wait(pace, message(), to=b"c")  # one more than there is room for: the oldest is forgotten
    assert wait(pace, message(), to=b"b") == 0


def test_e40_a_rate_of_zero_stops_every_category_until_it_is_configured_away() -> None:
    pace = accounts("0/s", "1/s")
    for category in Category:
        assert pace.wait_ns(message(1, category), b"a", 0) == (STOPPED_NS, Hold.ACCOUNT_RATE)
    assert (pace.stopped(1, "SHOP"), pace.stopped(2, "SHOP")) == (Hold.ACCOUNT_RATE, None)
    assert wait(pace, message(2)) == 0
    pace.configure(PacingRates(accounts={1: parse_rate("1/s"), 2: parse_rate("1/s")}))
    assert pace.stopped(1, "SHOP") is None
    assert wait(pace, message(1)) == 0
    assert wait(pace, message(2)) == SECOND  # what did not change keeps what is reserved


@given(
    rate=st.integers(1, 1_000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 10)), max_size=60),
)
def test_e41_what_goes_within_any_span_keeps_the_rate(
    rate: int, burst: int, steps: list[tuple[int, int]]
) -> None:
    pace = Pacing(PacingRates(accounts={1: RateSpec(rate, 1, burst)}))
    now, gone = 0, []
    for elapsed, parts in steps:
        now += elapsed
        gone.append((now + wait(pace, message(parts=parts), now), parts))
    for first in range(len(gone)):
        sent = 0
        for at, parts in gone[first:]:
            sent += parts
            # The parts that are larger than the burst go when the timetable is empty.
            assert sent <= max(burst, parts) + rate * (at - gone[first][0]) / SECOND + 10 + 1
