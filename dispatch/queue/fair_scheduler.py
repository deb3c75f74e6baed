"""Fair queueing on one connector: urgent before bulk, and each account gets its turn.

Owns the order of what waits in one ready queue. Must not know rates, windows or messages, beyond
the attributes of Schedulable. Pure, and O(1) per item, however many accounts and items wait.

Between categories: one-time passwords go first, with at most 80 % of the parts while others wait.
The others share the rest 8 : 4 : 1 (transactional, service, marketing) by deficit round robin.

Between accounts of one category: deficit round robin, ACCOUNT_QUANTUM parts a turn (Shreedhar and
Varghese, 1995). An account without a waiting item takes no memory. Priority orders the messages of
one account in one category (priority_bands.py), so it changes nobody's share.

What does not fit: take() never hands out more parts than asked for. An item that is due and does
not fit ends the take and keeps its turn. Slots freed one by one then add up to it. Only one-time
passwords may pass it. A caller with nothing in flight must offer next_cost(), or the item stays.

Nothing ages here. A queue holds seconds of work, and the weights bound the longest wait. Longer
waits are spent in the outbox, which is refilled per category.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, Protocol, TypeVar

from dispatch.queue.priority_bands import PriorityBands

CATEGORIES = 4  # storage.categories.Category: otp, transactional, service, marketing
WEIGHTS = (0, 8, 4, 1)  # parts per turn of the round; otp is no part of it
ACCOUNT_QUANTUM = 4  # parts per turn of an account
# Four parts of otp earn the others one part: 80 % : 20 %.
OTP_PARTS_PER_OTHER_PART = 4


class Schedulable(Protocol):
    """What the scheduler asks of an item: `category` 0..3, `cost` in parts (at least 1), `priority`
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
        self.deficit += item.cost  # it was charged to its category when it first went

    def head_cost(self) -> int:
        """Parts of the item that is due. Passes turns on until an account can pay for its first
        item.

        Each step grants ACCOUNT_QUANTUM parts that are later spent. So an item's cost bounds its
        steps.
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
        """Take the item that head_cost() spoke of."""
        if self.returned:
            # it was charged to its account when it first went
            item, since = self.returned.popleft()
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
        """Pop items one after the other, up to `parts_max` parts. For the only category that has
        any.

        Alone, it neither earns nor spends its share of the round. What came back from the wire
        spends the share it was credited with.
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
        """Take the next items of the only account that waits. Returns their parts."""
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
        """When the longest-waiting item came; None without one. O(waiting accounts): for metrics
        only.
        """
        firsts = [flow.items.oldest() for flow in self.turns]
        if self.returned:
            firsts.append(min(since for _, since in self.returned))
        return min(firsts, default=None)


class FairScheduler(Generic[T]):
    """The order of one ready queue. `now` may be of any clock; waits are in its unit."""

    __slots__ = ("_lanes", "_owed", "_turn")

    def __init__(self) -> None:
        self._lanes: tuple[_Lane[T], ...] = tuple(_Lane() for _ in range(CATEGORIES))
        # the category whose turn it was: the round goes on with the next
        self._turn = CATEGORIES - 1
        self._owed = 0  # parts of otp that went while others waited, not yet made up for

    def __len__(self) -> int:
        otp, transactional, service, marketing = self._lanes
        return otp.count + transactional.count + service.count + marketing.count

    @property
    def parts(self) -> int:
        """Parts of all waiting items."""
        otp, transactional, service, marketing = self._lanes
        return otp.parts + transactional.parts + service.parts + marketing.parts

    def depth(self, category: int) -> int:
        """Waiting items of a category."""
        return self._lanes[category].count

    def parts_of(self, category: int) -> int:
        """Waiting parts of a category."""
        return self._lanes[category].parts

    def oldest_age(self, category: int, now: int) -> int:
        """How long the oldest item of a category has waited; 0 when none waits. For metrics
        only.
        """
        since = self._lanes[category].oldest()
        return 0 if since is None else max(0, now - since)

    def waits(self, category: int) -> tuple[int, int]:
        """(items taken, sum of their waits) of a category since start."""
        lane = self._lanes[category]
        return lane.taken, lane.waited

    def push(self, item: T, now: int) -> None:
        """Queue an item behind those of its account."""
        self._lanes[item.category].push(item, now)

    def push_front(self, item: T, now: int) -> None:
        """Bring back an item that was taken, to the head of its category. It is not charged again.

        Of several, bring back the last first; then they keep their order (E36).
        """
        self._lanes[item.category].push_front(item, now)

    def next_cost(self) -> int:
        """Parts of the item that is due; 0 when nothing waits."""
        lane = self._next_lane(others_held=False)
        return lane.head_cost() if lane is not None else 0

    def take(self, parts_max: int, now: int) -> list[T]:
        """The next items, at most `parts_max` parts. An item that is due and too big ends it, as
        above.
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
        """Take everything, most urgent category first."""
        self._owed = 0
        return [item for lane in self._lanes for item in lane.drain()]

    def _alone(self) -> _Lane[T] | None:
        """The only category with waiting items; None when several have some, or none has."""
        waiting = [lane for lane in self._lanes if lane.count]
        return waiting[0] if len(waiting) == 1 else None

    def _take_alone(self, lane: _Lane[T], parts_max: int, now: int) -> list[T]:
        """As take(), at a third of the cost. Most queues hold one category at a time."""
        before = lane.parts
        taken = lane.take(parts_max, now)
        if lane is self._lanes[0]:
            self._owed = 0 if taken else self._owed
        else:
            self._owed = max(0, self._owed - OTP_PARTS_PER_OTHER_PART * (before - lane.parts))
        return taken

    def _next_lane(self, *, others_held: bool) -> _Lane[T] | None:
        """The category that goes next. `others_held`: another category's item is due and waits for
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
        """Deficit round robin over the three categories behind otp. An item's cost bounds the
        steps.
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
