"""The guard: when an hour's proofs are not believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dlr.hygiene.guard import Guard

NOW = datetime(2026, 1, 1, 12, 7, tzinfo=UTC)


def test_more_than_a_twentieth_of_at_least_fifty_waits() -> None:
    guard = Guard()
    guard.count(1, 49, 49, NOW)
    assert not guard.waits(1, NOW)
    guard.count(1, 1, 0, NOW)
    assert guard.waits(1, NOW)
    guard.count(1, 930, 0, NOW)
    assert not guard.waits(1, NOW)  # 49 of 980 are a twentieth
    guard.count(1, 1, 1, NOW)
    assert guard.waits(1, NOW)


def test_each_connector_has_its_own_hour_and_it_ends() -> None:
    guard = Guard()
    guard.count(1, 100, 50, NOW)
    assert guard.waits(1, NOW) and not guard.waits(2, NOW)
    assert guard.share(1, NOW) == (50, 100)
    assert guard.waits(1, NOW + timedelta(minutes=59))
    later = NOW + timedelta(minutes=75)
    assert not guard.waits(1, later)
    guard.count(1, 60, 1, later)
    assert guard.share(1, later) == (1, 60)


def test_it_counts_how_often_it_closed() -> None:
    guard = Guard()
    guard.count(1, 100, 50, NOW)
    assert [guard.waits(1, NOW) for _ in range(3)] == [True] * 3
    guard.count(1, 1000, 0, NOW)
    assert not guard.waits(1, NOW)
    guard.count(1, 10, 10, NOW)
    assert guard.waits(1, NOW)
    assert guard.closed == 2
