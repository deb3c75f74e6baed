"""Owns every receipt and inbound message, from when it is planned until it is settled.

That is acknowledged, refused or given up. There is one mailbox a system_id, with bounded windows
and bounded re-sending. Must not decide what a message's fate is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Final, cast

from smpp import vocabulary
from smpp.events import SubmitResponse
from smpp.server import ServerSession
from smpp.simulator.counters import SimulatorCounters
from smpp.simulator.profile import Profile
from smpp.simulator.receipts import Held, MinuteStamp

DELIVERIES_PER_SLICE: Final = 200
TICK_SECONDS: Final = 0.01  # what falls due within one tick leaves together

# A deliver_sm_resp with one of these means "later"; any other status means "never".
TRY_AGAIN: Final = frozenset(
    {
        vocabulary.ESME_RX_T_APPN,
        vocabulary.ESME_RMSGQFUL,
        vocabulary.ESME_RTHROTTLED,
        vocabulary.ESME_RSYSERR,
    }
)

Plan = Callable[[float, Held], None]


class Mailbox:
    """What is due for one system_id; kept while nobody is bound, shared over those who are."""

    def __init__(self, loop: asyncio.AbstractEventLoop, counters: SimulatorCounters) -> None:
        self.queue: deque[Held] = deque()
        self.sessions: list[ServerSession] = []
        self._loop = loop
        self._counters = counters
        self._pump_planned = False

    def pump(self) -> None:
        """Send what the windows take: one write a session, a slice at a time, the rest soon."""
        queue = self.queue
        sent = 0
        for session in self.sessions:
            count = min(session.free_slots, len(queue), DELIVERIES_PER_SLICE)
            if count:
                held = [queue.popleft() for _ in range(count)]
                taken = session.deliver([(one.deliver_sm(), one) for one in held])
                queue.extendleft(reversed(held[taken:]))
                sent += taken
        self._counters.receipts_sent += sent
        if sent and queue and not self._pump_planned:
            self._pump_planned = True
            self._loop.call_soon(self._pump_on)

    def _pump_on(self) -> None:
        self._pump_planned = False
        self.pump()


class Deliveries:
    """All mailboxes of one simulator. ``plan`` is how something is put on its timetable."""

    def __init__(
        self,
        profile: Profile,
        loop: asyncio.AbstractEventLoop,
        counters: SimulatorCounters,
        plan: Plan,
    ) -> None:
        self.held = 0  # planned, waiting or unacknowledged
        self.mailboxes: dict[str, Mailbox] = {}
        self.stamp = MinuteStamp()
        self._profile = profile
        self._loop = loop
        self._counters = counters
        self._plan = plan

    def mailbox(self, system_id: str) -> Mailbox:
        """The mailbox of this system_id, made when first asked for."""
        mailbox = self.mailboxes.get(system_id)
        if mailbox is None:
            mailbox = self.mailboxes[system_id] = Mailbox(self._loop, self._counters)
        return mailbox

    def receivers(self) -> list[str]:
        """The system_ids that are bound to receive."""
        return [system_id for system_id, mailbox in self.mailboxes.items() if mailbox.sessions]

    def take_on(self, held: Held, due: float) -> None:
        """Something new, due at ``due`` in the loop's time."""
        self.held += 1
        self._counters.receipts_planned += 1
        self._plan_at(due, held)

    def take_on_now(self, items: Collection[Held], unix_seconds: float) -> None:
        """Something new, due at once."""
        self.held += len(items)
        self._counters.receipts_planned += len(items)
        self.due(items, unix_seconds)

    def due(self, items: Iterable[Held], unix_seconds: float) -> None:
        """Put into the mailboxes and send what the windows take; the time is the "done date"."""
        done_date = self.stamp.at(unix_seconds)
        touched: dict[str, Mailbox] = {}
        for held in items:
            held.done_date = held.done_date or done_date
            mailbox = touched.get(held.system_id)
            if mailbox is None:
                mailbox = touched[held.system_id] = self.mailbox(held.system_id)
            mailbox.queue.append(held)
        for mailbox in touched.values():
            mailbox.pump()

    def opened(self, session: ServerSession) -> None:
        """A receiver is bound: what was held goes out."""
        mailbox = self.mailbox(session.system_id)
        mailbox.sessions.append(session)
        mailbox.pump()

    def closed(self, session: ServerSession, in_flight: list[object]) -> None:
        """What a session left unanswered goes to the front of the queue, for the next one."""
        mailbox = self.mailbox(session.system_id)
        if session in mailbox.sessions:
            mailbox.sessions.remove(session)
        mailbox.queue.extendleft(reversed(self._worth_another(cast("list[Held]", in_flight))))
        mailbox.pump()

    def answered(self, responses: list[SubmitResponse], now: float) -> None:
        """deliver_sm_resp: done, later, or never."""
        acknowledged = 0
        later: list[object] = []
        for response in responses:
            if response.command_status == vocabulary.ESME_ROK:
                acknowledged += 1
            elif response.command_status in TRY_AGAIN:
                later.append(response.context)
        refused = len(responses) - acknowledged - len(later)
        self._counters.receipts_acknowledged += acknowledged
        self._counters.receipts_refused += refused
        self.held -= acknowledged + refused
        if later:
            self.send_again(later, now)

    def send_again(self, contexts: list[object], now: float) -> None:
        """After the profile's pause, unless it was tried often enough."""
        due = now + self._profile.receipt_resend_seconds
        for held in self._worth_another(cast("list[Held]", contexts)):
            self._counters.receipts_resent += 1
            self._plan_at(due, held)

    def _worth_another(self, attempted: list[Held]) -> list[Held]:
        kept: list[Held] = []
        for held in attempted:
            held.attempts += 1
            if held.attempts <= self._profile.receipt_resends_max:
                kept.append(held)
        self._counters.receipts_given_up += len(attempted) - len(kept)
        self.held -= len(attempted) - len(kept)
        return kept

    def _plan_at(self, due: float, held: Held) -> None:
        self._plan((due // TICK_SECONDS + 1) * TICK_SECONDS, held)
