"""The table of events names every type that a filter may name, and what is told has its fields."""

from __future__ import annotations

from dlr.webhooks.catalogue import EVENT_KINDS
from dlr.webhooks.events import BATCH, TEST, TYPES


def test_every_type_has_its_row_and_no_other_has() -> None:
    assert sorted(EVENT_KINDS) == sorted({*TYPES, TEST, BATCH})


def test_a_meaning_is_one_sentence() -> None:
    for name, kind in EVENT_KINDS.items():
        assert kind.meaning.endswith("."), name
        assert kind.meaning.count(". ") == 0, name
