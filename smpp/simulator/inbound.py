"""Owns the traffic from handsets: how often, which texts, in how many parts. Must not deliver."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from smpp.simulator.profile import Profile
from smpp.simulator.receipts import InboundMessage
from smpp.text import encode_text

TICK_SECONDS: Final = 0.05
PARTS_SECONDS_MAX: Final = 1.0  # a loop that was held up does not catch up on more than this
LONG_TEXT: Final = " ".join(f"line {number} of a long message" for number in range(1, 13))


class InboundTraffic:
    """``inbound_per_second`` messages, to the system_ids that are bound to receive, in turn."""

    def __init__(
        self,
        profile: Profile,
        loop: asyncio.AbstractEventLoop,
        receivers: Callable[[], Sequence[str]],
        send: Callable[[list[InboundMessage]], None],
    ) -> None:
        self.messages_sent = 0  # a message in several parts is one
        self._profile = profile
        self._random = random.Random(f"{profile.seed} inbound")
        self._loop = loop
        self._receivers = receivers
        self._send = send
        self._owed = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, if the profile has such traffic at all."""
        if self._profile.inbound_per_second > 0:
            self._timer = self._loop.call_later(TICK_SECONDS, self._tick)

    def stop(self) -> None:
        """No more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        receivers = self._receivers()
        if not receivers:
            return  # nobody to write to: what nobody could receive is not owed later
        rate = self._profile.inbound_per_second
        self._owed = min(self._owed + rate * TICK_SECONDS, max(1.0, rate * PARTS_SECONDS_MAX))
        parts: list[InboundMessage] = []
        while self._owed >= 1:
            self._owed -= 1
            parts += self.message(receivers[self.messages_sent % len(receivers)])
            self.messages_sent += 1
        if parts:
            self._send(parts)

    def message(self, system_id: str) -> list[InboundMessage]:
        """The parts of one message, in order."""
        chance = self._random
        profile = self._profile
        long = chance.random() < profile.inbound_multipart_share
        text = LONG_TEXT if long else chance.choice(profile.inbound_texts)
        encoded = encode_text(text, reference=self.messages_sent & 0xFF)
        source = b"86138%08d" % chance.randrange(100_000_000)
        return [
            InboundMessage(
                system_id,
                source,
                profile.inbound_destination.encode("ascii"),
                part,
                data_coding=encoded.data_coding,
                esm_class=encoded.esm_class,
            )
            for part in encoded.parts
        ]
