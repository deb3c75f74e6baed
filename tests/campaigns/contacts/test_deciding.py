"""What a wish makes of a contact, and that it can be taken back."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from campaigns.contacts.deciding import NUMBERS_MAX, Known, Mode, Wish, decided, filled, undone
from campaigns.contacts.verdicts import Verdict

NAMES = st.sampled_from(["city", "level", "birthday"])
VALUES = st.sampled_from(["a", "b", 1, True])
ATTRS = st.dictionaries(NAMES, VALUES)
TAGS = st.lists(st.integers(1, 4), unique=True).map(sorted)
WORDS = st.one_of(st.none(), st.sampled_from(["x", "y"]))
INDEXES = st.lists(st.sampled_from([b"1", b"2", b"3"]), unique=True)
MODES: st.SearchStrategy[Mode] = st.sampled_from(("fill", "overwrite", "skip"))
KNOWN = st.builds(
    Known, id=st.just(1), external_id=WORDS, attrs=ATTRS, tags=TAGS, source=WORDS,
    time_zone=WORDS, revision=st.just(1), numbers=INDEXES,
)  # fmt: skip
WISHES = st.builds(
    Wish, external_id=WORDS, numbers=INDEXES.map(lambda found: [(each, "n") for each in found]),
    attrs=ATTRS, tags=TAGS, source=WORDS, time_zone=WORDS,
)  # fmt: skip


@given(WISHES, KNOWN, MODES)
def test_what_a_wish_changed_is_taken_back(wish: Wish, known: Known, mode: Mode) -> None:
    before = deepcopy(known)
    change = decided(wish, None, [known], mode)
    if change.verdict is Verdict.INVALID:
        assert wish.external_id not in (None, known.external_id)
        assert known == before
        return
    added = {index for index, _ in change.added}
    assert set(known.numbers) == set(before.numbers) | added, "no number is lost"
    if mode == "fill":
        assert known.attrs.items() >= before.attrs.items(), "what is known stays"
        assert known.numbers[: len(before.numbers)] == before.numbers
    if change.verdict is Verdict.UNCHANGED:
        assert known == before
        return
    assert change.before is not None
    undone(known, change.before)
    known.numbers = [index for index in known.numbers if index not in added]
    if "rank" in change.before:
        place = change.before["rank"]
        assert isinstance(place, int)
        known.numbers.insert(place, known.numbers.pop(0))
    assert known == before


@given(WISHES, MODES)
def test_a_wish_that_is_made_true_changes_nothing_more(wish: Wish, mode: Mode) -> None:
    known = Known(id=1)
    assert filled(wish, known).verdict is Verdict.CREATED
    again = decided(wish, known, [known], mode)
    assert (again.verdict, again.before or {}, again.added) == (Verdict.UNCHANGED, {}, [])


def test_two_contacts_never_become_one() -> None:
    one, other = Known(id=1, external_id="x"), Known(id=2, numbers=[b"1"])
    change = decided(Wish(external_id="x", numbers=[(b"1", "n")]), one, [other], "overwrite")
    assert (change.verdict, change.code) == (Verdict.INVALID, "number_of_another")


def test_a_contact_has_a_bounded_number_of_numbers() -> None:
    known = Known(id=1, numbers=[bytes([place]) for place in range(NUMBERS_MAX)])
    change = decided(Wish(numbers=[(known.numbers[0], "n"), (b"new", "n")]), None, [known], "fill")
    assert change.verdict is Verdict.UNCHANGED
    assert len(known.numbers) == NUMBERS_MAX
