"""The caps of a recipient that depend on who they are: those of the groups they are in.

Owns that list, by number. Must not decide what is too much (recipients/caps.py does). One
statement for a flush.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from campaigns.caps.accounts import CappedAccounts
from recipients.caps import Caps, Rule, Ruled
from recipients.frequency import Number, Old
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")


class ContactCaps:
    """Implements PersonCaps."""

    def __init__(self, known: CappedAccounts) -> None:
        self._known = known

    def concerns(self, account: int) -> bool:
        """Whether the account has groups with caps."""
        return account in self._known.known

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> Mapping[Number, list[Ruled]]:
        """Those of these numbers that are a contact's."""
        asked = [*numbers, *(other for other, number in old.items() if number in numbers)]
        rows = await connection.fetch(
            _SQL["caps_of_numbers"],
            [account for account, _, _ in asked],
            [to_idx for _, _, to_idx in asked],
        )
        found: dict[Number, list[Ruled]] = {}
        for row in rows:
            if row["name"] is not None:
                named = asked[row["place"] - 1]
                caps = Caps(day=row["day"], week=row["week"], month=row["month"])
                ruled = Ruled(Rule.GROUP, caps, row["name"])
                found.setdefault(old.get(named, named), []).append(ruled)
        return found
