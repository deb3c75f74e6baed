"""When a message may go: which rules and whose clock, at accept and again before the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.holds import Hold
from dispatch.message import Ended, Later, MessageOptions, ReadyMessage, SendWindow
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from messages.rules.quiet_hours import TimingRules, Wait
from messages.rules.quiet_hours_checks import TimingCheck, TimingLook
from recipients.hours import parse_span
from recipients.numbers.time_zones import RecipientZones
from storage.categories import Category
from storage.pool import Connection
from tests.messages.accept.world import prepared

NIGHT = parse_span("21:00-08:00")
CHINA, RUSSIA, UNKNOWN = "+8613812345678", "+79161234567", "+870773111632"
NO_DATABASE = cast("Connection", None)


def ms(zone: str, *fields: int) -> int:
    """A moment of the wall clock there."""
    moment = datetime(*fields, tzinfo=ZoneInfo(zone))  # type: ignore[misc,arg-type]
    return int(moment.timestamp() * 1000)


def rules(action: Literal["hold", "reject"] = "hold", **more: Any) -> TimingRules:
    return TimingRules(quiet={Category.MARKETING: NIGHT}, action=action, **more)


LATE = ms("Asia/Shanghai", 2026, 7, 1, 22, 0)
MORNING = ms("Asia/Shanghai", 2026, 7, 2, 8, 0)


def wait(options: MessageOptions | None = None, at_ms: int = LATE, to: str = CHINA) -> Wait | None:
    return rules().wait(to, 1, Category.MARKETING, options, at_ms)


def test_zones_come_from_the_number() -> None:
    zones = RecipientZones()
    assert [zone.key for zone in zones.of(CHINA)] == ["Asia/Shanghai"]
    assert [zone.key for zone in zones.of("+12025550123")] == ["America/New_York"]
    assert {"Europe/Moscow", "Asia/Kamchatka"} <= {zone.key for zone in zones.of(RUSSIA)}
    assert zones.of(UNKNOWN) == ()  # a satellite is nowhere


def test_e89_quiet_hours_are_those_of_the_recipient() -> None:
    assert wait() == Wait(MORNING, Hold.QUIET_HOURS)
    assert wait(at_ms=MORNING) is None
    assert rules().wait(CHINA, 1, Category.OTP, None, LATE) is None
    assert not rules().concerns(Category.OTP, None)


def test_e89_a_number_of_several_zones_is_texted_when_all_are_awake() -> None:
    kamchatka = ms("Asia/Kamchatka", 2026, 7, 1, 9, 0)
    found = wait(at_ms=kamchatka, to=RUSSIA)
    assert found is not None
    assert found.until == ms("Europe/Kaliningrad", 2026, 7, 1, 8, 0)


def test_e89_where_no_moment_fits_all_zones_the_accounts_zone_decides() -> None:
    midday = TimingRules(
        quiet={Category.MARKETING: parse_span("13:00-12:00")},
        account_zones={1: ZoneInfo("Europe/Moscow")},
    )
    found = midday.wait(RUSSIA, 1, Category.MARKETING, None, LATE)
    assert found == Wait(ms("Europe/Moscow", 2026, 7, 2, 12, 0), Hold.QUIET_HOURS)


def test_unknown_numbers_live_by_the_clock_of_the_account_or_the_default() -> None:
    both = rules(account_zones={1: ZoneInfo("Asia/Tokyo")}, default_zone=ZoneInfo("Asia/Dubai"))
    for account, zone in ((1, "Asia/Tokyo"), (2, "Asia/Dubai")):
        found = both.wait(UNKNOWN, account, Category.MARKETING, None, ms(zone, 2026, 7, 1, 22, 0))
        assert found == Wait(ms(zone, 2026, 7, 2, 8, 0), Hold.QUIET_HOURS)


TOLL_FREE = "+18002345678"  # anywhere in the United States
ACCOUNT_ZONES = {1: ZoneInfo("Asia/Shanghai"), 2: ZoneInfo("America/New_York")}
LUNCH = MessageOptions(window=SendWindow(12 * 60, 13 * 60))  # at no moment from Hawaii to Maine


def test_n1_the_answer_for_one_account_is_not_the_next_ones() -> None:
    for first, second in ((1, 2), (2, 1)):
        both = TimingRules(account_zones=ACCOUNT_ZONES)
        for account in (first, second):
            found = both.wait(TOLL_FREE, account, Category.MARKETING, LUNCH, LATE)
            zone = ACCOUNT_ZONES[account].key
            day = datetime.fromtimestamp(LATE / 1000, ZoneInfo(zone)).day
            noon = [ms(zone, 2026, 7, day + days, 12, 0) for days in (0, 1)]
            assert found == Wait(min(each for each in noon if each > LATE), Hold.SEND_WINDOW)


ASKED = st.lists(
    st.tuples(
        st.sampled_from([CHINA, RUSSIA, UNKNOWN, TOLL_FREE, "+18762101234", "+77011234567"]),
        st.integers(1, 4),  # the account; two have a zone
        st.sampled_from([Category.MARKETING, Category.SERVICE, Category.OTP]),
        st.one_of(
            st.none(),
            st.builds(
                MessageOptions,
                window=st.builds(
                    SendWindow,
                    st.sampled_from([0, 600, 720]),
                    st.sampled_from([660, 780, 1200]),
                    zone=st.sampled_from([None, "Asia/Tokyo", "No/Where"]),
                ),
                quiet_hours=st.sampled_from([None, "hold", "reject", "ignore"]),
            ),
        ),
        st.integers(LATE, LATE + 120_000),
    ),
    min_size=2,
    max_size=12,
)


@given(ASKED)
def test_n1_what_was_asked_before_changes_no_answer(
    asked: list[tuple[str, int, int, MessageOptions | None, int]],
) -> None:
    def policy() -> TimingRules:
        return TimingRules(
            quiet={Category.MARKETING: NIGHT, Category.SERVICE: parse_span("13:00-12:00")},
            account_zones=ACCOUNT_ZONES,
        )

    shared = policy()
    for question in asked:
        assert shared.wait(*question) == policy().wait(*question)


def test_a_message_may_be_exempt_or_rather_not_sent() -> None:
    assert wait(MessageOptions(quiet_hours="ignore")) is None
    rejected = wait(MessageOptions(quiet_hours="reject"))
    assert rejected == Wait(None, Hold.QUIET_HOURS, rejected=True)
    assert rules("reject").wait(CHINA, 1, Category.MARKETING, None, LATE) == rejected
    kept = MessageOptions(quiet_hours="hold")
    assert rules("reject").wait(CHINA, 1, Category.MARKETING, kept, LATE) == wait()


def test_a_window_and_the_quiet_hours_hold_together() -> None:
    lunch = MessageOptions(window=SendWindow(11 * 60, 12 * 60))
    noon = ms("Asia/Shanghai", 2026, 7, 2, 11, 0)
    assert wait(lunch) == Wait(noon, Hold.SEND_WINDOW)
    late = MessageOptions(window=SendWindow(20 * 60, 23 * 60))
    assert wait(late) == Wait(ms("Asia/Shanghai", 2026, 7, 2, 20, 0), Hold.QUIET_HOURS)
    never = MessageOptions(window=SendWindow(22 * 60, 23 * 60))
    assert wait(never) == Wait(None, Hold.QUIET_HOURS)
    elsewhere = MessageOptions(window=SendWindow(11 * 60, 12 * 60, zone="Asia/Tokyo"))
    assert wait(elsewhere) == Wait(ms("Asia/Tokyo", 2026, 7, 2, 11, 0), Hold.SEND_WINDOW)


@pytest.mark.parametrize(
    ("found", "expires_at", "end"),
    [
        (Wait(MORNING, Hold.QUIET_HOURS), None, None),
        (Wait(MORNING, Hold.QUIET_HOURS), MORNING + 1, None),
        (Wait(MORNING, Hold.QUIET_HOURS), MORNING, (Status.EXPIRED, Reason.QUIET_HOURS)),
        (Wait(None, Hold.SEND_WINDOW), None, (Status.SUPPRESSED, Reason.SEND_WINDOW)),
        (Wait(None, Hold.QUIET_HOURS, True), None, (Status.SUPPRESSED, Reason.QUIET_HOURS)),
    ],
)
def test_what_cannot_wait_ends(
    found: Wait, expires_at: int | None, end: tuple[Status, Reason] | None
) -> None:
    ended = found.end(expires_at)
    assert (None if ended is None else (ended.status, ended.reason)) == end


def accepting(**fields: Any) -> Accepting:
    category = fields.pop("category", Category.MARKETING)
    message = prepared(12345678, category, **fields)
    return Accepting(1, message, b"", b"", None, message.text, None)


async def test_at_accept_messages_are_held_scheduled_or_ended() -> None:
    items = [
        accepting(),
        accepting(options=MessageOptions(send_at=MORNING)),
        accepting(options=MessageOptions(send_at=LATE - 1000)),
        accepting(expires_at=LATE + 60_000),
        accepting(category=Category.OTP),
        accepting(category=Category.OTP, options=MessageOptions(send_at=LATE + 5000)),
    ]
    await TimingCheck(rules(), lambda: LATE).decide(NO_DATABASE, items)
    morning = datetime.fromtimestamp(MORNING / 1000, UTC)
    soon = datetime.fromtimestamp(LATE / 1000, UTC) + timedelta(seconds=5)
    assert [(item.hold, item.not_before) for item in items] == [
        (Hold.QUIET_HOURS, morning),
        (Hold.SCHEDULED, morning),
        (Hold.QUIET_HOURS, morning),
        (Hold.NONE, None),
        (Hold.NONE, None),
        (Hold.SCHEDULED, soon),
    ]
    assert [item.ended is not None for item in items] == [False, False, False, True, False, False]


async def test_before_the_wire_what_waited_into_the_night_waits_on() -> None:
    def ready(message_id: int, **fields: Any) -> ReadyMessage:
        return ReadyMessage(
            message_id, fields.pop("category", Category.MARKETING), 1, 1, 1, CHINA, b"", "", "x",
            **fields,
        )  # fmt: skip

    messages = [
        ready(1),
        ready(2, expires_at=LATE + 60_000),
        ready(3, options=MessageOptions(quiet_hours="reject")),
        ready(4, options=MessageOptions(quiet_hours="ignore")),
        ready(5, category=Category.OTP),
    ]
    verdicts = await TimingLook(rules(), lambda: LATE).decide(NO_DATABASE, messages)
    assert verdicts[1] == Later(MORNING, Hold.QUIET_HOURS)
    ends = [verdicts[number] for number in (2, 3)]
    assert [end.status for end in ends if isinstance(end, Ended)] == [
        Status.EXPIRED,
        Status.SUPPRESSED,
    ]
    assert verdicts.keys() == {1, 2, 3}
