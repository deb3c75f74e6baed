"""Who wants to hear of what, as this process knows it.

Owns the endpoints in memory and the rule by which no event is missed:

- A process looks every LOOK_SECONDS whether an endpoint changed, and at once at its own changes.
- What it saw less than SURE_SECONDS ago it acts on. What is older it does not: then it asks the
  database with each change that it writes down (changes.py).
- So an endpoint hears of everything that is committed SURE_SECONDS after it was made, or later.
  `settled` waits until then, where other processes share the database; the answer that an endpoint
  was made leaves after it.

Must not write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from dlr.webhooks import endpoints
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox
from dlr.webhooks.events import TELLABLE, wanted_statuses, wants
from storage.periodic import Ended, PeriodicTask
from storage.pool import Connection, Dedicated
from storage.suppression import EVERY_ACCOUNT

LOOK_SECONDS = 1.0
SURE_SECONDS = 2.5  # more than one look may be late
ALL_STATUSES = frozenset(int(status) for status in TELLABLE)

_NOBODY: Mapping[int, frozenset[int]] = MappingProxyType({})


class Subscriptions:
    """Endpoints and callbacks' secrets, looked at again and again. Bounded by what the table may
    hold (endpoints.py).
    """

    def __init__(
        self, dedicated: Dedicated, box: SecretBox, monotonic: Callable[[], float], *, ended: Ended
    ) -> None:
        self._dedicated = dedicated
        self._box = box
        self._monotonic = monotonic
        self._turn = asyncio.Lock()  # one connection, so one at a time
        self._generation = 0
        self._looked_at = float("-inf")
        self._wanted: Mapping[int, frozenset[int]] = _NOBODY
        self.endpoints: Mapping[int, Endpoint] = MappingProxyType({})
        self.callback_secrets: Mapping[int, tuple[Secret, ...]] = MappingProxyType({})
        self._of_account: dict[int, list[Endpoint]] = {}
        self._origins: dict[tuple[int, str], Endpoint] = {}
        self.changed: Callable[[], None] = _nobody_asks
        self._task = PeriodicTask(
            "webhook subscriptions", self._look, lambda: LOOK_SECONDS, ended=ended
        )

    @property
    def any(self) -> bool:
        """Whether there is anybody to tell, as far as is known."""
        return bool(self.endpoints or self.callback_secrets)

    def of(self, account: int) -> Sequence[Endpoint]:
        """The account's endpoints, without callbacks' origins; of EVERY_ACCOUNT everybody's."""
        return self._of_account.get(account, ())

    def origin(self, account: int, origin: str) -> Endpoint | None:
        """What stands for this origin of the account's callbacks."""
        return self._origins.get((account, origin))

    def wanted(self) -> Mapping[int, frozenset[int]] | None:
        """account -> statuses that somebody wants to hear of; None: seen too long ago."""
        if self._monotonic() - self._looked_at > SURE_SECONDS:
            return None
        return self._wanted

    def wants(self, kind: str) -> bool:
        """Whether anybody may want to hear of events of this type."""
        if self._monotonic() - self._looked_at > SURE_SECONDS:
            return True
        return any(wants(endpoint.events, kind) for endpoint in self.endpoints.values())

    async def start(self, connection: Connection) -> None:
        """Know what there is, then keep looking."""
        await self.learn(connection)
        self._task.start()

    async def stop(self) -> None:
        """End."""
        await self._task.stop()

    async def learn(self, connection: Connection) -> None:
        """One look, in the caller's transaction or outside of one."""
        began = self._monotonic()
        generation = await endpoints.generation(connection)
        if generation != self._generation:
            every = await endpoints.every(connection, self._box)
            secrets = await endpoints.callback_secrets(connection, self._box)
            self._adopt(every, secrets)
            self._generation = generation
            self.changed()
        self._looked_at = began

    def look(self) -> None:
        """Something was changed here: learn it now."""
        self._task.wake()

    async def settled(self, *, alone: bool) -> None:
        """Return once every process knows what was committed just now, or knows that it does not.
        `alone`: there is no other.
        """
        await self._look()
        if not alone:
            await asyncio.sleep(SURE_SECONDS)

    async def _look(self) -> None:
        async with self._turn, self._dedicated.guarded() as connection:
            await self.learn(connection)

    def _adopt(self, every: list[Endpoint], secrets: Mapping[int, tuple[Secret, ...]]) -> None:
        wanted: dict[int, frozenset[int]] = {}
        for endpoint in every:
            asked = wanted_statuses(endpoint.events)
            wanted[endpoint.account] = wanted.get(endpoint.account, frozenset()) | asked
        for account in secrets:  # each message may ask for any of them
            wanted[account] = ALL_STATUSES
        self._wanted = {account: asked for account, asked in wanted.items() if asked}
        self.endpoints = {endpoint.id: endpoint for endpoint in every}
        self.callback_secrets = secrets
        self._of_account = {}
        for endpoint in every:
            if not endpoint.callback:
                for account in (endpoint.account, EVERY_ACCOUNT):
                    self._of_account.setdefault(account, []).append(endpoint)
        self._origins = {(each.account, each.url): each for each in every if each.callback}


def _nobody_asks() -> None:
    return
