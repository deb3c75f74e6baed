"""The short memory of who was suppressed a moment ago."""

from __future__ import annotations

from datetime import UTC, datetime

from dlr.reasons import Reason
from recipients.just_stopped import KEEP_MS, NUMBERS_MAX, JustStopped
from storage.categories import Category
from storage.suppression import Suppression

NUMBER = b"n" * 16


def entry(to_idx: bytes = NUMBER, account: int = 0, category: int = -1) -> Suppression:
    return Suppression(to_idx, Reason.OPTED_OUT, "api", account=account, category=category)


def reason(
    stopped: JustStopped, now_ms: int, category: Category = Category.MARKETING, account: int = 1
) -> int | None:
    return stopped.reason(NUMBER, account, category, now_ms)


def test_account_and_category_decide_as_in_the_table() -> None:
    stopped = JustStopped()
    assert reason(stopped, 0) is None
    stopped.add([entry(account=1, category=Category.MARKETING)], 0)
    assert reason(stopped, 1) == Reason.OPTED_OUT
    assert reason(stopped, 1, Category.OTP) is None
    assert reason(stopped, 1, account=2) is None
    stopped.add([entry()], 0)
    assert reason(stopped, 1, Category.OTP, account=2) == Reason.OPTED_OUT
    stopped.remove([(NUMBER, 0, -1)])
    assert reason(stopped, 1, Category.OTP, account=2) is None
    assert reason(stopped, KEEP_MS - 1) == Reason.OPTED_OUT
    assert reason(stopped, KEEP_MS) is None


def test_an_entry_that_expires_is_not_remembered_longer() -> None:
    stopped = JustStopped()
    expires_at = datetime.fromtimestamp(60, UTC)
    stopped.add([Suppression(NUMBER, Reason.OPTED_OUT, "api", expires_at=expires_at)], 0)
    assert reason(stopped, 59_999) == Reason.OPTED_OUT
    assert reason(stopped, 60_000) is None


def test_it_is_bounded_and_the_oldest_goes() -> None:
    stopped = JustStopped()
    stopped.add([entry()], 0)
    others = [entry(number.to_bytes(16, "big")) for number in range(NUMBERS_MAX - 1)]
    stopped.add(others, 0)
    assert reason(stopped, 0) is not None
    stopped.add([entry(b"x" * 16)], 0)
    assert reason(stopped, 0) is None
