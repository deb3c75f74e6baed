"""The caps of a recipient that depend on who they are: of their groups, and of their interest.

Owns that list, by number. Must not decide what is too much (recipients/caps.py does), nor what
interest is (campaigns/events/interest.py does). Two statements at most for a flush.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from campaigns.caps.accounts import CappedAccounts
from campaigns.events.interest import Tier, interests
from recipients.caps import Caps, Rule, Ruled
from recipients.frequency import Number, Old
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")
DAYS_OF_A_WEEK = 7


class ContactCaps:
    """Implements PersonCaps. `engaged`: accounts that cap by what contacts do with messages."""

    def __init__(
        self, known: CappedAccounts, engaged: Collection[int], now: Callable[[], datetime]
    ) -> None:
        self._known = known
        self._engaged = frozenset(engaged)
        self._now = now

    def concerns(self, account: int) -> bool:
        """Whether the account has groups with caps, or caps by engagement."""
        return account in self._engaged or account in self._known.known

    async def of(
        self, connection: Connection, numbers: Collection[Number], old: Old
    ) -> Mapping[Number, list[Ruled]]:
        """Those of these numbers that are a contact's: of groups, then of engagement."""
        asked = [*numbers, *(other for other, number in old.items() if number in numbers)]
        rows = await connection.fetch(
            _SQL["caps_of_numbers"],
            [account for account, _, _ in asked],
            [to_idx for _, _, to_idx in asked],
        )
        found: dict[Number, list[Ruled]] = {}
        contacts: dict[Number, int] = {}
        for row in rows:
            named = asked[row["place"] - 1]
            number = old.get(named, named)
            contacts[number] = row["contact"]
            if row["name"] is not None:
                caps = Caps(day=row["day"], week=row["week"], month=row["month"])
                found.setdefault(number, []).append(Ruled(Rule.GROUP, caps, row["name"]))
        engaged = {number: each for number, each in contacts.items() if number[0] in self._engaged}
        if engaged:
            shown = await interests(connection, sorted(set(engaged.values())), self._now())
            for number, contact in engaged.items():
                _, tier = shown[contact]
                found.setdefault(number, []).append(Ruled(Rule.ENGAGEMENT, caps_of(tier)))
        return found


def caps_of(tier: Tier) -> Caps:
    """How many somebody of this tier may get."""
    if tier.days == DAYS_OF_A_WEEK:
        return Caps(week=tier.most)
    return Caps(month=tier.most)
