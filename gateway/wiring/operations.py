"""What an operator does to this process through the API, and the audit row that it leaves.

Owns that step. Must not reload anything, nor change a connector (gateway/reload.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from gateway.config import ConfigError
from ratelimit.spec import RateSpec
from storage import audit
from storage.audit import AuditEntry
from storage.ids import IdSource
from storage.pool import Connection, Dedicated
from storage.turns import Turns
from web.operator_services import Operator
from web.services import ConfigurationRefused, Reloaded

WAITING_MAX = 100


class Reloading(Protocol):
    """gateway/reload.py, as it is used here."""

    async def reload(self, *, allow_removals: bool = False) -> Reloaded:
        """Raises ConfigError, ReloadBusy, StorageDown."""

    def change_connector(
        self, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        """Raises ConnectorUnknown."""


class OperationsDoor:
    """Implements Operations. A refused configuration is told in the words of the API."""

    def __init__(self, inner: Reloading, dedicated: Dedicated, ids: IdSource) -> None:
        self._inner = inner
        self._turns = Turns(dedicated, WAITING_MAX)
        self._ids = ids

    async def reload(self, by: Operator, *, allow_removals: bool = False) -> Reloaded:
        try:
            done = await self._inner.reload(allow_removals=allow_removals)
        except ConfigError as error:
            raise ConfigurationRefused(str(error), error.faults) from error
        changed = len(done.adjusted) + len(done.rebinding)
        said = {"added": len(done.added), "removed": len(done.removed), "changed": changed}
        async with self._turns.one() as connection:
            await self._note(connection, by, "configuration.reload", said)
        return done

    async def change_connector(
        self, by: Operator, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        """A change that could not be put on record is not made, unless the COMMIT itself fails."""
        changed = [
            *(["rate"] if rate is not False else []),
            *(["paused"] if paused is not None else []),
        ]
        said = {"target": name, "changed": changed, "paused": paused}
        async with self._turns.one() as connection:
            await self._note(connection, by, "connector.change", said)
            self._inner.change_connector(name, rate, paused)

    async def _note(
        self, connection: Connection, by: Operator, action: str, said: Mapping[str, object]
    ) -> None:
        entry = AuditEntry(self._ids.next(), by.account, by.actor, action, None, said)
        await audit.append(connection, [entry])
