"""What operators see and change: keys, connectors, readiness, metrics, who was shown a number."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.config import ConfigError
from ratelimit.spec import RateSpec
from tests.web.rooms.forced import Forced
from web.edge.keys import StoredKey
from web.edge.reveal_log import Revealed
from web.operator_services import Operator, RouteLeg, RouteMatch, RouteState
from web.samples import HistogramSample, Sample
from web.services import (
    Component,
    ConfigurationRefused,
    ConnectorUnknown,
    ConnectorView,
    Reloaded,
)


class Operators(Forced):
    """Implements Operations, Readiness, KeyStore and RevealLog, of one connector that is down."""

    def __init__(self) -> None:
        super().__init__()
        self.changes_asked: list[tuple[str, RateSpec | bool | None, bool | None]] = []
        self.keys: dict[bytes, StoredKey] = {}
        self.key_lookups = 0
        self.components = [Component("database", True)]
        self.samples: list[Sample | HistogramSample] = []
        self.revealed: list[tuple[int, int, Revealed]] = []

    async def find(self, key_hash: bytes) -> StoredKey | None:
        self.key_lookups += 1
        self.fail()
        return self.keys.get(key_hash)

    async def reload(self, by: Operator, *, allow_removals: bool = False) -> Reloaded:
        """Nothing has changed, or `failure`."""
        try:
            self.fail()
        except ConfigError as error:
            raise ConfigurationRefused(str(error), error.faults) from error
        return Reloaded(added=[], removed=[], adjusted=[], rebinding=[], restart_needed=[])

    async def change_connector(
        self, by: Operator, name: str, rate: RateSpec | bool | None, paused: bool | None
    ) -> None:
        if name != "carrier-a":
            raise ConnectorUnknown(name)
        self.changes_asked.append((name, rate, paused))

    def connectors(self) -> list[ConnectorView]:
        return [
            ConnectorView(
                name="carrier-a", kind="smpp", up=False, reason="connection refused", binds=2,
                binds_up=0, window=100, in_flight=0, queued=7, rate="500/s",
            )
        ]  # fmt: skip

    def route_states(self) -> list[RouteState]:
        """One that takes everything, by two connectors of which the first is down."""
        match = RouteMatch((), (), (), (), (), (), ())
        legs = [RouteLeg("carrier-a", 0, False, 500.0), RouteLeg("carrier-b", 0, True, 80.0)]
        return [RouteState(match, None, None, legs)]

    async def check(self) -> list[Component]:
        return self.components

    def snapshot(self) -> Iterable[Sample | HistogramSample]:
        return self.samples

    async def note(self, account: int, key_id: int, revealed: Revealed) -> None:
        self.fail()
        self.revealed.append((account, key_id, revealed))
