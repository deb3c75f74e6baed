"""What an endpoint's owner asks for, checked, and what comes of it.

Owns these shapes, which the API and the desk share. Must not decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from dlr.webhooks.client import Attempt
from dlr.webhooks.deliveries import LogState
from dlr.webhooks.endpoints import Endpoint
from dlr.webhooks.schedule import succeeded


class EndpointWish(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint's owner decides, checked. `key` signs."""

    url: str
    events: tuple[str, ...]
    batch_max: int
    batch_wait_ms: int
    full_numbers: bool
    ordered: bool
    ca: str | None
    headers: Mapping[str, str]
    key: str


class Tested(msgspec.Struct, frozen=True):
    """What became of a `webhook.test`."""

    attempt: Attempt

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return succeeded(self.attempt.status)

    @property
    def in_words(self) -> str:
        """What the receiver did instead."""
        attempt = self.attempt
        if attempt.status is not None:
            return f"the test was answered with {attempt.status}"
        return f"the test failed: {attempt.error}"


class Enabled(msgspec.Struct, frozen=True):
    """An endpoint that was to be enabled. `test` None: it was active."""

    endpoint: Endpoint
    test: Tested | None = None


class LogFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, or attempts in these states (empty: in any), with these types of events."""

    waiting: bool = False
    states: Sequence[LogState] = ()
    types: Sequence[str] = ()
    since: datetime | None = None


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be told once more. `cursor`: the place in the log where to go on."""

    since: datetime
    until: datetime
    types: Sequence[str]
    states: Sequence[LogState]
    cursor: int | None


class Actor(msgspec.Struct, frozen=True):
    """Who asks: an account, and by which key."""

    account: int
    key: int
