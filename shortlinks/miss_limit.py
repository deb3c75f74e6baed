"""A limit on how often one client may ask for links that do not exist.

Owns a bounded table of recent misses per client. Must not know links. Pure: `now` is an argument.

Somebody who tries codes gets 30 answers, and then one each 2 s. With 10^8 live links among 7.2e13
codes, that is one hit in about three weeks per address.
"""

from __future__ import annotations

from collections import OrderedDict

MISSES_BURST = 30
SECONDS_PER_MISS = 2.0
CLIENTS_MAX = 50_000


class MissLimit:
    """A leaky bucket per client, kept as the moment at which it will be empty."""

    __slots__ = ("_burst_seconds", "_clients_max", "_empty_at", "_seconds_per_miss")

    def __init__(
        self,
        *,
        burst: int = MISSES_BURST,
        seconds_per_miss: float = SECONDS_PER_MISS,
        clients_max: int = CLIENTS_MAX,
    ) -> None:
        """`clients_max`: beyond it, the client whose last miss is longest ago is forgotten."""
        self._burst_seconds = burst * seconds_per_miss
        self._seconds_per_miss = seconds_per_miss
        self._clients_max = clients_max
        self._empty_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._empty_at)

    def seconds_to_wait(self, client: str, now: float) -> float:
        """0 when the client may ask, else the seconds until it may. Counts nothing."""
        excess = self._empty_at.get(client, 0.0) + self._seconds_per_miss - now
        return max(0.0, excess - self._burst_seconds)

    def count(self, client: str, now: float) -> None:
        """Count one more miss of this client."""
        self._empty_at[client] = max(now, self._empty_at.get(client, 0.0)) + self._seconds_per_miss
        self._empty_at.move_to_end(client)
        if len(self._empty_at) > self._clients_max:
            self._empty_at.popitem(last=False)
