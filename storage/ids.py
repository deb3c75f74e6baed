"""Ids: 63-bit integers in order of time, and their text form in the API.

Owns the layout `milliseconds since 2024-01-01T00:00Z << 22 | node << 14 | sequence`. Must not know
what an id stands for, and must not read a clock: the caller hands one over.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
EPOCH_UNIX_MS = int(EPOCH.timestamp()) * 1000
SEQUENCE_BITS = 14
NODE_BITS = 8
NODES_MAX = 1 << NODE_BITS
ID_MAX = (1 << 63) - 1
# How far ids may run ahead of a clock that was set back. Who asks for all "until now" asks so much
# further.
AHEAD_MAX = timedelta(days=1)

_TIME_SHIFT = SEQUENCE_BITS + NODE_BITS
_SEQUENCE_MASK = (1 << SEQUENCE_BITS) - 1
_NODE_MASK = NODES_MAX - 1 << SEQUENCE_BITS
_MILLISECOND = timedelta(milliseconds=1)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base32, lower case
_TEXT_CHARACTERS = 13
_TEXT = re.compile(rf"[0-7][{_ALPHABET}]{{{_TEXT_CHARACTERS - 1}}}")  # 0-7: 63 bits and no more
_TO_STANDARD_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)  # 10 bits each


class IdSource:
    """Makes ids that only ever grow, for one node (0..255).

    `clock_ms` gives Unix time in ms. Time and sequence are counted as one number. So a clock that
    steps back changes nothing, and the 16 385th id of one millisecond borrows from the next.
    """

    __slots__ = ("_clock_ms", "_node_bits", "_position")

    def __init__(self, node: int, clock_ms: Callable[[], int], *, above: int = 0) -> None:
        """`above`: the highest id that is known. No id below it is made, even if the clock was set
        back.
        """
        if not 0 <= node < NODES_MAX:
            raise ValueError(f"node {node}: expected 0..{NODES_MAX - 1}")
        self._node_bits = node << SEQUENCE_BITS
        self._clock_ms = clock_ms
        self._position = (above >> _TIME_SHIFT << SEQUENCE_BITS | _SEQUENCE_MASK) if above else -1

    def move(self, node: int) -> None:
        """Make ids for this node from now on."""
        self._node_bits = node << SEQUENCE_BITS

    def next(self) -> int:
        """The next id."""
        position = self._advance(1)
        return (
            position >> SEQUENCE_BITS << _TIME_SHIFT | self._node_bits | position & _SEQUENCE_MASK
        )

    def take(self, count: int) -> list[int]:
        """The next `count` ids in order, with one reading of the clock."""
        return _run(self._advance(count), self._node_bits, count)

    def _advance(self, count: int) -> int:
        now = self._clock_ms() - EPOCH_UNIX_MS << SEQUENCE_BITS
        first = max(self._position + 1, now)
        self._position = first + count - 1
        return first


def run_of_ids(first: int, count: int) -> list[int]:
    """The `count` ids from `first` on, as one call of IdSource.take makes them."""
    position = first >> _TIME_SHIFT << SEQUENCE_BITS | first & _SEQUENCE_MASK
    return _run(position, first & _NODE_MASK, count)


def _run(position: int, node_bits: int, count: int) -> list[int]:
    first = position >> SEQUENCE_BITS << _TIME_SHIFT | node_bits | position & _SEQUENCE_MASK
    if (position & _SEQUENCE_MASK) + count <= _SEQUENCE_MASK + 1:
        return list(range(first, first + count))  # of one millisecond, as nearly all are
    return [
        position >> SEQUENCE_BITS << _TIME_SHIFT | node_bits | position & _SEQUENCE_MASK
        for position in range(position, position + count)
    ]


def id_at(moment: datetime) -> int:
    """The lowest id of this moment, rounded down to its millisecond. `moment` must be aware.

    With it a span of time is a range of ids: `id_at(since) <= id < id_at(until)`. It is 0 before
    2024, and ID_MAX after 2093, where there are no ids.
    """
    return min(max(0, (moment - EPOCH) // _MILLISECOND) << _TIME_SHIFT, ID_MAX)


def time_of(identifier: int) -> datetime:
    """When the id was made, in UTC, to the millisecond."""
    return EPOCH + timedelta(milliseconds=identifier >> _TIME_SHIFT)


def unix_ms_of(identifier: int) -> int:
    """When the id was made, in ms since 1970: what `time_of` says, at a tenth of its cost."""
    return (identifier >> _TIME_SHIFT) + EPOCH_UNIX_MS


def format_id(prefix: str, identifier: int) -> str:
    """`format_id("msg", id)` -> `msg_` and 13 characters, which sort as the ids do."""
    if not 0 <= identifier <= ID_MAX:
        raise ValueError(f"id {identifier}: expected 63 bits")
    pairs = _PAIRS
    return (
        f"{prefix}_{_ALPHABET[identifier >> 60]}{pairs[identifier >> 50 & 1023]}"
        f"{pairs[identifier >> 40 & 1023]}{pairs[identifier >> 30 & 1023]}"
        f"{pairs[identifier >> 20 & 1023]}{pairs[identifier >> 10 & 1023]}"
        f"{pairs[identifier & 1023]}"
    )


def parse_id(prefix: str, text: str) -> int:
    """The id that `format_id` was given. Raises ValueError for anything it would not have
    written.
    """
    head, separator, digits = text.partition("_")
    if head != prefix or not separator or _TEXT.fullmatch(digits) is None:
        raise ValueError(f"expected an id like {format_id(prefix, 0)}")
    return int(digits.translate(_TO_STANDARD_DIGITS), 32)
