"""The people of a campaign act: they tap, shop, reply and complain, over what anybody may reach.

Owns these requests, and how many are under way. Must not decide who does what (cast.py), nor count
(truth.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from gateway.demo.campaign.asking import Asking
from gateway.demo.campaign.carrier import Carrier
from gateway.demo.campaign.cast import STEPS, Behaviour, Cast, Handset
from gateway.demo.campaign.letters import Letter, letters
from gateway.demo.campaign.truth import price
from gateway.demo.campaign.visits import visits
from gateway.demo.campaign.win_back import SECOND_TOUCH, external_id
from gateway.rehearsal.processes import RehearsalError

FOUND = 302
AT_ONCE = 24  # requests for links
BATCH_MAX = 1_000  # conversions, or events
CURRENCY = "CNY"


class People:
    """Everybody who got the first touch."""

    def __init__(self, asking: Asking, carrier: Carrier, cast: Cast) -> None:
        self._asking = asking
        self._carrier = carrier
        self._cast = cast
        self._tapped = 0  # the last line of the ledger whose person had the time to

    async def tap(self) -> None:
        """Machines draw cards, and people open links: who got the text since the last time."""
        reached = self._reached(self._tapped)
        await asyncio.gather(*(self._open(reached) for _ in range(AT_ONCE)))

    async def shop(self) -> None:
        """The shop tells what people did on its pages: of the link, and of the person."""
        now = datetime.now(UTC)
        done = ((each, step) for each, does in self._reached() for step in range(does.done))
        while some := list(islice(done, BATCH_MAX)):
            conversions = [_conversion(letter, step, now) for letter, step in some]
            events = [_event(letter, step) for letter, step in some]
            told = await self._asking.ask(
                "conversions", "POST", "/v1/conversions/batch", {"conversions": conversions}
            )
            _none_refused(told["items"])
            told = await self._asking.ask("events", "POST", "/v1/events", {"events": events})
            _none_refused(told["items"])

    async def speak(self) -> None:
        """Some reply that they want no more of it, some complain elsewhere. It returns once the
        gateway has acknowledged each reply, and so stored it.
        """
        for letter, does in self._reached():
            if does.reply is not None:
                self._carrier.reply(letter.to, letter.sender, does.reply)
            if does.complains:
                body = {"id": f"12321-{letter.place}", "source": "regulator", "to": f"+{letter.to}"}
                await self._asking.ask("complaint", "POST", "/v1/complaints", body)
        await self._asking.until(lambda: self._carrier.quiet, "the replies are acknowledged")

    def _reached(self, after: int = 0) -> Iterator[tuple[Letter, Behaviour]]:
        """Whose handset showed the first touch behind this line of the ledger, and what they do.
        Read anew each time: nothing is kept for anybody.
        """
        for letter in letters(self._carrier.ledger(), self._cast):
            if letter.text != SECOND_TOUCH and letter.line > after:
                does = self._cast.behaviour(letter.place, letter.text)
                if does.handset is Handset.ON:
                    yield letter, does

    async def _open(self, reached: Iterator[tuple[Letter, Behaviour]]) -> None:
        """One of several who take from the same people in turn."""
        for letter, does in reached:
            self._tapped = letter.line
            for visit in visits(letter.link, letter.place, does):
                async with self._asking.client.session.request(
                    visit.method, visit.link, headers=visit.headers, allow_redirects=False
                ) as response:
                    if response.status != FOUND:
                        said = f"a link was answered {response.status}"
                        raise RehearsalError(f"{visit.who}: {said}")


def _conversion(letter: Letter, step: int, now: datetime) -> dict[str, object]:
    event = STEPS[step]
    paid = {"value": f"{price(letter.place)}.00", "currency": CURRENCY}
    return {
        "id": f"{letter.place}-{step}",
        "event": event,
        "link": letter.link,
        "occurred_at": (now + timedelta(milliseconds=step)).isoformat(),
        **(paid if event == "order_paid" else {}),
    }


def _event(letter: Letter, step: int) -> dict[str, object]:
    event = STEPS[step]
    paid = {"amount": f"{price(letter.place)}.00"} if event == "order_paid" else {}
    return {
        "event_id": f"{letter.place}-{step}",
        "external_id": external_id(letter.place),
        "name": event,
        **paid,
    }


def _none_refused(items: list[dict[str, Any]]) -> None:
    refused = [item["error"] for item in items if item.get("error")]
    if refused:
        raise RehearsalError(
            f"{len(refused)} of {len(items)} were refused: {str(refused[0])[:300]}"
        )
