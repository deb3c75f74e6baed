"""What the HTTP edge needs to know of webhooks: one protocol, nothing concrete.

Owns that seam. Must not import what implements it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dlr.webhooks.desk import Replayed, Shown
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint, Secret
from dlr.webhooks.owner_wishes import Actor, Enabled, EndpointWish, LogFilter, ReplayWish, Tested


class WebhookEndpoints(Protocol):
    """Where accounts want to hear of events. Everything that is asynchronous raises StorageDown;
    None: the account has no such endpoint.
    """

    def url_fault(self, url: str) -> str | None:
        """Why this URL may not be asked; None: it may."""

    async def create(
        self, actor: Actor, wish: EndpointWish, endpoint_id: int | None = None
    ) -> Endpoint:
        """With an id that is stored already, that one. Raises TooMany."""

    async def get(self, account: int, endpoint_id: int) -> Endpoint | None:
        """One of this account."""

    async def listed(self, account: int, *, after: int, limit: int) -> list[Endpoint]:
        """Oldest first, behind an id."""

    async def change(
        self, actor: Actor, endpoint_id: int, changed: Callable[[Endpoint], Endpoint], what: str
    ) -> Endpoint | None:
        """As `changed` makes it of what is stored."""

    async def rotate(
        self, actor: Actor, endpoint_id: int, key: str | None, overlap_seconds: int
    ) -> Endpoint | None:
        """A new key signs; those before for so long."""

    async def retire(self, actor: Actor, endpoint_id: int) -> Endpoint | None:
        """The newest key signs alone."""

    async def set_state(self, actor: Actor, endpoint_id: int, state: State) -> Endpoint | None:
        """Enter a state by hand."""

    async def enable(self, actor: Actor, endpoint_id: int) -> Enabled | None:
        """After a test. Raises TooSoon, Overloaded."""

    async def test(self, account: int, endpoint_id: int) -> Tested | None:
        """Raises Overloaded."""

    async def delete(self, actor: Actor, endpoint_id: int) -> bool:
        """False: there is none."""

    async def callback_secrets(self, account: int) -> Sequence[Secret]:
        """What signs the callbacks of its messages."""

    async def rotate_callbacks(
        self, actor: Actor, key: str | None, overlap_seconds: int
    ) -> Sequence[Secret]:
        """A new key signs them; those before for so long."""

    async def retire_callbacks(self, actor: Actor) -> Sequence[Secret]:
        """The newest key signs them alone."""

    async def deliveries(
        self,
        account: int,
        endpoint_id: int,
        wanted: LogFilter,
        *,
        place: int | None,
        limit: int,
    ) -> list[Shown] | None:
        """Behind a place: attempts newest first, what waits oldest first."""

    async def redeliver(self, actor: Actor, endpoint_id: int, delivery_id: int) -> bool:
        """False: there is none."""

    async def replay(self, actor: Actor, endpoint_id: int, wish: ReplayWish) -> Replayed | None:
        """Tell once more what was given up or skipped."""
