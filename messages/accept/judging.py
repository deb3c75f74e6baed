"""The rules asked about a flush, one after the other, and who is not stored for what they say.

Owns that order, and the step from a cap to a skip. Must not hold a rule, nor store anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dispatch.decisions import add_decision
from dlr.status import Status
from messages.accepting import Accepting, FlushCheck
from messages.models import Enough, IfCapped
from storage.pool import Connection

CAPPED = "capped"


async def judge(
    connection: Connection, checks: Sequence[FlushCheck], items: Sequence[Accepting]
) -> Sequence[Accepting]:
    """Ask each rule about what the rules before it have left. Returns those that are to be stored.

    The others are skipped: it is what they are answered with (`repeat_of`).
    """
    for item in items:  # also when a flush is repeated item by item
        item.ended = None
    open_items = items
    for check in checks:
        await check.decide(connection, open_items)
        open_items = [item for item in open_items if item.ended is None]
        if not open_items:
            break
    if len(open_items) == len(items):
        return items
    for item in items:
        item.repeat_of = _skip(item)
    return [item for item in items if item.repeat_of is None]


def count_skips(counts: dict[tuple[str, str], int], items: Iterable[Accepting]) -> None:
    """Count those of a flush that is over, by rule, as decisions are counted."""
    for item in items:
        if isinstance(item.repeat_of, Enough) and item.ended is not None:
            add_decision(counts, item.ended)


def _skip(item: Accepting) -> Enough | None:
    ended = item.ended
    if ended is None or item.if_capped is IfCapped.STORE or ended.status is not Status.CAPPED:
        return None
    return Enough(CAPPED, ended.error or "", rule=ended.rule)
