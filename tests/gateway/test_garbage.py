"""The collector of a started gateway leaves alone what stays, and still finds cycles."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from gateway import garbage


@pytest.fixture
def collector() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)


class Node:
    other: Node


def test_what_stays_is_not_looked_through_and_new_cycles_are_freed(collector: None) -> None:
    garbage.settle()
    assert gc.get_freeze_count() > 10_000
    first, second = Node(), Node()
    first.other, second.other = second, first
    gone = weakref.ref(first)
    del first, second
    assert gone() is not None
    kept: list[list[int]] = []
    while gone() is not None and len(kept) <= garbage.YOUNG_MAX + 1_000:
        kept.append([])
    assert gone() is None
