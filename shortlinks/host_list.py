"""Lists of hosts as settings name them: `shop.example`, and `*.shop.example` for every name below.

Owns when a host is in a list. Must not know what a list is for. Pure.
"""

from __future__ import annotations

from collections.abc import Collection


class HostList:
    """Names in lower case."""

    __slots__ = ("_below", "_whole")

    def __init__(self, hosts: Collection[str] = ()) -> None:
        self._whole = frozenset(host for host in hosts if not host.startswith("*."))
        self._below = tuple(host[1:] for host in hosts if host.startswith("*."))

    def __contains__(self, host: str) -> bool:
        return host in self._whole or (bool(self._below) and host.endswith(self._below))

    def __bool__(self) -> bool:
        return bool(self._whole or self._below)
