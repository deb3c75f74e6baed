"""Ranges of link numbers in memory, found by any number that they hold.

Owns the compact form of a range, and the bounded memory of those in use. Must not know the
database. Pure.

Numbers are cut into chunks of 64. A range stands under each chunk that it touches, at most 257. So
keeping, finding and forgetting one cost the same however many are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right, insort
from collections import OrderedDict
from datetime import datetime
from operator import attrgetter

import msgspec

from shortlinks.lookup import Destination
from shortlinks.rewrite import OPT_OUT_TARGET, is_location

_CHUNK_BITS = 6
_BYTES_PER_RANGE = 500  # of an empty LinkRange and its place in the tables, as measured
_BYTES_PER_CHUNK = 200
_BYTES_PER_STRING = 57
_by_first = attrgetter("first_seq")


class RangeRow(msgspec.Struct, gc=False):
    """A row of `link_range`: message k of the flush has link_seq = first_seq + k."""

    first_seq: int
    slots: int  # links per message in this row, 1..8
    message_ids: list[int]
    targets: list[str]  # distinct
    target_index: list[int]  # [k * slots + slot] -> index into targets from 1 on; 0: none
    expires_at: datetime


class LinkRange:
    """One range in memory: 12 octets a message with one link, and its targets."""

    __slots__ = (
        "_message_ids",
        "_target_index",
        "_targets",
        "bytes_held",
        "end_seq",
        "expires_at",
        "first_seq",
        "slots",
    )

    def __init__(self, row: RangeRow) -> None:
        self.first_seq = row.first_seq
        self.end_seq = row.first_seq + len(row.message_ids)
        self.slots = row.slots
        self.expires_at = row.expires_at.timestamp()  # Unix seconds
        self._message_ids = array("q", row.message_ids)
        self._target_index = array("i", row.target_index)
        # Whatever wrote the row: only a URL may reach a Location header.
        self._targets = [
            "",
            *(
                target if target == OPT_OUT_TARGET or is_location(target) else ""
                for target in row.targets
            ),
        ]
        self.bytes_held = (
            _BYTES_PER_RANGE
            + len(self.chunks()) * _BYTES_PER_CHUNK
            + len(self._message_ids) * self._message_ids.itemsize
            + len(self._target_index) * self._target_index.itemsize
            + sum(_BYTES_PER_STRING + len(target) for target in self._targets)
        )

    def chunks(self) -> range:
        """The chunks of numbers that it touches."""
        return range(self.first_seq >> _CHUNK_BITS, (self.end_seq - 1 >> _CHUNK_BITS) + 1)

    def destination(self, link_seq: int, slot: int) -> Destination | None:
        """Where this link of a message in the range leads; None: the message has no such link.

        The target OPT_OUT_TARGET is no URL: the recipient's own opt-out page.
        """
        if slot >= self.slots:
            return None
        place = link_seq - self.first_seq
        index = place * self.slots + slot
        number = self._target_index[index] if index < len(self._target_index) else 0
        target = self._targets[number] if 0 <= number < len(self._targets) else ""
        if not target:
            return None
        return Destination(target, self.expires_at, self._message_ids[place], link_seq, slot)


class RangeMemory:
    """The ranges used last: at most `ranges_max` of them, and about `bytes_max` octets."""

    def __init__(self, *, ranges_max: int, bytes_max: int) -> None:
        self.bytes_held = 0
        self._ranges_max = ranges_max
        self._bytes_max = bytes_max
        self._ranges: OrderedDict[int, LinkRange] = OrderedDict()  # by first_seq
        self._chunks: dict[int, list[LinkRange]] = {}  # each list by first_seq; none overlap

    def __len__(self) -> int:
        return len(self._ranges)

    def __contains__(self, first_seq: int) -> bool:
        """Whether the range that begins there is kept."""
        return first_seq in self._ranges

    def find(self, link_seq: int) -> LinkRange | None:
        """The range that holds this number, which counts as used."""
        chunk = self._chunks.get(link_seq >> _CHUNK_BITS)
        if chunk is None:
            return None
        found = chunk[bisect_right(chunk, link_seq, key=_by_first) - 1]  # [-1] of one behind it
        if not found.first_seq <= link_seq < found.end_seq:
            return None
        self._ranges.move_to_end(found.first_seq)
        return found

    def keep(self, link_range: LinkRange) -> None:
        """Keep a range, and forget the least recently used where the bounds ask for it."""
        if link_range.first_seq in self._ranges:
            return
        self._ranges[link_range.first_seq] = link_range
        self.bytes_held += link_range.bytes_held
        for number in link_range.chunks():
            insort(self._chunks.setdefault(number, []), link_range, key=_by_first)
        while self._ranges and (
            len(self._ranges) > self._ranges_max or self.bytes_held > self._bytes_max
        ):
            self._forget(self._ranges.popitem(last=False)[1])

    def _forget(self, link_range: LinkRange) -> None:
        self.bytes_held -= link_range.bytes_held
        for number in link_range.chunks():
            chunk = self._chunks[number]
            if len(chunk) == 1:
                del self._chunks[number]
            else:
                del chunk[bisect_right(chunk, link_range.first_seq, key=_by_first) - 1]
