"""Caps by group behind the API: each change checked and stored with its audit row, in one commit.

Owns these transactions. Must not know a request, nor decide whom a cap stops.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import asyncpg
import msgspec

from campaigns.caps import store
from campaigns.caps.store import Group, Limits, StoredCap
from storage import audit
from storage.audit import AuditEntry
from storage.ids import IdSource, format_id
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.turns import Turns

PREFIX: Final = "cap"
CAPS_MAX: Final = 50  # of an account
_WAITING_MAX: Final = 100


class CapActor(msgspec.Struct, frozen=True):
    """Who asks, and for which account."""

    account: int
    name: str  # "key 7"


class GroupUnknown(Exception):
    """The account has no such tag or segment."""


class GroupTaken(Exception):
    """There is a cap for this group."""


class NoLimit(Exception):
    """It would cap nothing."""


class TooManyCaps(Exception):
    """The account has CAPS_MAX already."""


class CapDiffers(Exception):
    """Somebody has changed it since; it stands at `version`."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the cap stands at version {version}")
        self.version = version


class CapDesk:
    """Implements CapBook. Every method raises StorageDown; changes raise Overloaded, too."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        ids: IdSource,
        changed: Callable[[int], None],
    ) -> None:
        """`changed` is told of the account of every change, once it is committed."""
        self._pool = pool
        self._turns = Turns(dedicated, _WAITING_MAX)
        self._ids = ids
        self._changed = changed

    def new_id(self) -> int:
        """The id of a cap to be made."""
        return self._ids.next()

    async def listed(self, account: int) -> list[StoredCap]:
        """All of the account, the oldest first: CAPS_MAX at most."""
        async with reading(self._pool) as connection:
            return await store.listed(connection, account)

    async def one(self, account: int, cap: int) -> StoredCap | None:
        """As it stands; None: there is none."""
        async with reading(self._pool) as connection:
            return await store.one(connection, account, cap)

    async def create(self, actor: CapActor, cap: int, group: Group, limits: Limits) -> StoredCap:
        """The cap once it is stored; with an id that is stored already, that one. Raises
        GroupUnknown, GroupTaken, NoLimit, TooManyCaps.
        """
        async with self._change(actor) as connection:
            found = await store.one(connection, actor.account, cap)
            if found is not None:
                return found
            _check(limits)
            if len(await store.listed(connection, actor.account)) >= CAPS_MAX:
                raise TooManyCaps
            named = await store.group_id(connection, actor.account, group)
            if named is None:
                raise GroupUnknown
            if not await store.add(connection, actor.account, cap, named, limits):
                raise GroupTaken
            await self._note(connection, actor, "cap.create", cap, limits)
            return await _stands(connection, actor, cap)

    async def change(
        self, actor: CapActor, cap: int, version: int, given: Mapping[str, int | None]
    ) -> StoredCap | None:
        """The cap with these of its limits; None: there is none. Raises CapDiffers, NoLimit."""
        async with self._change(actor) as connection:
            before = await store.one(connection, actor.account, cap)
            if before is None:
                return None
            if before.version != version:
                raise CapDiffers(before.version)
            limits = msgspec.structs.replace(before.limits, **given)
            if limits == before.limits:
                return before
            _check(limits)
            await store.change(connection, cap, limits)
            await self._note(connection, actor, "cap.change", cap, limits)
            return await _stands(connection, actor, cap)

    async def delete(self, actor: CapActor, cap: int, version: int | None) -> bool:
        """End it. False: there is none. Raises CapDiffers."""
        async with self._change(actor) as connection:
            before = await store.one(connection, actor.account, cap)
            if before is None:
                return False
            if version not in (None, before.version):
                raise CapDiffers(before.version)
            await store.delete(connection, cap)
            await self._note(connection, actor, "cap.delete", cap, before.limits)
            return True

    @asynccontextmanager
    async def _change(self, actor: CapActor) -> AsyncIterator[Connection]:
        """A transaction of its own, one after the other. Others are told once it is committed."""
        async with self._turns.one() as connection:
            await store.turn(connection, actor.account)
            yield connection
        self._changed(actor.account)

    async def _note(
        self, connection: Connection, actor: CapActor, action: str, cap: int, limits: Limits
    ) -> None:
        said = {"cap": format_id(PREFIX, cap), **msgspec.structs.asdict(limits)}
        entry = AuditEntry(self._ids.next(), actor.account, actor.name, action, None, said)
        await audit.append(connection, [entry])


def _check(limits: Limits) -> None:
    if limits == Limits():
        raise NoLimit


async def _stands(connection: Connection, actor: CapActor, cap: int) -> StoredCap:
    found = await store.one(connection, actor.account, cap)
    assert found is not None  # it was just stored
    return found
