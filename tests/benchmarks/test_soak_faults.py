"""What a long run says of its books, and which faults it leaves out."""

from __future__ import annotations

import pytest

from benchmarks.faults.schedule import FAULTS, Fault
from benchmarks.soak_faults import broken, spoils

BOOKS = {
    "accepted": 100, "lost": 0, "repeated": 0, "told": 100, "clicks": 5, "messages": 100,
    "ended": 100, "resent": 0,
}  # fmt: skip


def test_after_the_first_third_nothing_ends_or_misleads_what_is_measured() -> None:
    spared = {(kind, target) for kind, target in FAULTS if spoils(Fault(kind, target, 0, 0))}
    assert spared == {
        (kind, target) for kind in ("kill -9", "restart") for target in ("gateway", "link server")
    } | {("clock step", "gateway")}


def test_books_that_agree_break_nothing() -> None:
    assert broken(BOOKS, []) == []
    assert broken(BOOKS | {"repeated": 2, "resent": 3}, []) == []
    assert broken(BOOKS | {"ended": 98}, []) == []  # their receipts died with the carrier


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lost": 1}, "1 messages are lost"),
        ({"repeated": 2, "resent": 1}, "2 were repeated, 1 in doubt"),
        ({"messages": 101}, "101 are stored of 100 accepted"),
        ({"told": 99}, "99 webhooks came of 100"),
    ],
)
def test_each_promise_that_is_broken_is_said(changed: dict[str, int], said: str) -> None:
    assert broken(BOOKS | changed, []) == [said]


def test_a_program_that_ends_by_itself_breaks_one_too() -> None:
    assert broken(BOOKS, ["gateway ended with 1"]) == ["gateway ended with 1"]
