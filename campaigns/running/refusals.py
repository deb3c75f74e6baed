"""Refusals that are nobody's own: a campaign whose route or sender is gone is not fed to its end.

Owns that count, of one process. Must not pause anything.

Somebody abroad may have no route, and is skipped. Where everybody has none, a setting was changed,
and a person has to look before all others are skipped as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

IN_A_ROW_MAX = 100
_OURS = frozenset({"route_unavailable", "sender_not_allowed", "sender_invalid"})


class Refusals:
    """How many people of each campaign were refused so, one after the other."""

    def __init__(self) -> None:
        self._in_a_row: Counter[int] = Counter()

    def only(self, campaigns: Collection[int]) -> None:
        """Forget all others."""
        for campaign in self._in_a_row.keys() - set(campaigns):
            del self._in_a_row[campaign]

    def seen(self, campaign: int, written: int, reasons: Sequence[str]) -> str | None:
        """Of a chunk so many messages are written, and these are the reasons for none.

        Why the campaign must not go on; None: it may.
        """
        ours = [reason for reason in reasons if reason in _OURS]
        if written:
            del self._in_a_row[campaign]
            return None
        self._in_a_row[campaign] += len(ours)
        count = self._in_a_row[campaign]
        if not ours or count < IN_A_ROW_MAX:
            return None
        return f"{ours[-1]}: {count} people in a row were refused, and nobody was not"
