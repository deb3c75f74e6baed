"""Owns what an account can do with caps of groups, for code that blocks.

Must not know a path or a shape of JSON: see cap_calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls, cap_calls
from smsgate_client import caps as c
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack


class Caps(Noun):
    """How much marketing groups get."""

    def create(self, cap: c.NewCap, *, idempotency_key: str | None = None) -> c.Cap:
        """Make one. Repeated, also by you with the same key, it is one."""
        return self._client.run(cap_calls.new(cap, idempotency_key))

    def list(self) -> Iterator[c.Cap]:
        """All of the account, the oldest first."""
        return self._client.each(calls.listed(under("caps"), c.Cap))

    def get(self, cap_id: str) -> c.Cap:
        """One as it stands; raises NotFound."""
        return self._client.run(calls.get(under("caps", cap_id), c.Cap))

    def change(self, cap_id: str, version: int, **changes: Unpack[c.CapChanges]) -> c.Cap:
        """Change what is given of the version that you have seen."""
        return self._client.run(cap_calls.change(cap_id, version, changes))

    def delete(self, cap_id: str, *, version: int | None = None) -> None:
        """End it; only as this version, if you give one."""
        return self._client.run(calls.end(under("caps", cap_id), version))
