"""Saved segments behind the API: each change checked and stored with its audit row, in one commit.

Owns these transactions. Must not count anybody (previews.py), nor know a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar, cast

import asyncpg
import msgspec

from campaigns.segments import reading as names_reading
from campaigns.segments import shelf
from campaigns.segments.checking import checked, references
from campaigns.segments.mistakes import SegmentRefused
from campaigns.segments.names import Names, SavedSegment
from campaigns.segments.shelf import Called, Counted, Member, StoredSegment, Wish
from storage import audit
from storage.audit import AuditEntry
from storage.group_commit import GroupCommit
from storage.ids import IdSource, format_id
from storage.one_commit import committed
from storage.pool import Connection, Dedicated
from storage.reading import reading

PREFIX: Final = "seg"
SEGMENTS_MAX: Final = 1_000  # of an account
_PER_FLUSH_MAX: Final = 10
_WAITING_MAX: Final = 200
_USERS_SHOWN_MAX: Final = 5

Done = TypeVar("Done")


class SegmentActor(msgspec.Struct, frozen=True):
    """Who asks, and for which account."""

    account: int
    name: str  # "key 7"


class NewSegment(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment is to be. `source` None: static, its members are named one by one."""

    name: str
    source: str | None
    note: str | None


class NameTaken(Exception):
    """The account has a segment of this name."""


class TooManySegments(Exception):
    """The account has SEGMENTS_MAX already."""


class VersionDiffers(Exception):
    """Somebody has changed it since; it stands at `version`."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the segment stands at version {version}")
        self.version = version


class InUse(Exception):
    """Segments that refer to it would mean nothing any more: nothing was changed."""


class WrongKind(Exception):
    """A static segment has no source, and one with a source has no members to be named."""


class MembersChanged(msgspec.Struct, frozen=True):
    """How many came in and left. `unknown`: places in what was asked for, added before removed."""

    added: int
    removed: int
    unknown: tuple[int, ...]


_Work = Callable[[Connection], Awaitable[object]]
# What a change may end in without the transaction's being at fault.
_REFUSALS: Final = (SegmentRefused, NameTaken, TooManySegments, VersionDiffers, InUse, WrongKind)


class SegmentDesk:
    """Implements SegmentBook's changes. Each raises Overloaded, StorageDown."""

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], dedicated: Dedicated, ids: IdSource
    ) -> None:
        self._pool = pool
        self._dedicated = dedicated
        self._ids = ids
        self.commits: GroupCommit[_Work, object] = GroupCommit(
            self._flush,
            name="segments",
            items_per_flush_max=_PER_FLUSH_MAX,
            items_waiting_max=_WAITING_MAX,
        )

    def new_id(self) -> int:
        """The id of a segment to be made."""
        return self._ids.next()

    async def create(self, actor: SegmentActor, segment_id: int, new: NewSegment) -> StoredSegment:
        """The segment once it is stored; with an id that is stored already, that one. Raises
        SegmentRefused, NameTaken, TooManySegments.
        """

        async def work(connection: Connection) -> StoredSegment:
            segments = await shelf.locked(connection, actor.account)
            for each in segments:
                if each.id == segment_id:
                    return each
            if len(segments) >= SEGMENTS_MAX:
                raise TooManySegments
            wish = await _judged(connection, actor.account, segments, new)
            stored = await shelf.add(connection, actor.account, segment_id, wish)
            if stored is None:
                raise NameTaken
            await self._note(connection, actor, "segment.create", segment_id)
            return stored

        return await self._done(work)

    async def change(
        self, actor: SegmentActor, segment_id: int, version: int, given: Mapping[str, str | None]
    ) -> StoredSegment | None:
        """The segment with these of `name`, `source` and `note`; None: there is none. Raises
        SegmentRefused, NameTaken, VersionDiffers, InUse, WrongKind.
        """

        async def work(connection: Connection) -> StoredSegment | None:
            segments = await shelf.locked(connection, actor.account)
            before = _found(segments, segment_id)
            if before is None:
                return None
            if before.version != version:
                raise VersionDiffers(before.version)
            if ("source" in given) and (given["source"] is None) != (before.source is None):
                raise WrongKind
            changed = {key for key, value in given.items() if value != getattr(before, key)}
            if not changed:
                return before
            others = [each for each in segments if each.id != segment_id]
            new = NewSegment(
                name=given.get("name") or before.name,
                source=given.get("source", before.source),
                note=given.get("note", before.note),
            )
            if new.name != before.name:
                _check_unused(others, before.name)
            wish = await _judged(connection, actor.account, others, new)
            await _check_dependents(connection, actor.account, others, segment_id, wish)
            stored = await shelf.change(connection, segment_id, wish)
            await self._note(
                connection, actor, "segment.change", segment_id, changed=sorted(changed)
            )
            return stored

        return await self._done(work)

    async def delete(self, actor: SegmentActor, segment_id: int, version: int | None) -> bool:
        """End it, with its members. False: there is none. Raises InUse, VersionDiffers."""

        async def work(connection: Connection) -> bool:
            segments = await shelf.locked(connection, actor.account)
            before = _found(segments, segment_id)
            if before is None:
                return False
            if version not in (None, before.version):
                raise VersionDiffers(before.version)
            _check_unused([each for each in segments if each.id != segment_id], before.name)
            if await shelf.capped(connection, segment_id):
                raise InUse(f'a cap is for "{before.name}"')
            await shelf.delete(connection, segment_id)
            await self._note(connection, actor, "segment.delete", segment_id)
            return True

        return await self._done(work)

    async def change_members(
        self,
        actor: SegmentActor,
        segment_id: int,
        add: Sequence[Called],
        remove: Sequence[Called],
        version: int | None = None,
    ) -> MembersChanged | None:
        """Add and remove members of a static one; None: there is none. `version`: which it has to
        be. Raises WrongKind, VersionDiffers.
        """

        async def work(connection: Connection) -> MembersChanged | None:
            if version is None:
                before = await shelf.one(connection, actor.account, segment_id)
            else:
                before = _found(await shelf.locked(connection, actor.account), segment_id)
            if before is None:
                return None
            if version not in (None, before.version):
                raise VersionDiffers(before.version)
            if before.source is not None:
                raise WrongKind
            known = await shelf.contacts_of(connection, actor.account, [*add, *remove])
            asked = len(add) + len(remove)
            coming = [known[place] for place in range(len(add)) if place in known]
            going = [known[place] for place in range(len(add), asked) if place in known]
            done = MembersChanged(
                await shelf.add_members(connection, segment_id, coming),
                await shelf.remove_members(connection, segment_id, going),
                tuple(place for place in range(asked) if place not in known),
            )
            if done.added or done.removed:
                counts = {"added": done.added, "removed": done.removed}
                await self._note(connection, actor, "segment.members", segment_id, **counts)
            return done

        return await self._done(work)

    async def keep_count(self, segment_id: int, counted: Counted) -> None:
        """Keep what a preview said."""

        async def work(connection: Connection) -> None:
            await shelf.keep_count(connection, segment_id, counted)

        await committed(self.commits, work)

    async def one(self, account: int, segment_id: int) -> StoredSegment | None:
        """As it stands; None: there is none. Raises StorageDown alone."""
        async with reading(self._pool) as connection:
            return await shelf.one(connection, account, segment_id)

    async def listed(
        self, account: int, *, after: int, limit: int, name: str | None = None
    ) -> list[StoredSegment]:
        """The oldest first, above an id. Raises StorageDown alone."""
        async with reading(self._pool) as connection:
            return await shelf.listed(connection, account, after=after, limit=limit, name=name)

    async def members(
        self, account: int, segment_id: int, *, after: int, limit: int
    ) -> list[Member] | None:
        """Who is in a static one, in the order of their ids; None: there is no such segment."""
        async with reading(self._pool) as connection:
            if await shelf.one(connection, account, segment_id) is None:
                return None
            return await shelf.members(connection, segment_id, after=after, limit=limit)

    async def close(self) -> None:
        """Store what was asked for, then stop."""
        await self.commits.close()

    async def _done(self, work: Callable[[Connection], Awaitable[Done]]) -> Done:
        return cast(Done, await committed(self.commits, work))

    async def _flush(self, works: list[_Work], _attempt: int) -> list[object]:
        async with self._dedicated.transaction() as connection:
            return [await _outcome(work, connection) for work in works]

    async def _note(
        self, connection: Connection, actor: SegmentActor, action: str, segment_id: int,
        **detail: object,
    ) -> None:  # fmt: skip
        said = {"segment": format_id(PREFIX, segment_id), **detail}
        entry = AuditEntry(self._ids.next(), actor.account, actor.name, action, None, said)
        await audit.append(connection, [entry])


