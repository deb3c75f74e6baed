"""Each person's best hour: of what is left of a day, within the window, and never a quiet one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from campaigns.running.best_hours import ANY_HOUR, BestHours, next_day
from campaigns.running.windows import PRESETS
from messages.rules.quiet_hours import TimingRules
from recipients.hours import Hours, next_open, parse_span
from recipients.numbers.time_zones import RecipientZones
from storage.categories import Category

SHANGHAI = ZoneInfo("Asia/Shanghai")
NUMBER = "+8613812345678"
ZONES = RecipientZones()
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
FRIDAY = datetime(2026, 6, 5, 9, 20, tzinfo=SHANGHAI)


def always(moment: datetime) -> datetime | None:
    return moment


def hours(**counts: int) -> list[int]:
    """48 with so many in `h10` (of a workday) or `w10` (of a weekend)."""
    found = [0] * 48
    for name, count in counts.items():
        found[int(name[1:]) + 24 * (name[0] == "w")] = count
    return found


def best(audience: list[int], *, quiet: str | None = None) -> BestHours:
    rules = TimingRules(
        quiet={} if quiet is None else {int(Category.MARKETING): parse_span(quiet)},
        default_zone=SHANGHAI,
    )

    def loud(to: str, at_ms: int) -> int | None:
        wait = rules.wait(to, 1, int(Category.MARKETING), None, at_ms)
        return at_ms if wait is None else wait.until

    return BestHours(audience, zone=SHANGHAI, of_numbers=ZONES, loud=loud)


def window(
    chosen: BestHours,
    own: list[int] | None,
    at: datetime = FRIDAY,
    *,
    spans: tuple[Hours, ...] = ANY_HOUR,
    named: str | None = None,
    to: str = NUMBER,
) -> tuple[object, object, object] | None:
    found = chosen.window(own, to, spans, named, int(at.timestamp() * 1000))
    return None if found is None else (found.start, found.end, found.tz)


def test_the_hour_in_which_somebody_reacts_most_is_taken() -> None:
    audience = hours(h10=30, h20=70)
    assert window(best(audience), None) == ("20:00", "21:00", "Asia/Shanghai")
    assert window(best(audience), hours(h10=5)) == ("10:00", "11:00", "Asia/Shanghai")
    assert window(best(audience), hours(w10=50)) == ("20:00", "21:00", "Asia/Shanghai")
    saturday = FRIDAY + timedelta(days=1)
    assert window(best(audience), hours(w12=1), saturday) == ("12:00", "13:00", "Asia/Shanghai")


def test_who_is_not_known_at_all_goes_at_once() -> None:
    assert window(best([0] * 48), None) == ("09:00", "10:00", "Asia/Shanghai")
    late = FRIDAY.replace(hour=9, minute=51)
    assert window(best([0] * 48), None, late) == ("10:00", "11:00", "Asia/Shanghai"), "too little"


def test_it_waits_within_the_day_and_not_for_tomorrows_hour() -> None:
    chosen = best(hours(h8=100, h15=1))
    assert window(chosen, None) == ("15:00", "16:00", "Asia/Shanghai")
    night = FRIDAY.replace(hour=23, minute=55)
    assert window(chosen, None, night) == ("00:00", "01:00", "Asia/Shanghai"), "a Saturday's"


def test_only_hours_of_the_window_are_taken_also_halves_of_them() -> None:
    chosen = best(hours(h10=100, h16=2, h17=3))
    assert window(chosen, None, spans=PRESETS["catering"]) == ("17:00", "17:30", "Asia/Shanghai")
    found = chosen.window(None, NUMBER, PRESETS["retail"], None, int(FRIDAY.timestamp() * 1000))
    assert found is not None
    assert (found.start, len(found.days or ())) == ("18:00", 7)
    weekend = (Hours(600, 1200, 0b110_0000),)
    assert window(chosen, None, spans=weekend) == ("10:00", "11:00", "Asia/Shanghai")
    assert window(chosen, None, spans=(Hours(600, 605),)) == ("10:00", "10:05", "Asia/Shanghai")


def test_c22_quiet_hours_win_over_the_best_one() -> None:
    chosen = best(hours(h21=100, h23=50, h20=1), quiet="21:00-08:00")
    assert window(chosen, None) == ("20:00", "21:00", "Asia/Shanghai")
    half = best(hours(h8=100, h9=1), quiet="21:00-08:30")
    dawn = FRIDAY.replace(hour=5)
    assert window(half, None, dawn) == ("08:00", "09:00", "Asia/Shanghai"), "half of it is loud"
    spans = (Hours(21 * 60, 23 * 60),)
    assert window(chosen, None, spans=spans) is None, "there is none in a week"


def test_hours_are_by_the_contacts_clock_else_the_numbers_else_the_accounts() -> None:
    chosen = best(hours(h20=1))
    assert window(chosen, None, named="Europe/Berlin") == ("20:00", "21:00", "Europe/Berlin")
    assert window(chosen, None, to="+4915112345678") == ("20:00", "21:00", "Europe/Berlin")
    assert window(chosen, None, to="+12025550123") is not None
    several = window(chosen, None, to="+79161234567")
    assert several is not None
    assert several[2] in {"Asia/Shanghai", "Europe/Moscow"}


@given(
    st.integers(0, 366 * 24 * 60),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]),
    st.sampled_from([ANY_HOUR, *PRESETS.values()]),
)
def test_c20_c22_what_is_left_lies_ahead_and_in_the_window_on_every_day(
    minute: int, name: str, spans: tuple[Hours, ...]
) -> None:
    zone, now = ZoneInfo(name), datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    quiet = parse_span("21:00-08:00").others

    def loud(moment: datetime) -> datetime | None:
        return next_open(moment, quiet, zone)

    day = next_day(spans, now, zone, loud)
    assert day is not None
    for hour, piece in day.left.items():
        assert hour * 60 <= piece.start < piece.end <= hour * 60 + 60
        assert any(
            span.open_at(MONDAY + timedelta(days=weekday, minutes=piece.start))
            for span in spans
            for weekday in range(7)
        )
        assert quiet.start < piece.end
        assert piece.start < quiet.end
    assert next_day((), now, zone, always) is None


def test_days_are_remembered_for_a_minute_and_no_longer() -> None:
    asked: list[int] = []

    def loud(_to: str, at_ms: int) -> int:
        asked.append(at_ms)
        return at_ms

    chosen = BestHours(hours(h20=1), zone=SHANGHAI, of_numbers=ZONES, loud=loud)
    window(chosen, None)
    first = len(asked)
    window(chosen, hours(h20=2))
    assert len(asked) == first > 0
    window(chosen, None, FRIDAY + timedelta(minutes=1))
    assert len(asked) > first
