"""send_at, send_window, policy.quiet_hours and max_parts as a client writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dispatch.message import MessageOptions, SendWindow
from messages.accept.send_times import SEND_AT_DAYS_MAX
from messages.accept.validation import Validator
from messages.models import AccountPolicy, Prepared, Refused
from messages.rules.quiet_hours import TimingRules
from recipients.numbers.plan import NumberPlan

NOW = datetime(2026, 7, 1, 14, 0, tzinfo=UTC)  # 22:00 in Shanghai
NOW_MS = int(NOW.timestamp() * 1000)
PLAIN = AccountPolicy(id=1, name="default")


@pytest.fixture(scope="module")
def validator() -> Validator:
    return Validator(
        numbers=NumberPlan(),
        route=lambda _to, _sender, _category, _account, _tags: 1,
        link_base_url="https://s.example",
        parts_max=10,
        validity_seconds_max=259_200,
        timing=TimingRules(),
    )


def check(
    validator: Validator, account: AccountPolicy = PLAIN, **fields: Any
) -> Prepared | Refused:
    raw = msgspec.json.encode({"to": "+8613812345678", "text": "hello", **fields})
    return validator.check(raw, account, now_ms=NOW_MS)


def options(result: Prepared | Refused) -> MessageOptions | None:
    assert isinstance(result, Prepared), result
    return result.options


def test_a_moment_ahead_is_kept_and_one_just_passed_is_now(validator: Validator) -> None:
    for ahead in (timedelta(seconds=1), timedelta(days=SEND_AT_DAYS_MAX)):
        asked = check(validator, send_at=(NOW + ahead).isoformat())
        assert options(asked) == MessageOptions(send_at=int((NOW + ahead).timestamp() * 1000))
    in_china = check(validator, send_at="2026-07-01T22:00:01+08:00")
    assert options(in_china) == MessageOptions(send_at=NOW_MS + 1000)
    assert options(check(validator, send_at=(NOW - timedelta(seconds=60)).isoformat())) is None


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"send_at": "2026-07-01T13:58:59Z"}, "send_at_invalid", "/send_at"),
        ({"send_at": "2026-08-05T14:00:01Z"}, "send_at_invalid", "/send_at"),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, "send_at_invalid", "/send_at"),
        ({"send_at": "tomorrow"}, "field_type", "/send_at"),
        ({"send_at": "2026-07-01T23:00:00"}, "field_type", "/send_at"),
        ({"send_window": {"from": "10:00"}}, "field_missing", "/send_window/to"),
        (
            {"send_window": {"from": "10", "to": "12:00"}},
            "send_window_invalid",
            "/send_window/from",
        ),
        (
            {"send_window": {"from": "10:00", "to": "10:00"}},
            "send_window_invalid",
            "/send_window/to",
        ),
        (
            {"send_window": {"from": "10:00", "to": "12:00", "days": []}},
            "send_window_invalid",
            "/send_window/days",
        ),
        (
            {"send_window": {"from": "10:00", "to": "12:00", "tz": "../x"}},
            "send_window_invalid",
            "/send_window/tz",
        ),
        (
            {"send_window": {"from": "10:00", "to": "12:00", "days": ["Mon"]}},
            "field_type",
            "/send_window/days/0",
        ),
        ({"policy": {"quiet_hours": "ignore"}}, "policy_not_allowed", "/policy/quiet_hours"),
        ({"policy": {"quiet_hours": "no"}}, "field_type", "/policy/quiet_hours"),
        ({"max_parts": 0}, "out_of_range", "/max_parts"),
        ({"max_parts": 1, "text": "中" * 71}, "text_too_long", "/text"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_its_place(
    validator: Validator, fields: dict[str, Any], code: str, pointer: str
) -> None:
    refused = check(validator, **fields)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.errors[0].pointer) == (code, pointer)


def test_a_window_is_kept_as_minutes_and_days(validator: Validator) -> None:
    window = {"from": "18:00", "to": "24:00", "days": ["sat", "sun", "sat"], "tz": "Asia/Tokyo"}
    asked = options(check(validator, send_window=window))
    assert asked == MessageOptions(window=SendWindow(1080, 1440, 0b110_0000, "Asia/Tokyo"))
    assert msgspec.convert(msgspec.to_builtins(asked), MessageOptions) == asked


def test_an_exemption_is_the_keys(validator: Validator) -> None:
    exempt = AccountPolicy(id=1, name="default", may_ignore_quiet_hours=True)
    asked = check(validator, exempt, policy={"quiet_hours": "ignore"})
    assert options(asked) == MessageOptions(quiet_hours="ignore")


def test_validity_counts_from_the_moment_the_message_may_go(validator: Validator) -> None:
    """Ten in the morning there is two at night in UTC."""
    soon = (NOW + timedelta(hours=1)).isoformat()
    scheduled = check(validator, expires_in=60, send_at=soon)
    windowed = check(
        validator, expires_in=60, send_at=soon, send_window={"from": "10:00", "to": "12:00"}
    )
    assert isinstance(scheduled, Prepared)
    assert isinstance(windowed, Prepared)
    assert scheduled.expires_at == NOW_MS + 3_660_000
    ten = datetime(2026, 7, 2, 2, 0, tzinfo=UTC)
    assert windowed.expires_at == int(ten.timestamp() * 1000) + 60_000


def test_more_parts_than_the_gateway_allows_are_not_to_be_had(validator: Validator) -> None:
    refused = check(validator, max_parts=99, text="中" * 671)
    assert isinstance(refused, Refused)
    assert "10 are allowed" in refused.detail