async def _outcome(work: _Work, connection: Connection) -> object:
    try:
        return await work(connection)
    except _REFUSALS as refused:
        return refused


def _found(segments: Sequence[StoredSegment], segment_id: int) -> StoredSegment | None:
    return next((each for each in segments if each.id == segment_id), None)


async def _judged(
    connection: Connection,
    account: int,
    others: Sequence[StoredSegment],
    new: NewSegment,
) -> Wish:
    """What is to be stored. Raises SegmentRefused, NameTaken."""
    if any(each.name == new.name for each in others):
        raise NameTaken
    refers_to: tuple[str, ...] = ()
    if new.source is not None:
        names = await _names(connection, account, others)
        checked(new.source, msgspec.structs.replace(names, itself=new.name))
        refers_to = references(new.source)
    return Wish(name=new.name, source=new.source, refers_to=refers_to, note=new.note)


async def _names(connection: Connection, account: int, segments: Sequence[StoredSegment]) -> Names:
    saved = {each.name: SavedSegment(each.id, each.source) for each in segments}
    return await names_reading.names_with(connection, account, saved)


def _check_unused(others: Sequence[StoredSegment], name: str) -> None:
    """Raises InUse if one of them refers to this name."""
    users = [each.name for each in others if name in each.refers_to]
    if users:
        raise InUse(f'"{name}" is referred to by {", ".join(users[:_USERS_SHOWN_MAX])}')


async def _check_dependents(
    connection: Connection,
    account: int,
    others: Sequence[StoredSegment],
    segment_id: int,
    wish: Wish,
) -> None:
    """Raises InUse if one that leads to the changed segment would be refused with it. Others have
    their turn behind each.
    """
    names = await _names(connection, account, others)
    changed = {**names.segments, wish.name: SavedSegment(segment_id, wish.source)}
    names = msgspec.structs.replace(names, segments=changed)
    reached, waiting = {wish.name}, [wish.name]
    while waiting:
        name = waiting.pop()
        for each in others:
            if each.source is None or name not in each.refers_to or each.name in reached:
                continue
            reached.add(each.name)
            waiting.append(each.name)
            try:
                checked(each.source, msgspec.structs.replace(names, itself=each.name))
            except SegmentRefused as refused:
                raise InUse(f'"{each.name}" would be refused: {refused.mistakes[0]}') from None
            await asyncio.sleep(0)
