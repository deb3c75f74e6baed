"""Owns what an account can do with caps of groups, for coroutines: as in blocking_caps.

Must not know a path or a shape of JSON: see cap_calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls, cap_calls
from smsgate_client import caps as c
from smsgate_client.awaiting import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Unpack


class Caps(Noun):
    """How much marketing groups get."""

    async def create(self, cap: c.NewCap, *, idempotency_key: str | None = None) -> c.Cap:
        """Make one. Repeated, also by you with the same key, it is one."""
        return await self._client.run(cap_calls.new(cap, idempotency_key))

    def list(self) -> AsyncIterator[c.Cap]:
        """All of the account, the oldest first."""
        return self._client.each(calls.listed(under("caps"), c.Cap))

    async def get(self, cap_id: str) -> c.Cap:
        """One as it stands; raises NotFound."""
        return await self._client.run(calls.get(under("caps", cap_id), c.Cap))

    async def change(self, cap_id: str, version: int, **changes: Unpack[c.CapChanges]) -> c.Cap:
        """Change what is given of the version that you have seen."""
        return await self._client.run(cap_calls.change(cap_id, version, changes))

    async def delete(self, cap_id: str, *, version: int | None = None) -> None:
        """End it; only as this version, if you give one."""
        return await self._client.run(calls.end(under("caps", cap_id), version))
