"""The pace of accounts: when a message of an account with a rate may go.

Owns one timetable per account that has a rate. A message that has to wait is written to the outbox
with its moment, so a slow account takes no room in memory from the others. A one-time password
never waits on its account's rate: it goes into debt. Each process keeps the whole rate; with
several gateways configure its share.
"""

from __future__ import annotations

from collections.abc import Mapping

from ratelimit.spec import RateSpec
from ratelimit.virtual_schedule import VirtualSchedule
from storage.categories import Category


class AccountPace:
    """Timetables by the id of table `account`."""

    def __init__(self, rates: Mapping[int, RateSpec]) -> None:
        self.rates = rates
        self._schedules = {account: VirtualSchedule(spec) for account, spec in rates.items()}

    def wait_ns(self, account: int, category: int, parts: int, now_ns: int) -> int:
        """In how many ns these parts may go; 0 for now. Counts them as gone at that moment."""
        schedule = self._schedules.get(account)
        if schedule is None:
            return 0
        if category == Category.OTP:
            schedule.borrow(parts, now_ns)
            return 0
        return schedule.reserve(parts, now_ns)

    def quota(self, account: int, now_ns: int) -> tuple[int, int]:
        """How many parts of an account that has a rate may go at once now, and in how many ns its
        whole burst may again.
        """
        return self._schedules[account].quota(now_ns)
