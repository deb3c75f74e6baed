"""Presets within providers' hours, and which span a person's message takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.windows import PRESETS, WEEKEND, choose, request_of, within
from messages.accept.send_times import check_window
from messages.requests import SendWindowRequest
from recipients.hours import EVERY_DAY, MINUTES_PER_DAY, Hours

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = st.sampled_from(
    [
        ZoneInfo(name)
        for name in (
            "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
            "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo",
        )
    ]
)  # fmt: skip
NIGHT = Hours(21 * 60, 8 * 60)
DAYS = st.integers(1, EVERY_DAY)
MINUTES = st.integers(0, MINUTES_PER_DAY - 1)


@st.composite
def spans(draw: st.DrawFn) -> Hours:
    start, length = draw(MINUTES), draw(st.integers(1, MINUTES_PER_DAY - 1))
    return Hours(start, (start + length) % MINUTES_PER_DAY, draw(DAYS))


@given(span=spans(), provider=st.tuples(MINUTES, MINUTES), minute=MINUTES, day=st.integers(0, 6))
def test_c20_what_is_left_is_open_when_both_are(
    span: Hours, provider: tuple[int, int], minute: int, day: int
) -> None:
    """C20: nothing goes outside of either, whatever the window is."""
    first, last = sorted(provider)
    left = within([span], [(first, last)])
    local = datetime(2026, 11, 9, tzinfo=UTC) + timedelta(days=day, minutes=minute)
    both = span.open_at(local) and first <= minute < last
    assert any(each.open_at(local) for each in left) == both


def test_no_hour_may_be_left() -> None:
    assert within(PRESETS["retail"][:1], [(8 * 60, 18 * 60)]) == ()
    assert within(PRESETS["retail"], []) == PRESETS["retail"]


@pytest.mark.parametrize(
    ("preset", "at", "from_"),
    [
        ("retail", "2026-11-10T09:00", "18:00"),  # a Tuesday
        ("retail", "2026-11-14T09:00", "10:00"),  # a Saturday
        ("catering", "2026-11-10T09:00", "11:00"),
        ("catering", "2026-11-10T12:00", "16:30"),
        ("catering", "2026-11-10T18:00", "11:00"),
        ("finance", "2026-11-14T09:00", "10:00"),
    ],
)
def test_the_span_that_opens_first_is_taken(preset: str, at: str, from_: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)
    chosen = choose(PRESETS[preset], moment, SHANGHAI)
    assert request_of(chosen, None)["from"] == from_


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_a_preset_is_a_window_that_messages_take_and_never_at_night(preset: str) -> None:
    for span in PRESETS[preset]:
        asked = request_of(span, "Asia/Shanghai")
        request = SendWindowRequest(
            start=str(asked["from"]), end=str(asked["to"]),
            days=tuple(asked["days"]), tz=str(asked["tz"]),  # type: ignore[arg-type]
        )  # fmt: skip
        window = check_window(request)
        assert (window.start, window.end, window.days) == (span.start, span.end, span.days)  # type: ignore[union-attr]
        assert span.start >= 7 * 60
        assert span.end <= 22 * 60


@given(minutes=st.integers(0, 2 * 366 * MINUTES_PER_DAY), zone=ZONES)
def test_of_any_zone_and_day_a_span_is_chosen(minutes: int, zone: ZoneInfo) -> None:
    """C16, C20: also on days of clock changes."""
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    chosen = choose(PRESETS["retail"], moment, zone)
    assert chosen in PRESETS["retail"]
    assert PRESETS["retail"][1].days == WEEKEND
