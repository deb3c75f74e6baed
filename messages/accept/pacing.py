"""Rate limits at accept: when a message may go, by account, sender, route and recipient.

Owns one timetable for each limit. Must not wait or store: it only names a moment. Pure.

A message gets the first moment that all its limits allow. It takes its parts out of each limit at
that moment, not at accept. So a slow sender costs its account nothing meanwhile, and no limit is
exceeded when the message goes. A message that has to wait is written to the outbox with its moment.

Two exceptions: a one-time password never waits here, but goes into a bounded debt. And a rate of 0
stops every category until it is configured away.

Each process keeps whole rates. With several gateways, configure each one's share.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from operator import itemgetter

import msgspec

from dispatch.holds import BOOKED, Faster, Hold
from dispatch.message import Released
from messages.accept.recipient_gap import RecipientGap, RecipientMoments
from messages.models import Prepared
from ratelimit.nested import first_moment
from ratelimit.spec import RateSpec
from ratelimit.timetable import Timetable
from ratelimit.token_bucket import NANOSECONDS, NEVER_NS
from storage.categories import Category

STOPPED_NS = -1
UNLIMITED_PARTS = 1_000_000  # shown for an account whose rate was configured away
# A message that finds its timetables full is asked again this long before its turn. Nearer moments
# are given all the same.
AHEAD_NS = 10 * NANOSECONDS
BOOKED_AGAIN_MAX = 100_000  # messages put off by limits newer than they are, some 100 bytes each

Key = tuple[Hold, object]
Limit = Timetable | RecipientMoments
RouteOf = Callable[[Prepared | Released], Hashable]


class PacingRates(msgspec.Struct, frozen=True, kw_only=True):
    """The configured limits. Senders are keyed by (account, sender), routes by what they match:
    after a reload a position may be another route's.
    """

    accounts: Mapping[int, RateSpec] = {}
    senders: Mapping[tuple[int, str], RateSpec] = {}
    routes: Mapping[Hashable, RateSpec] = {}
    recipient_gap_ns: int = 0


class Pacing:
    """The timetables of everything that has a rate."""

    def __init__(
        self, rates: PacingRates, route_of: RouteOf = lambda _message: None, *, since: int = 0
    ) -> None:
        """`route_of` is asked only while a route has a rate. `since` as in configure()."""
        self._route_of = route_of
        self._timetables: dict[Key, Timetable] = {}
        self._specs: dict[Key, RateSpec] = {}
        self._stopped: frozenset[Key] = frozenset()
        self._gap = RecipientGap()
        # The smallest message id that each timetable may have counted
        self._since: dict[Key, int] = {}
        self._booked_again: OrderedDict[int, None] = OrderedDict()
        self.account_rates: dict[int, RateSpec] = {}  # changed in place
        self.configure(rates, since)

    def configure(self, rates: PacingRates, since: int) -> frozenset[Faster]:
        """Follow these rates from now on. Returns the limits that let more go than before.

        A limit that did not change keeps what is booked. `since` is a message id of this moment.
        What older messages booked is unknown to limits that are new.
        """
        specs = dict(_specs(rates))
        faster = {
            _whose(key)
            for key, spec in self._specs.items()
            if (now := specs.get(key)) is None or now.per_second > spec.per_second
        }
        if rates.recipient_gap_ns < self._gap.gap_ns:
            faster.add((Hold.RECIPIENT_RATE, None))
        self._since = {
            key: self._since[key] if self._specs.get(key) == spec else since
            for key, spec in specs.items()
        }
        self.since = max(self._since.values(), default=0)
        self._timetables = {
            key: self._timetables[key] if self._specs.get(key) == spec else Timetable(spec)
            for key, spec in specs.items()
            if not spec.paused
        }
        self._stopped = frozenset(key for key, spec in specs.items() if spec.paused)
        self._specs = specs
        self.account_rates.clear()
        self.account_rates.update(rates.accounts)
        self._has_routes = bool(rates.routes)
        self._gap.gap_ns = rates.recipient_gap_ns
        self.active = bool(specs or rates.recipient_gap_ns)  # whether there is any limit at all
        return frozenset(faster)

    def wait_ns(
        self, message: Prepared | Released, to_idx: bytes, now_ns: int, *, again: bool = False
    ) -> tuple[int, Hold]:
        """(ns until the message may go, the limit that decides). The message is counted at that
        moment.

        0 is now. STOPPED_NS is not until a stop is lifted. With Hold.RATE nothing is counted: ask
        once more then, with `again`.
        """
        if not self.active:
            return 0, Hold.NONE
        keys = self._keys(message)
        for key in keys if self._stopped else ():
            if key in self._stopped:
                return STOPPED_NS, key[0]
        found = self._limits(keys)
        if message.category == Category.OTP:
            for _, _, limit in found:
                limit.borrow(message.parts, now_ns)
            return 0, Hold.NONE
        if self._gap.gap_ns:
            found.append((0.0, Hold.RECIPIENT_RATE, self._gap.of(to_idx, now_ns)))
        limits = [limit for _, _, limit in found]
        at_ns, decided = first_moment(limits, message.parts, now_ns)
        behind = _stands_behind(limits, decided, at_ns, now_ns, again=again)
        if behind is not None:
            turn = behind.queue(message.parts, at_ns)
            return max(now_ns + AHEAD_NS, turn - AHEAD_NS) - now_ns, Hold.RATE
        for limit in limits:
            limit.book(message.parts, at_ns, now_ns)
        return at_ns - now_ns, Hold.NONE if decided is None else found[decided][1]

    def released_wait_ns(self, message: Released, now_ns: int) -> tuple[int, Hold]:
        """As wait_ns, of a message whose moment has come.

        It was scheduled or held, or its timetables were full, or some of its limits are newer than
        its booking.
        """
        if message.hold not in BOOKED:
            return self.wait_ns(message, message.to_idx, now_ns, again=message.hold == Hold.RATE)
        if message.id in self._booked_again:
            del self._booked_again[message.id]
            return 0, Hold.NONE
        keys = self._keys(message)
        new = [key for key in keys if message.id < self._since.get(key, 0)]
        limits = [limit for _, _, limit in self._limits(new)]
        stopped = not self._stopped.isdisjoint(keys)
        if not stopped and first_moment(limits, message.parts, now_ns)[0] == now_ns:
            for limit in limits:
                limit.book(message.parts, now_ns, now_ns)
            return 0, Hold.NONE
        wait_ns, hold = self.wait_ns(message, message.to_idx, now_ns, again=True)
        if hold in BOOKED and wait_ns > 0:
            self._booked_again[message.id] = None
            if len(self._booked_again) > BOOKED_AGAIN_MAX:
                self._booked_again.popitem(last=False)
        return wait_ns, hold

    @property
    def stopped_accounts(self) -> list[int]:
        """The accounts whose rate is 0."""
        return [number for number, spec in self.account_rates.items() if spec.paused]

    def quota(self, account: int, now_ns: int) -> tuple[int, int]:
        """(parts of this account that may go at once now, ns until its whole burst may).

        (0, NEVER_NS) while it is stopped. The account must have had a rate.
        """
        key: Key = (Hold.ACCOUNT_RATE, account)
        timetable = self._timetables.get(key)
        if timetable is not None:
            return timetable.quota(now_ns)
        return (0, NEVER_NS) if key in self._stopped else (UNLIMITED_PARTS, 0)

    def stopped(self, account: int, sender: str) -> Hold | None:
        """The stop that keeps a waiting message of this account and sender from going now; None
        without one.

        Routes are not looked at: a stopped route stops what is accepted, and what it took still
        goes.
        """
        if not self._stopped:
            return None
        for key in ((Hold.ACCOUNT_RATE, account), (Hold.SENDER_RATE, (account, sender))):
            if key in self._stopped:
                return key[0]
        return None

    def _limits(self, keys: Iterable[Key]) -> list[tuple[float, Hold, Limit]]:
        """The limits under these keys, smallest rate first."""
        found: list[tuple[float, Hold, Limit]] = [
            (timetable.pace, key[0], timetable)
            for key in keys
            if (timetable := self._timetables.get(key)) is not None
        ]
        if len(found) > 1:
            found.sort(key=itemgetter(0))
        return found

    def _keys(self, message: Prepared | Released) -> list[Key]:
        keys: list[Key] = [
            (Hold.ACCOUNT_RATE, message.account),
            (Hold.SENDER_RATE, (message.account, message.sender)),
        ]
        if self._has_routes:
            keys.append((Hold.ROUTE_RATE, self._route_of(message)))
        return keys


def _stands_behind(
    limits: Sequence[Limit], decided: int | None, at_ns: int, now_ns: int, *, again: bool
) -> Limit | None:
    """The limit behind whose timetable the message has to queue; None when it may have its moment.

    Either the moment is far ahead and a timetable is full, or others queue already and would be
    overtaken.
    """
    near = now_ns + AHEAD_NS
    if at_ns > near and decided is not None and any(limit.full for limit in limits):
        return limits[decided]
    near = max(at_ns, near)
    for limit in limits:
        if limit.behind_ns > near and not again:
            return limit
    return None


def _whose(key: Key) -> Faster:
    """A limit as the outbox knows it: a sender by its account, a route not at all."""
    match key:
        case (hold, int(account)) if hold is Hold.ACCOUNT_RATE:
            return hold, account
        case (hold, (int(account), _)):
            return hold, account
    return key[0], None


def _specs(rates: PacingRates) -> Iterable[tuple[Key, RateSpec]]:
    for account, spec in rates.accounts.items():
        yield (Hold.ACCOUNT_RATE, account), spec
    for sender, spec in rates.senders.items():
        yield (Hold.SENDER_RATE, sender), spec
    for route, spec in rates.routes.items():
        yield (Hold.ROUTE_RATE, route), spec
