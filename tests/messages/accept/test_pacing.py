"""The timetables of accounts, senders, routes and recipients; one-time passwords never wait."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.holds import Hold
from dispatch.message import Released
from messages.accept import recipient_gap
from messages.accept.pacing import AHEAD_NS, STOPPED_NS, Pacing, PacingRates
from messages.models import Prepared
from ratelimit import timetable
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
    assert wait(pace, message()) == 1_100_000_000  # the debt is bounded


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
    monkeypatch.setattr(recipient_gap, "RECIPIENTS_MAX", 2)
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
    pace.configure(PacingRates(accounts={1: parse_rate("1/s"), 2: parse_rate("1/s")}), 0)
    assert pace.stopped(1, "SHOP") is None
    assert wait(pace, message(1)) == 0
    assert wait(pace, message(2)) == SECOND  # what did not change keeps what is reserved


def test_what_a_sender_holds_up_costs_its_account_nothing_meanwhile() -> None:
    pace = Pacing(
        PacingRates(
            accounts={1: parse_rate("10/s,burst=1")}, senders={(1, "SLOW"): parse_rate("1/s")}
        )
    )
    slow = [wait(pace, message(sender="SLOW")) for _ in range(5)]
    assert slow == [each * SECOND for each in range(5)]
    others = [wait(pace, message(sender="OTHER")) for _ in range(20)]
    everything = sorted([*slow, *others])  # every tenth of a second, and nobody twice
    assert everything[:23] == [each * SECOND // 10 for each in range(23)]


def test_a_gap_holds_also_before_a_moment_that_was_given_out() -> None:
    pace = Pacing(
        PacingRates(senders={(1, "SLOW"): parse_rate("1/m")}, recipient_gap_ns=10 * SECOND)
    )
    wait(pace, message(sender="SLOW"), to=b"other")
    assert wait(pace, message(sender="SLOW"), to=b"a") == 60 * SECOND
    assert [wait(pace, message(), now=40 * SECOND, to=b"a") for _ in range(3)] == [
        0, 10 * SECOND, 30 * SECOND,
    ]  # fmt: skip


def released(hold: Hold, category: int = MARKETING, message_id: int = 1) -> Released:
    return Released(message_id, 1, category, 1, "SLOW", "+8613812345678", b"a", (), hold)


def test_what_is_released_keeps_every_limit() -> None:
    pace = Pacing(
        PacingRates(
            accounts={1: parse_rate("10/s,burst=1")},
            senders={(1, "SLOW"): parse_rate("5/s,burst=1")},
            routes={0: parse_rate("2/s,burst=1")},
            recipient_gap_ns=SECOND,
        ),
        lambda message: 0 if message.to == "+8613812345678" else None,
    )
    waits = [pace.released_wait_ns(released(Hold.SCHEDULED), 0) for _ in range(2)]
    assert waits == [(0, Hold.NONE), (SECOND, Hold.RECIPIENT_RATE)]
    assert pace.released_wait_ns(released(Hold.QUIET_HOURS, OTP), 0) == (0, Hold.NONE)
    pace.configure(PacingRates(routes={0: parse_rate("0/s")}), 0)
    assert pace.released_wait_ns(released(Hold.RATE), 0) == (STOPPED_NS, Hold.ROUTE_RATE)


def test_what_limits_that_are_newer_than_a_message_do_not_know_is_asked_once_more() -> None:
    account, sender = parse_rate("10/s,burst=1"), parse_rate("10/s,burst=1")
    rates = PacingRates(accounts={1: account}, senders={(1, "SLOW"): sender})
    pace = Pacing(rates, since=100)  # a start: all timetables are empty
    assert wait(pace, message(sender="SLOW")) == 0
    old = [released(Hold.SENDER_RATE, message_id=each) for each in range(3)]
    tenth = SECOND // 10
    put_off = [pace.released_wait_ns(each, 0) for each in old]
    assert put_off == [(each * tenth, Hold.ACCOUNT_RATE) for each in (1, 2, 3)]
    # Their new moments are known, and come.
    assert [pace.released_wait_ns(each, 0) for each in old] == [(0, Hold.NONE)] * 3
    assert wait(pace, message(sender="OTHER")) == 4 * tenth
    # A reload: only the limit that has changed is asked, the others have counted it.
    slower = PacingRates(accounts={1: account}, senders={(1, "SLOW"): parse_rate("1/s")})
    assert pace.configure(slower, 200) == frozenset()
    for each, waits in ((150, 0), (151, SECOND), (250, 0)):
        found = released(Hold.ACCOUNT_RATE, message_id=each)
        assert pace.released_wait_ns(found, 0)[0] == waits


def test_what_lets_more_go_than_before_is_named() -> None:
    slow, fast = parse_rate("1/s"), parse_rate("2/s")
    pace = Pacing(
        PacingRates(
            accounts={1: slow, 2: slow, 3: fast},
            senders={(4, "A"): slow},
            routes={0: slow},
            recipient_gap_ns=2,
        )
    )
    new = PacingRates(
        accounts={1: slow, 2: fast, 3: slow}, senders={(4, "A"): fast}, recipient_gap_ns=1
    )
    assert pace.configure(new, 0) == {
        (Hold.ACCOUNT_RATE, 2), (Hold.SENDER_RATE, 4), (Hold.ROUTE_RATE, None),
        (Hold.RECIPIENT_RATE, None),
    }  # fmt: skip


def test_what_finds_no_room_in_a_timetable_stands_behind_it_and_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timetable, "STRETCHES_MAX", 20)
    pace = Pacing(
        PacingRates(
            accounts={1: parse_rate("10/s,burst=1")}, senders={(1, "SLOW"): parse_rate("1/s")}
        )
    )
    found = [pace.wait_ns(message(sender="SLOW"), b"", 0) for _ in range(60)]
    booked = [wait for wait, hold in found if hold != Hold.RATE]
    behind = [wait for wait, hold in found if hold == Hold.RATE]
    assert booked == [each * SECOND for each in range(20)]
    assert behind == [each * SECOND - AHEAD_NS for each in range(20, 60)]
    assert wait(pace, message(sender="OTHER")) == SECOND // 10  # there is room for who goes soon
    # Its sender's next one does not overtake them, although room has come since.
    now = 15 * SECOND
    assert pace.wait_ns(message(sender="SLOW"), b"", now) == (35 * SECOND, Hold.RATE)
    assert pace.released_wait_ns(released(Hold.RATE), now) == (5 * SECOND, Hold.SENDER_RATE)
    assert wait(pace, message(sender="SLOW"), now=200 * SECOND) == 0


SENDERS = ("A", "B", "")
rates = st.builds(RateSpec, st.integers(1, 50), st.just(1), st.integers(1, 10))


@given(
    limits=st.tuples(rates, rates, rates, rates),
    gap=st.sampled_from([0, SECOND // 3]),
    steps=st.lists(
        st.tuples(
            st.integers(0, SECOND // 2), st.integers(1, 4), st.sampled_from(SENDERS),
            st.sampled_from([b"x", b"y", b"z"]), st.booleans(),
        ),
        max_size=50,
    ),
)  # fmt: skip
def test_e41_no_limit_is_exceeded_in_any_second_and_none_waits_without_need(
    limits: tuple[RateSpec, RateSpec, RateSpec, RateSpec],
    gap: int,
    steps: list[tuple[int, int, str, bytes, bool]],
) -> None:
    account, one, other, route = limits
    pace = Pacing(
        PacingRates(
            accounts={1: account},
            senders={(1, "A"): one, (1, "B"): other},
            routes={0: route},
            recipient_gap_ns=gap,
        ),
        lambda message: 0 if message.tags else None,
    )
    now = 0
    gone: dict[object, list[tuple[int, int]]] = {}
    for elapsed, parts, sender, to, tagged in steps:
        now += elapsed
        asked = message(parts=parts, sender=sender)
        asked.tags = ("t",) if tagged else ()
        wait_ns, hold = pace.wait_ns(asked, to, now)
        named = {
            Hold.ACCOUNT_RATE: account,
            Hold.SENDER_RATE: {"A": one, "B": other}.get(sender),
            Hold.ROUTE_RATE: route if tagged else None,
        }
        for key, spec in named.items():
            if spec is not None:
                subject = (key, sender if key is Hold.SENDER_RATE else "")
                gone.setdefault(subject, []).append((now + wait_ns, parts))
                if key is hold:
                    needed(gone[subject], spec)
        gone.setdefault(to, []).append((now + wait_ns, 1))
    specs = {
        (Hold.ACCOUNT_RATE, ""): account, (Hold.SENDER_RATE, "A"): one,
        (Hold.SENDER_RATE, "B"): other, (Hold.ROUTE_RATE, ""): route,
    }  # fmt: skip
    for subject, spec in specs.items():
        for start, _ in gone.get(subject, ()):
            within = [n for at, n in gone[subject] if start <= at < start + SECOND]
            assert sum(within) <= spec.per_second + max(spec.burst, *within) + 1e-6
    for to in (b"x", b"y", b"z") if gap else ():
        moments = sorted(at for at, _ in gone.get(to, ()))
        assert all(b - a >= gap for a, b in pairwise(moments))


def needed(gone: list[tuple[int, int]], spec: RateSpec) -> None:
    """The last of these waits for a limit that was in use around its moment.

    Within a burst's worth of time before and after it (the quantum) all went that may.
    """
    at, parts = gone[-1]
    quantum = max(spec.burst, *(n for _, n in gone)) * SECOND / spec.per_second
    around = sum(n for when, n in gone if at - quantum - 1 <= when <= at + quantum + 1)
    assert around > max(spec.burst, parts) - 1
