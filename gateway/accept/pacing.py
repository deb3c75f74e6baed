"""When a message may go, by the rates of account, sender, route and recipient.

Owns one timetable per limit. A message that has to wait is written to the outbox with its moment,
so what is slow takes no room in memory from the others, and nothing is awaited per message. Each
limit is charged once and in parts, and the slowest decides. A one-time password never waits here:
it goes into debt. A rate of 0 is a stop, for every category, until it is configured away. Each
process keeps the whole rates; with several gateways configure each one's share. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from gateway.accept.models import Prepared
from gateway.dispatch.holds import Hold
from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NEVER_NS
from ratelimit.virtual_schedule import VirtualSchedule
from storage.categories import Category

RECIPIENTS_MAX = 200_000  # remembered for the gap between two messages; some 180 bytes each
STOPPED_NS = -1
UNLIMITED_PARTS = 1_000_000  # shown for an account whose rate was configured away

Key = tuple[Hold, object]
RouteOf = Callable[[Prepared], int | None]


class PacingRates(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits. Senders by (account, sender), routes by their position."""

    accounts: Mapping[int, RateSpec] = {}
    senders: Mapping[tuple[int, str], RateSpec] = {}
    routes: Mapping[int, RateSpec] = {}
    recipient_gap_ns: int = 0


class Pacing:
    """Timetables of everything that has a rate."""

    def __init__(self, rates: PacingRates, route_of: RouteOf = lambda _message: None) -> None:
        """`route_of` is asked only while a route has a rate."""
        self._route_of = route_of
        self._schedules: dict[Key, VirtualSchedule] = {}
        self._specs: dict[Key, RateSpec] = {}
        self._stopped: frozenset[Key] = frozenset()
        self._last: dict[bytes, int] = {}
        self.account_rates: dict[int, RateSpec] = {}  # changed in place
        self.configure(rates)

    def configure(self, rates: PacingRates) -> None:
        """Follow these from now on; a limit that did not change keeps what is reserved."""
        specs = dict(_specs(rates))
        self._schedules = {
            key: self._schedules[key] if self._specs.get(key) == spec else VirtualSchedule(spec)
            for key, spec in specs.items()
            if not spec.paused
        }
        self._stopped = frozenset(key for key, spec in specs.items() if spec.paused)
        self._specs = specs
        self.account_rates.clear()
        self.account_rates.update(rates.accounts)
        self._has_routes = bool(rates.routes)
        self._gap_ns = rates.recipient_gap_ns

    def wait_ns(self, message: Prepared, to_idx: bytes, now_ns: int) -> tuple[int, Hold]:
        """In how many ns it may go and what decides: 0 for now, STOPPED_NS for not until a stop
        is lifted. Counts it as gone at that moment.
        """
        if not self._specs and not self._gap_ns:
            return 0, Hold.NONE
        keys = self._keys(message)
        if self._stopped:
            for key in keys:
                if key in self._stopped:
                    return STOPPED_NS, key[0]
        longest, hold = 0, Hold.NONE
        otp = message.category == Category.OTP
        for key in keys:
            schedule = self._schedules.get(key)
            if schedule is not None:
                wait = schedule.reserve(message.parts, now_ns)
                if wait > longest and not otp:
                    longest, hold = wait, key[0]
        if self._gap_ns and not otp:
            earliest = self._after_the_last(to_idx, now_ns + longest) - now_ns
            if earliest > longest:
                longest, hold = earliest, Hold.RECIPIENT_RATE
        return longest, hold

    def released_wait_ns(self, account: int, category: int, parts: int, now_ns: int) -> int:
        """In how many ns a message may go that was scheduled or held, and so was not paced when it
        was accepted: by its account's rate. What is stopped is found by the last look.
        """
        schedule = self._schedules.get((Hold.ACCOUNT_RATE, account))
        if schedule is None:
            return 0
        wait = schedule.reserve(parts, now_ns)
        return 0 if category == Category.OTP else wait

    def quota(self, account: int, now_ns: int) -> tuple[int, int]:
        """How many parts of an account that has a rate may go at once now, and in how many ns its
        whole burst may again. None and never, while it is stopped.
        """
        key: Key = (Hold.ACCOUNT_RATE, account)
        schedule = self._schedules.get(key)
        if schedule is not None:
            return schedule.quota(now_ns)
        return (0, NEVER_NS) if key in self._stopped else (UNLIMITED_PARTS, 0)

    def stopped(self, account: int, sender: str) -> Hold | None:
        """Whether a message of these that waited must not go now: its account or its sender was
        stopped meanwhile. A stopped route is a matter of accepting: what it took goes.
        """
        if not self._stopped:
            return None
        for key in ((Hold.ACCOUNT_RATE, account), (Hold.SENDER_RATE, (account, sender))):
            if key in self._stopped:
                return key[0]
        return None

    def _keys(self, message: Prepared) -> list[Key]:
        keys: list[Key] = [
            (Hold.ACCOUNT_RATE, message.account),
            (Hold.SENDER_RATE, (message.account, message.sender)),
        ]
        if self._has_routes:
            keys.append((Hold.ROUTE_RATE, self._route_of(message)))
        return keys

    def _after_the_last(self, to_idx: bytes, moment: int) -> int:
        """Not sooner than the gap after the last message to this number; remembers this one.

        When more numbers are remembered than there is room for, the oldest are forgotten.
        """
        last = self._last.pop(to_idx, None)
        if last is not None:
            moment = max(moment, last + self._gap_ns)
        elif len(self._last) >= RECIPIENTS_MAX:
            del self._last[next(iter(self._last))]
        self._last[to_idx] = moment
        return moment


def _specs(rates: PacingRates) -> Iterable[tuple[Key, RateSpec]]:
    for account, spec in rates.accounts.items():
        yield (Hold.ACCOUNT_RATE, account), spec
    for sender, spec in rates.senders.items():
        yield (Hold.SENDER_RATE, sender), spec
    for route, spec in rates.routes.items():
        yield (Hold.ROUTE_RATE, route), spec
