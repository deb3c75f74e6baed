"""How many messages went to numbers that begin alike, in the last hour.

Owns the arithmetic of these counts. Must not know where they are kept (frequency.py). Pure: `at` is
an argument.

An hour has slots of five minutes, so a count is a dozen small numbers at any traffic. The oldest
slot counts whole: at most five minutes too strict, never too lax.
"""

from __future__ import annotations

from collections.abc import Mapping

SLOT_MS = 300_000
HOUR_MS = 3_600_000

Slots = Mapping[int, int]  # start of the slot, ms since the epoch -> messages


def in_last_hour(slots: Slots, at: int) -> int:
    """How many went in the hour before `at`."""
    return sum(count for slot, count in slots.items() if slot + SLOT_MS > at - HOUR_MS)


def counted(slots: Slots, at: int, messages: int) -> dict[int, int]:
    """The slots with so many messages more at `at`, without those that matter no longer."""
    slot = at // SLOT_MS * SLOT_MS
    kept = {start: count for start, count in slots.items() if start + SLOT_MS > at - HOUR_MS}
    kept[slot] = kept.get(slot, 0) + messages
    return kept
