"""Presets within providers' hours, and which span a person's message takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.windows import (
    PRESETS,
    WEEKEND,
    Day,
    HolidayRule,
    Opening,
    Window,
    choose,
    opening,
    request_of,
    within,
)
from messages.accept.send_times import check_window
from messages.requests import SendWindowRequest
from recipients.hours import EVERY_DAY, MINUTES_PER_DAY, Hours, next_open

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


GOLDEN_WEEK = {date(2026, 10, day): Day.HOLIDAY for day in range(1, 8)}
SWAPPED = {date(2026, 9, 20): Day.WORK, date(2026, 10, 10): Day.WORK}


def chinese(day: date) -> Day:
    """October 2026, as the State Council has it."""
    usual = Day.WEEKEND if day.weekday() >= 5 else Day.WORK
    return {**GOLDEN_WEEK, **SWAPPED}.get(day, usual)


def window_of(preset: str | None, rule: HolidayRule | None = None) -> Window:
    spans = (Hours(0, MINUTES_PER_DAY),) if preset is None else PRESETS[preset]
    return Window(spans, None, preset=preset is not None, holidays=rule)


@pytest.mark.parametrize(
    ("preset", "rule", "at", "opens"),
    [
        ("finance", None, "2026-09-30T13:00", "2026-10-08T10:00"),
        ("finance", None, "2026-09-30T09:00", "2026-09-30T10:00"),
        ("finance", None, "2026-10-09T13:00", "2026-10-10T10:00"),  # a Saturday that is worked
        ("finance", "send", "2026-09-30T13:00", "2026-10-01T10:00"),
        ("finance", "send", "2026-10-09T13:00", "2026-10-12T10:00"),
        ("finance", "only", "2026-09-30T13:00", "2026-10-01T10:00"),
        ("retail", None, "2026-10-01T09:00", "2026-10-01T10:00"),  # as on a weekend
        ("retail", None, "2026-10-10T09:00", "2026-10-10T18:00"),  # it is worked
        ("retail", "skip", "2026-10-01T09:00", "2026-10-08T18:00"),
        ("catering", None, "2026-10-01T09:00", "2026-10-01T11:00"),
        ("catering", "skip", "2026-10-01T09:00", "2026-10-08T11:00"),
        (None, "skip", "2026-10-03T09:00", "2026-10-08T00:00"),
        (None, "only", "2026-09-10T09:00", "2026-10-01T00:00"),
    ],
)
def test_holidays_and_days_worked_instead(
    preset: str | None, rule: HolidayRule | None, at: str, opens: str
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=SHANGHAI)
    window = window_of(preset, rule)
    found = opening(window, moment, SHANGHAI, chinese)
    assert found is not None
    assert found.at == datetime.fromisoformat(opens).replace(tzinfo=SHANGHAI)
    assert next_open(found.begins or moment, found.span, SHANGHAI) == found.at


def test_c16_the_day_is_that_of_the_recipients_clock() -> None:
    """C16: at 17:00 UTC the holiday is over in Shanghai, and has not begun in New York."""
    late = datetime(2026, 10, 7, 17, tzinfo=UTC)
    found = opening(window_of(None, "skip"), late, SHANGHAI, chinese)
    assert found is not None
    assert found.at == late
    eve = datetime(2026, 9, 30, 17, tzinfo=UTC)
    there = ZoneInfo("America/New_York")
    assert opening(window_of(None, "only"), eve, SHANGHAI, chinese) == Opening(
        Hours(0, MINUTES_PER_DAY, EVERY_DAY), eve
    )
    found = opening(window_of(None, "only"), eve, there, chinese)
    assert found is not None
    assert found.at == datetime(2026, 10, 1, tzinfo=there)


def test_where_no_day_suits_for_weeks_there_is_no_opening() -> None:
    at = datetime(2026, 11, 1, tzinfo=SHANGHAI)
    assert opening(window_of(None, "only"), at, SHANGHAI, chinese) is None


@given(
    minutes=st.integers(0, 60 * MINUTES_PER_DAY),
    preset=st.sampled_from([*sorted(PRESETS), None]),
    rule=st.sampled_from([None, "skip", "send", "only"]),
    zone=ZONES,
)
def test_c20_a_dated_window_opens_on_a_day_that_suits(
    minutes: int, preset: str | None, rule: HolidayRule | None, zone: ZoneInfo
) -> None:
    """C20: whatever the moment, the zone and the rule."""
    window = window_of(preset, rule)
    at = datetime(2026, 9, 15, tzinfo=UTC) + timedelta(minutes=minutes)
    found = opening(window, at, zone, chinese)
    if found is None:
        assert rule == "only"
        return
    local = found.at.astimezone(zone)
    kind = chinese(local.date())
    assert found.span.open_at(local)
    assert not (rule == "skip" and kind is Day.HOLIDAY)
    assert not (rule == "only" and kind is not Day.HOLIDAY)
    if preset in ("finance", "office") and rule in (None, "skip"):
        assert kind is Day.WORK
