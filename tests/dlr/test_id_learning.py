"""Finding out how a carrier writes ids: only from receipts whose number fits as well."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlr.id_learning import (
    ANSWERS_REMEMBERED_MAX,
    CONFIRMATIONS,
    NUMBERS_PER_ID_MAX,
    RECEIPTS_LOOKED_AT_MAX,
    IdLearner,
    Translation,
)

WRITERS: dict[str, Callable[[int], str]] = {
    "plain": str,
    "padded": lambda number: f"{number:012d}",
    "hex": lambda number: f"{number:x}",
    "HEX": lambda number: f"{number:X}",
    "PADDED": lambda number: f"{number:010X}",
}


def number_of(identifier: int) -> str:
    return f"+86138{identifier % 100_000_000:08d}"


@given(
    st.sampled_from(sorted(WRITERS)),
    st.sampled_from(sorted(WRITERS)),
    st.integers(0, 1 << 40),
    st.integers(0, 1000),
)
def test_e1_every_pair_of_forms_is_found_out_and_meets(
    answers: str, receipts: str, first: int, seed: int
) -> None:
    """Numbers in a row, as SMSCs give them: each also reads as an other id in the other base."""
    learner = IdLearner()
    identifiers = list(range(first, first + 200))
    for identifier in identifiers:
        learner.answered(WRITERS[answers](identifier), number_of(identifier))
    random.Random(seed).shuffle(identifiers)
    for identifier in identifiers[:50]:
        learner.receipt(WRITERS[receipts](identifier), number_of(identifier))
    translation = learner.translation
    assert translation is not None
    for identifier in range(first, first + 400):
        assert translation(WRITERS[receipts](identifier)) == WRITERS[answers](identifier)


@given(st.lists(st.uuids(), min_size=CONFIRMATIONS, max_size=40, unique=True))
def test_e3_ids_that_are_no_numbers_are_left_alone(uuids: list[object]) -> None:
    learner = IdLearner()
    for index, identifier in enumerate(uuids):
        learner.answered(str(identifier), number_of(index))
        learner.receipt(str(identifier), number_of(index))
    assert learner.translation == Translation()


def test_an_id_that_fits_proves_nothing_without_its_number() -> None:
    learner = IdLearner()
    for identifier in range(100, 200):
        learner.answered(str(identifier), number_of(identifier))
    for identifier in range(100, 200):
        assert learner.receipt(str(identifier), "+49151000000") is None
        assert learner.receipt(str(identifier), "") is None
    for identifier in range(100, 100 + CONFIRMATIONS):
        learner.receipt(f"{identifier:08d}", number_of(identifier)[3:])  # without country code
    assert learner.translation == Translation("dec", "dec")


def test_a_carrier_that_never_fits_is_believed_after_a_while_and_nothing_is_kept() -> None:
    learner = IdLearner()
    for identifier in range(ANSWERS_REMEMBERED_MAX * 2):
        learner.answered(f"{identifier:x}", number_of(identifier))
    assert len(learner._answers) == ANSWERS_REMEMBERED_MAX
    assert all(len(found) <= ANSWERS_REMEMBERED_MAX for found in learner._by_value.values())
    for _ in range(RECEIPTS_LOOKED_AT_MAX):
        learner.receipt("nobody", "+8613800000000")
    assert learner.translation == Translation()
    assert not learner._answers


@given(st.text(max_size=70), st.text(max_size=20), st.sampled_from(["opaque", "dec", "hex"]))
def test_nothing_that_a_carrier_writes_raises(identifier: str, number: str, form: str) -> None:
    learner = IdLearner()
    learner.answered(identifier, number)
    learner.receipt(identifier, number)
    for answer in ("opaque", "dec", "hex"):
        Translation(answer, form, upper=True, width=8)(identifier)  # type: ignore[arg-type]  # one of the three


@pytest.mark.parametrize("identifier", ["0", "00", "0x1F"])
def test_zero_and_prefixed_ids_are_numbers(identifier: str) -> None:
    assert Translation("dec", "hex")(identifier) == str(int(identifier, 16))


def test_e92_an_id_of_several_numbers_is_evidence_for_each_of_them() -> None:
    learner = IdLearner()
    numbers = [f"+86138000{n:05d}" for n in range(CONFIRMATIONS)]
    for number in numbers:
        learner.answered(f"{0xB000 + int(number[-5:]) // 4:x}", number)
    for number in numbers:
        learner.receipt(str(0xB000 + int(number[-5:]) // 4), number)
    assert learner.translation is not None
    assert learner.translation.answer == "hex"


def test_e92_the_numbers_of_one_id_are_bounded() -> None:
    learner = IdLearner()
    for n in range(10 * NUMBERS_PER_ID_MAX):
        learner.answered("7", f"+86138000{n:05d}")
    assert len(learner._answers["7"]) == NUMBERS_PER_ID_MAX  # a bound of memory
