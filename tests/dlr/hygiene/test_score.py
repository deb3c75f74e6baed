"""The score of a number: its vectors, and what can never move it the wrong way."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.hygiene.proof import Kind
from dlr.hygiene.score import Day, score

START = date(2026, 1, 1)
D, T, S, P = Kind.DELIVERED, Kind.TEMPORARY, Kind.AMBIGUOUS, Kind.PRUNE


def on(day: int) -> date:
    return START + timedelta(days=day)


def days(*evidence: tuple[int, Kind]) -> list[Day]:
    return [Day(on(day), kind) for day, kind in evidence]


VECTORS = [
    pytest.param((), 0, 0.75, id="none"),
    pytest.param(((0, D),), 0, 0.80, id="delivered today"),
    pytest.param(((0, D),), 180, 0.7647, id="delivered 180 days ago"),
    pytest.param(((0, T), (1, T), (2, T)), 2, 0.698, id="temporary on 3 days"),
    pytest.param(tuple((day, T) for day in range(10)), 9, 0.6041, id="temporary on 10 days"),
    pytest.param(((0, S), (7, S), (14, S)), 14, 0.5532, id="ambiguous on days 0, 7, 14"),
    pytest.param(((0, P),), 0, 0.30, id="proof today"),
    pytest.param(((0, P),), 180, 0.5455, id="proof 180 days ago"),
    pytest.param(((0, D), (90, P)), 90, 0.3333, id="proof 90 days after a delivery"),
    pytest.param(((0, P), (10, D)), 10, 0.80, id="delivery 10 days after a proof"),
]


@pytest.mark.parametrize(("evidence", "today", "validity"), VECTORS)
def test_vectors(evidence: tuple[tuple[int, Kind], ...], today: int, validity: float) -> None:
    assert score(days(*evidence), on(today)).validity == pytest.approx(validity, abs=5e-5)


def test_verdicts() -> None:
    def said(*evidence: tuple[int, Kind], today: int = 0) -> str:
        return score(days(*evidence), on(today)).verdict

    assert said() == "unknown"
    assert said((0, D)) == "good"
    assert said((0, P)) == "dead"
    assert said((0, P), today=180) == "risky"
    assert said((0, T), (1, T), (2, T), today=2) == "risky"
    assert said((0, T), today=2) == "good"
    # However many: without a proof nobody is dead.
    assert said(*((day, S) for day in range(60)), today=59) == "risky"


def test_g26_a_delivery_makes_a_number_good_again() -> None:
    before, after = days((0, P), (3, S)), days((0, P), (3, S), (4, D))
    assert score(before, on(4)).verdict == "dead"
    found = score(after, on(4))
    assert (found.verdict, found.proven, found.recycled) == ("good", False, True)
    # What comes after the delivery counts, however many came before it.
    assert score([*after, Day(on(5), P)], on(5)).proven


evidence = st.lists(st.builds(Day, st.integers(0, 400).map(on), st.sampled_from(Kind)), max_size=40)


@given(evidence, st.integers(400, 900))
def test_a_score_lies_between_0_and_1_and_order_and_repeats_do_not_matter(
    given_days: list[Day], today: int
) -> None:
    found = score(given_days, on(today))
    assert 0.0 < found.validity < 1.0
    again = score([*reversed(given_days), *given_days], on(today))
    assert again.validity == pytest.approx(found.validity)


@given(evidence, st.integers(0, 400))
def test_a_delivery_never_lowers_and_a_failure_never_raises_a_score(
    given_days: list[Day], day: int
) -> None:
    today = on(400)
    validity = score(given_days, today).validity
    assert score([*given_days, Day(on(day), D)], today).validity >= validity - 1e-12
    for kind in (T, S, P):
        assert score([*given_days, Day(on(day), kind)], today).validity <= validity + 1e-12


@given(evidence)
def test_g25_time_alone_brings_a_number_back(given_days: list[Day]) -> None:
    old = score(given_days, on(400))
    assert abs(score(given_days, on(5000)).validity - 0.75) <= abs(old.validity - 0.75) + 1e-9
    assert score(given_days, on(5000)).verdict != "dead"
