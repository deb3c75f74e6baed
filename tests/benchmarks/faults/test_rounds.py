"""How long a run waits for its books to agree."""

from __future__ import annotations

from benchmarks.faults.rounds import RECOVERING_SECONDS_MAX, Patience


def test_it_ends_when_nothing_comes_nearer() -> None:
    patience = Patience(40.0)
    assert not patience.over(100.0, 5)
    assert not patience.over(139.0, 5)
    assert patience.over(141.0, 5)


def test_it_goes_on_as_long_as_it_comes_nearer() -> None:
    patience = Patience(40.0)
    for second in range(0, 160, 30):
        assert not patience.over(float(second), 1_000 - second)
    assert not patience.over(180.0, 1_000)  # more are missing again
    assert patience.over(191.0, 900)


def test_it_ends_at_last_however_near_it_comes() -> None:
    patience = Patience(40.0)
    assert not patience.over(0.0, 1_000)
    moments = range(1, int(RECOVERING_SECONDS_MAX) + 2)
    assert [patience.over(float(at), 1_000 - at) for at in moments].index(True) == len(moments) - 1


def test_who_is_asked_in_vain_is_asked_no_longer_than_that() -> None:
    patience = Patience(40.0)
    assert not patience.over(0.0)
    assert patience.over(41.0)
