"""Who goes next on one connector: urgent before bulk, and every account its turn.

Owns the order of what waits in one ready queue; knows nothing of rates, windows or messages beyond
the three attributes below. Pure, and O(1) per item: the number of accounts and of waiting items
does not matter.

Two levels. Between categories: one-time passwords go first, but while anything else waits they get
at most 80 % of the parts; the others share what is left 8 : 4 : 1 (transactional, service,
marketing) by deficit round robin. Within a category: deficit round robin over the accounts that
have something waiting, ACCOUNT_QUANTUM parts a turn (Shreedhar and Varghese, 1995). An account
without a waiting item takes no memory. Priority orders the messages of one account in one category
(priority_bands.py), and so changes nobody's share.

What does not fit. `take` never hands out more parts than asked for. The item whose turn it is and
that does not fit ends the take and keeps its turn, so that slots freed one by one add up to it
instead of going to smaller items behind it; only one-time passwords may pass it meanwhile.
`next_cost` says how much it needs: a caller with nothing in flight must offer at least that, or the
item stays for ever.

Ageing is not done here. A ready queue holds seconds of work, and the weights bound the wait of its
least category to 13 times its own share; what waits for hours waits in the outbox, which is
refilled per category.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

from dispatch.queue.priority_bands import PriorityBands

CATEGORIES = 4  # storage.categories.Category: otp, transactional, service, marketing
WEIGHTS = (0, 8, 4, 1)  # parts per turn of the round; otp stands before the round
ACCOUNT_QUANTUM = 4  # parts per turn of an account
# Four parts of otp earn the others one part: 80 % : 20 %.
OTP_PARTS_PER_OTHER_PART = 4


class Schedulable(Protocol):
    """What the scheduler asks of an item. `category` 0..3, `cost` in parts, at least 1, `priority`
    0 (highest) to 9.
    """

    @property
    def category(self) -> int: ...
    @property
    def account(self) -> int: ...
    @property
    def cost(self) -> int: ...
    @property
    def priority(self) -> int: ...


T = TypeVar("T", bound=Schedulable)


class _Flow(Generic[T]):
    """What one account has waiting in one category, higher priority first."""

    __slots__ = ("account", "deficit", "items")

    def __init__(self, account: int) -> None:
        self.account = account
        self.deficit = 0  # ACCOUNT_QUANTUM more each time its turn comes
        self.items: PriorityBands[T] = PriorityBands()


class _Lane(Generic[T]):
    """One category: the flows in turn, and before them what came back from the wire."""

    __slots__ = ("count", "deficit", "flows", "parts", "returned", "taken", "turns", "waited")

    def __init__(self) -> None:
        self.returned: deque[tuple[T, int]] = deque()
        self.flows: dict[int, _Flow[T]] = {}
        self.turns: deque[_Flow[T]] = deque()
        self.count = 0
        self.parts = 0
        self.deficit = 0
        self.taken = 0
        self.waited = 0

    def push(self, item: T, now: int) -> None:
        flow = self.flows.get(item.account)
        if flow is None:
            flow = self.flows[item.account] = _Flow(item.account)
            if not self.turns:
                flow.deficit = ACCOUNT_QUANTUM
            self.turns.append(flow)
        flow.items.append(item, now)
        self.count += 1
        self.parts += item.cost

    def push_front(self, item: T, now: int) -> None:
        self.returned.appendleft((item, now))
        self.count += 1
        self.parts += item.cost
        self.deficit += item.cost  # its category paid for it when it first went

    def head_cost(self) -> int:
        """Parts of the item whose turn it is. Gives turns on until an account can pay for its first
        item.

        Each step grants ACCOUNT_QUANTUM parts that are later spent, so the steps per item are
        bounded by its cost.
        """
        if self.returned:
            return self.returned[0][0].cost
        flow = self.turns[0]
        while flow.deficit < flow.items.first()[0].cost:
            self.turns.rotate(-1)
            flow = self.turns[0]
            flow.deficit += ACCOUNT_QUANTUM
        return flow.items.first()[0].cost

    def pop(self, now: int) -> T:
        """The item that head_cost spoke of."""
        if self.returned:
            item, since = self.returned.popleft()  # its account paid when it first went
        else:
            flow = self.turns[0]
            item, since = flow.items.popleft()
            flow.deficit -= item.cost
            if not flow.items:
                self.turns.popleft()
                del self.flows[flow.account]
                if self.turns:
                    self.turns[0].deficit += ACCOUNT_QUANTUM
        self.count -= 1
        self.parts -= item.cost
        self.deficit = self.deficit - item.cost if self.count else 0
        self.taken += 1
        self.waited += now - since
        return item

    def take(self, parts_max: int, now: int) -> list[T]:
        """What pop would give, one after the other, up to `parts_max` parts: for a category that is
        alone, which neither earns nor spends its share of the round. What came back spends what it
        was given for that.
        """
        taken: list[T] = []
        room, share = parts_max, self.deficit
        while room > 0 and self.count:
            if self.returned or len(self.turns) > 1:
                cost = self.head_cost()
                if cost > room:
                    break
                share -= cost if self.returned else 0
                taken.append(self.pop(now))
            else:
                cost = self._take_flow(room, now, taken)
                if not cost:
                    break
            room -= cost
        self.deficit = share if self.count else 0
        return taken

    def _take_flow(self, room: int, now: int, taken: list[T]) -> int:
        """The next items of the only account that waits; returns their parts."""
        items = self.turns[0].items
        found = items.take(room)
        for item, since in found:
            taken.append(item)
            self.waited += now - since
        cost = sum([item.cost for item, _ in found])
        self.count -= len(found)
        self.parts -= cost
        self.taken += len(found)
        if not items:
            self.turns.clear()
            self.flows.clear()
        return cost

    def drain(self) -> list[T]:
        items = [item for item, _ in self.returned]
        items += [item for flow in self.turns for item in flow.items]
        self.returned.clear()
        self.flows.clear()
        self.turns.clear()
        self.count = self.parts = self.deficit = 0
        return items

    def oldest(self) -> int | None:
        """When the longest-waiting item came. O(accounts with something waiting): for scrapes, not
        for the hot path.
        """
        firsts = [flow.items.oldest() for flow in self.turns]
        if self.returned:
            firsts.append(min(since for _, since in self.returned))
        return min(firsts, default=None)


class FairScheduler(Generic[T]):
    """The order of one ready queue. `now` is any clock's reading; waits have its unit."""

    __slots__ = ("_lanes", "_owed", "_turn")

    def __init__(self) -> None:
        self._lanes: tuple[_Lane[T], ...] = tuple(_Lane() for _ in range(CATEGORIES))
        self._turn = CATEGORIES - 1  # whose turn it was: the round begins with the next one
        self._owed = 0  # parts of otp that went while others waited and have not been made up for

    def __len__(self) -> int:
        otp, transactional, service, marketing = self._lanes
        return otp.count + transactional.count + service.count + marketing.count

    @property
    def parts(self) -> int:
        """Parts of everything that waits."""
        otp, transactional, service, marketing = self._lanes
        return otp.parts + transactional.parts + service.parts + marketing.parts

    def depth(self, category: int) -> int:
        """Items of a category that wait."""
        return self._lanes[category].count

    def parts_of(self, category: int) -> int:
        """Parts of a category that wait."""
        return self._lanes[category].parts

    def oldest_age(self, category: int, now: int) -> int:
        """How long the oldest item of a category has waited; 0 when none waits. For scrapes."""
        since = self._lanes[category].oldest()
        return 0 if since is None else max(0, now - since)

    def waits(self, category: int) -> tuple[int, int]:
        """(items taken, sum of their waits) of a category since start: counters for /metrics."""
        lane = self._lanes[category]
        return lane.taken, lane.waited

    def push(self, item: T, now: int) -> None:
        """Queue an item behind those of its account."""
        self._lanes[item.category].push(item, now)

    def push_front(self, item: T, now: int) -> None:
        """Bring back an item that was taken, to the head of its category: it pays no second time.

        Of several, bring back the last first, and they keep their order (E36).
        """
        self._lanes[item.category].push_front(item, now)

    def next_cost(self) -> int:
        """Parts of the item whose turn it is; 0 when nothing waits."""
        lane = self._next_lane(others_held=False)
        return lane.head_cost() if lane is not None else 0

    def take(self, parts_max: int, now: int) -> list[T]:
        """The next items, at most parts_max parts of them. The module's text says what happens at
        an item too big.
        """
        alone = self._alone()
        if alone is not None:
            return self._take_alone(alone, parts_max, now)
        taken: list[T] = []
        room = parts_max
        others_held = False
        while room > 0:
            lane = self._next_lane(others_held=others_held)
            if lane is None:
                break
            cost = lane.head_cost()
            if cost <= room:
                room -= cost
                self._account_for(lane, cost)
                taken.append(lane.pop(now))
            elif lane is self._lanes[0] or others_held:
                break
            else:
                others_held = True
        return taken

    def drain(self) -> list[T]:
        """Everything that waits, most urgent category first; the scheduler is empty afterwards."""
        self._owed = 0
        return [item for lane in self._lanes for item in lane.drain()]

    def _alone(self) -> _Lane[T] | None:
        """The only category that has something waiting; None where it is not the only one."""
        waiting = [lane for lane in self._lanes if lane.count]
        return waiting[0] if len(waiting) == 1 else None

    def _take_alone(self, lane: _Lane[T], parts_max: int, now: int) -> list[T]:
        """As take, 1.5 us for an item instead of 5: most queues hold one category at a time."""
        before = lane.parts
        taken = lane.take(parts_max, now)
        if lane is self._lanes[0]:
            self._owed = 0 if taken else self._owed
        else:
            self._owed = max(0, self._owed - OTP_PARTS_PER_OTHER_PART * (before - lane.parts))
        return taken

    def _next_lane(self, *, others_held: bool) -> _Lane[T] | None:
        """The category whose item goes next. `others_held`: an item of another category waits for
        more room.
        """
        otp = self._lanes[0]
        other = self._other_lane()
        if otp.count:
            due = other is not None and self._owed >= OTP_PARTS_PER_OTHER_PART * other.head_cost()
            if others_held or not due:
                return otp
        return None if others_held else other

    def _other_lane(self) -> _Lane[T] | None:
        """Deficit round robin over the three categories behind otp. The steps are bounded by the
        cost of an item.
        """
        lanes = self._lanes
        if not (lanes[1].count or lanes[2].count or lanes[3].count):
            return None
        while True:
            lane = lanes[self._turn]
            if lane.count and lane.deficit >= lane.head_cost():
                return lane
            self._turn = self._turn % (CATEGORIES - 1) + 1
            lane = lanes[self._turn]
            if lane.count:
                lane.deficit += WEIGHTS[self._turn]

    def _account_for(self, lane: _Lane[T], cost: int) -> None:
        """Keep otp to four parts of five while others wait."""
        if lane is not self._lanes[0]:
            self._owed = max(0, self._owed - OTP_PARTS_PER_OTHER_PART * cost)
            return
        other = self._other_lane()
        if other is None:
            self._owed = 0
        else:  # never owed more than the next item: a debt that could not be paid does not pile up
            self._owed = min(self._owed + cost, OTP_PARTS_PER_OTHER_PART * other.head_cost())
