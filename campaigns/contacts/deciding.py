"""What a row, or an upsert, makes of the contacts that are there.

Owns that decision. Must not look anything up, nor write. Pure.

A row names a contact by its external id, by its numbers, or by both. Where these are two contacts
the row is refused: a file never makes one person of two. Only a request to merge does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from campaigns.contacts.attributes import Stored
from campaigns.contacts.verdicts import TOO_MANY_NUMBERS, Verdict

Mode = Literal["fill", "overwrite", "skip"]
NUMBERS_MAX = 10  # of one contact
TAGS_EACH_MAX = 50  # likewise
LABEL_CHARACTERS_MAX = 100  # external id, source and each tag

Value = Stored | None


class Wish(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A contact as a row or a request tells it. What is empty says nothing.

    `numbers` are E.164 with their indexes, the one to be texted first. `clears`: fields to empty.
    """

    external_id: str | None = None
    numbers: Sequence[tuple[bytes, str]] = ()
    attrs: Mapping[str, Stored] = {}
    tags: Sequence[int] = ()
    source: str | None = None
    time_zone: str | None = None
    clears: Collection[str] = ()
    exact_tags: bool = False  # `tags` are all that the contact has from now on


class Known(msgspec.Struct, kw_only=True):
    """A contact as it is, with what this transaction has made of it. `numbers` by their rank."""

    id: int
    external_id: str | None = None
    attrs: dict[str, Stored] = {}
    tags: list[int] = []
    source: str | None = None
    time_zone: str | None = None
    revision: int = 0  # 0: it is new
    numbers: list[bytes] = []
    stored: dict[bytes, bytes] = {}  # of numbers that stand under another index: that one


class Change(msgspec.Struct, kw_only=True):
    """What becomes of one wish. `before`: what the changed fields were, for an undo.

    `added`: numbers that the contact gets. `first`: which one is texted from now on. `left_out`:
    numbers for which the contact has no room.
    """

    verdict: Verdict
    code: str | None = None
    before: dict[str, object] | None = None
    added: list[tuple[bytes, str]] = []
    first: bytes | None = None
    left_out: list[bytes] = []


def decided(wish: Wish, of_id: Known | None, of_numbers: Sequence[Known], mode: Mode) -> Change:
    """What this wish changes of the contact that it names, which is changed in place.

    `of_id`: who has its external id. `of_numbers`: who have its numbers, each once. The caller
    makes a contact where there is none.
    """
    known = of_id or (of_numbers[0] if of_numbers else None)
    if known is None:
        return Change(verdict=Verdict.CREATED)
    theirs = known.external_id
    another = of_id is None and None not in (theirs, wish.external_id)
    if any(other.id != known.id for other in of_numbers) or (
        another and theirs != wish.external_id
    ):
        return Change(verdict=Verdict.INVALID, code="number_of_another")
    if mode == "skip":
        return Change(verdict=Verdict.UNCHANGED)
    change = Change(verdict=Verdict.UPDATED, before={})
    merged = wish.external_id is not None and theirs is None
    _apply(wish, known, change, overwrite=mode == "overwrite")
    if not change.before and not change.added and change.first is None:
        return Change(verdict=Verdict.UNCHANGED, code=change.code, left_out=change.left_out)
    if merged:
        change.verdict = Verdict.MERGED
    return change


def filled(wish: Wish, known: Known) -> Change:
    """A contact that was made just now gets all that the wish says."""
    change = Change(verdict=Verdict.CREATED, before={})
    _apply(wish, known, change, overwrite=True)
    change.before = None
    return change


def _apply(wish: Wish, known: Known, change: Change, *, overwrite: bool) -> None:
    before = change.before
    assert before is not None
    if wish.external_id is not None and known.external_id is None:
        before["external_id"] = None
        known.external_id = wish.external_id
    for field in ("source", "time_zone"):
        old, new = getattr(known, field), getattr(wish, field)
        if field in wish.clears:
            new = None
        elif new is None or (old is not None and not overwrite):
            continue
        if new != old:
            before[field] = old
            setattr(known, field, new)
    _attributes(wish, known, before, overwrite=overwrite)
    tags = sorted(set(wish.tags) if wish.exact_tags else {*known.tags, *wish.tags})
    if tags != known.tags:
        before["tags"] = known.tags
        known.tags = tags
    _numbers(wish, known, change, overwrite=overwrite)


def _attributes(wish: Wish, known: Known, before: dict[str, object], *, overwrite: bool) -> None:
    old: dict[str, Value] = {}
    attrs = dict(known.attrs)
    for name, value in wish.attrs.items():
        if name in attrs and (not overwrite or attrs[name] == value):
            continue
        old[name] = attrs.get(name)
        attrs[name] = value
    for name in wish.clears:
        if name in attrs:
            old[name] = attrs.pop(name)
    if old:
        before["attrs"] = old
        known.attrs = attrs


def _numbers(wish: Wish, known: Known, change: Change, *, overwrite: bool) -> None:
    for index, number in wish.numbers:
        if index in known.numbers:
            continue
        if len(known.numbers) < NUMBERS_MAX:
            change.added.append((index, number))
            known.numbers.append(index)
        else:
            change.left_out.append(index)
            change.code = TOO_MANY_NUMBERS
    if not wish.numbers or not overwrite:
        return
    index = wish.numbers[0][0]
    if index in known.numbers[1:]:
        assert change.before is not None
        added = {each for each, _ in change.added}
        if index not in added:
            change.before["rank"] = known.numbers.index(index)
        known.numbers.remove(index)
        known.numbers.insert(0, index)
        change.first = index


def undone(known: Known, before: Mapping[str, object]) -> None:
    """Give the contact back what it had, but for its numbers."""
    for field in ("external_id", "source", "time_zone"):
        if field in before:
            setattr(known, field, before[field])
    if "tags" in before:
        known.tags = msgspec.convert(before["tags"], list[int])
    if "attrs" in before:
        attrs = dict(known.attrs)
        for name, value in msgspec.convert(before["attrs"], dict[str, Value]).items():
            if value is None:
                attrs.pop(name, None)
            else:
                attrs[name] = value
        known.attrs = attrs
