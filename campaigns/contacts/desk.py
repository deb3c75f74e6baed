"""Contacts behind the API: one at a time made, changed, shown, merged and deleted.

Owns these transactions and their audit. Must not check what a request holds, nor decide what an
upsert changes (deciding.py). Nothing here touches a consent or a suppression: whoever opted out
stays so, whatever becomes of the contact.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import asyncpg
import msgspec
from msgspec import UNSET

from campaigns.contacts import store
from campaigns.contacts.attributes import ATTRIBUTES_MAX, Attribute, Stored
from campaigns.contacts.changing import Changing, ContactChanges, taken_by_others
from campaigns.contacts.deciding import NUMBERS_MAX, Mode, Wish
from campaigns.contacts.store import ContactStore
from campaigns.contacts.verdicts import Verdict
from storage import audit, sql
from storage.audit import AuditEntry
from storage.crypto import NumberVault
from storage.ids import ID_MAX, IdSource, format_id, time_of
from storage.pool import Connection, Dedicated
from storage.reading import reading
from storage.turns import Turns

PREFIX = "con"
MERGE_MAX = 10  # contacts of one request
WAITING_MAX = 100  # writers of this process

_SQL = sql.load("campaigns")


class ContactWord(msgspec.Struct, kw_only=True, frozen=True):
    """A checked contact as a request tells it. `tags` None: as they are. `clears`: to be empty."""

    external_id: str | None
    numbers: Sequence[str]
    attrs: Mapping[str, Stored]
    tags: Sequence[str] | None
    source: str | None
    time_zone: str | None
    clears: frozenset[str]
    mode: Mode


class ContactView(msgspec.Struct, kw_only=True, frozen=True):
    """A contact. `numbers` None: it cannot be decrypted; the first one is texted."""

    id: int
    external_id: str | None
    numbers: Sequence[str | None]
    attrs: Mapping[str, Stored]
    tags: Sequence[str]
    source: str | None
    time_zone: str | None
    revision: int
    created_at: datetime
    updated_at: datetime


class ContactFilter(msgspec.Struct, kw_only=True, frozen=True):
    """Which contacts a list has. None: any."""

    external_id: str | None = None
    number: str | None = None
    tag: str | None = None
    source: str | None = None


class Tag(msgspec.Struct, kw_only=True, frozen=True):
    """What contacts are tagged with."""

    name: str
    label: str | None
    personal: bool


class ContactConflict(Exception):
    """Something that a request gives is another contact's. `pointer`: what, in the request."""

    def __init__(self, pointer: str) -> None:
        super().__init__(pointer)
        self.pointer = pointer


class RevisionDiffers(Exception):
    """The contact stands at `revision`, and not at the one that was seen."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class ContactUnknown(Exception):
    """There is no contact with this id. `place`: which one of the request's."""

    def __init__(self, place: int) -> None:
        super().__init__(place)
        self.place = place


class NoRoom(Exception):
    """`what`: of what the account has too much: tags, attributes, numbers."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what)
        self.what, self.most = what, most


class ContactDesk:
    """Implements ContactBook. Every method raises StorageDown; who writes Overloaded, too."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
    ) -> None:
        self._pool = pool
        self._turns = Turns(dedicated, WAITING_MAX)
        self._vault = vault
        self._ids = ids
        self._store = ContactStore(ids, vault)
        self._changing = Changing(vault, self._store)

    async def upsert(
        self, account: int, actor: str, word: ContactWord, seen: int | None = None
    ) -> tuple[ContactView, bool]:
        """The contact once it is committed, and whether it is new. `seen`: the revision that it
        must have.

        Raises ContactConflict, NoRoom, RevisionDiffers.
        """
        async with self.writing(account) as connection:
            tags = await self._tags(connection, account, word.tags or ())
            wish = Wish(
                external_id=word.external_id,
                numbers=[(self._vault.index(each), each) for each in word.numbers],
                attrs=word.attrs,
                tags=sorted(tags.values()),
                source=word.source,
                time_zone=word.time_zone,
                clears=word.clears,
                exact_tags=word.tags is not None,
            )
            [applied] = await self._store.apply(connection, account, [wish], word.mode)
            if applied.contact is None:
                raise ContactConflict("/numbers")
            if seen is not None and seen != applied.seen:
                raise RevisionDiffers(applied.seen)
            if applied.left_out:
                raise NoRoom("numbers", NUMBERS_MAX)
            created = applied.verdict is Verdict.CREATED
            if applied.verdict is not Verdict.UNCHANGED:
                action = "contacts.create" if created else "contacts.change"
                await self._note(connection, account, actor, action, applied.contact, {})
            [view] = await self._views(connection, [applied.contact])
        return view, created

    async def contact(self, account: int, contact_id: int) -> ContactView | None:
        """One contact; of one that was merged away, what it became part of."""
        async with reading(self._pool) as connection:
            found = await connection.fetchval(_SQL["contact_id"], account, contact_id)
            views = [] if found is None else await self._views(connection, [found])
        return views[0] if views else None

    async def listed(
        self, account: int, wanted: ContactFilter, before: int | None, limit: int
    ) -> list[ContactView]:
        """Contacts with an id below `before`, the latest first."""
        indexes = None if wanted.number is None else self._vault.indexes(wanted.number)
        async with reading(self._pool) as connection:
            rows = await connection.fetch(
                _SQL["contacts_listed"],
                account,
                ID_MAX if before is None else before,
                wanted.external_id,
                indexes,
                wanted.tag,
                wanted.source,
                limit,
            )
            return await self._views(connection, [row["id"] for row in rows])

    async def change(
        self, account: int, actor: str, contact_id: int, seen: int, changes: ContactChanges
    ) -> ContactView | None:
        """The contact with these changes, made to the revision that was seen; None: there is none.

        Raises ContactConflict, NoRoom, RevisionDiffers, Nameless.
        """
        async with self.writing(account) as connection:
            found = await connection.fetchval(_SQL["contact_id"], account, contact_id)
            if found is None:
                return None
            tags = None
            if changes.tags is not UNSET:
                tags = sorted((await self._tags(connection, account, changes.tags)).values())
            keys = await self._changing.keys(connection, account, found, changes)
            contact = keys.by_own.get(found)
            if contact is None:
                return None
            if contact.revision != seen:
                raise RevisionDiffers(contact.revision)
            taken = taken_by_others(keys, contact, changes)
            if taken is not None:
                raise ContactConflict(taken)
            changed = await self._changing.make(connection, account, contact, changes, tags)
            if changed:
                detail = {"changed": sorted(changed)}
                await self._note(connection, account, actor, "contacts.change", found, detail)
            [view] = await self._views(connection, [found])
        return view

    async def delete(
        self, account: int, actor: str, contact_id: int, seen: int | None = None
    ) -> bool:
        """Whether there was one. With it goes all that is known of it; the number's opt-outs and
        consents stay. Raises RevisionDiffers.
        """
        async with self.writing(account) as connection:
            found = await connection.fetchval(_SQL["contact_id"], account, contact_id)
            if found is None:
                return False
            await connection.execute(_SQL["engagement_hold"])
            await connection.execute(_SQL["contact_lock"], account, found)
            await self._check_seen(connection, account, found, seen)
            await connection.fetchval(_SQL["contact_delete"], account, found)
            await self._note(connection, account, actor, "contacts.delete", found, {})
        return True

    async def merge(
        self, account: int, actor: str, contact_ids: Sequence[int], seen: int | None = None
    ) -> ContactView:
        """One contact of several: the oldest stays, and gets what the others have beyond it.

        `seen`: the revision of the oldest. Raises ContactUnknown, RevisionDiffers, and NoRoom for
        too many numbers.
        """
        async with self.writing(account) as connection:
            places: dict[int, int] = {}
            for place, each in enumerate(contact_ids):
                found = await connection.fetchval(_SQL["contact_id"], account, each)
                if found is None:
                    raise ContactUnknown(place)
                places.setdefault(found, place)
            await connection.execute(_SQL["engagement_hold"])
            first, *others = sorted(places)
            await self._check_seen(connection, account, first, seen)
            for other in others:
                await self._merge(connection, account, first, other)
            if others:
                merged = {"merged": [format_id(PREFIX, other) for other in others]}
                await self._note(connection, account, actor, "contacts.merge", first, merged)
            [view] = await self._views(connection, [first])
        return view

    async def attributes(self, account: int) -> list[Attribute]:
        """An account's attributes, by name."""
        async with reading(self._pool) as connection:
            return list((await store.attributes(connection, account)).values())

    async def define(self, account: int, actor: str, attribute: Attribute) -> bool:
        """Make an attribute, or change its label. False: it has another type.

        Raises NoRoom.
        """
        async with self.writing(account) as connection:
            known = await store.attributes(connection, account)
            if attribute.name not in known and len(known) >= ATTRIBUTES_MAX:
                raise NoRoom("attributes", ATTRIBUTES_MAX)
            put = await connection.fetchval(
                _SQL["attribute_put"],
                account, attribute.name, attribute.type, attribute.label, attribute.personal,
            )  # fmt: skip
            if put is not None and known.get(attribute.name) != attribute:
                detail = {"attribute": attribute.name, "type": attribute.type}
                await self._note(connection, account, actor, "contacts.attribute", None, detail)
        return put is not None

    async def tags(self, account: int) -> list[Tag]:
        """An account's tags, by name."""
        async with reading(self._pool) as connection:
            rows = await connection.fetch(_SQL["tags"], account)
        return [Tag(**dict(row)) for row in rows]

    @asynccontextmanager
    async def writing(self, account: int) -> AsyncIterator[Connection]:
        """A transaction with the account's lock of contacts. Raises Overloaded, StorageDown."""
        async with self._turns.one() as connection:
            await store.lock(connection, account)
            yield connection

    async def _check_seen(
        self, connection: Connection, account: int, contact: int, seen: int | None
    ) -> None:
        if seen is None:
            return
        for known in (await self._store.known(connection, account, [contact])).values():
            if known.revision != seen:
                raise RevisionDiffers(known.revision)

    async def _tags(
        self, connection: Connection, account: int, names: Sequence[str]
    ) -> dict[str, int]:
        try:
            return await store.tag_ids(connection, account, names)
        except store.TooManyTags:
            raise NoRoom("tags", store.TAGS_MAX) from None

    async def _merge(self, connection: Connection, account: int, first: int, other: int) -> None:
        known = await self._store.known(connection, account, [first, other])
        stays, goes = known[first], known[other]
        if len(stays.numbers) + len(goes.numbers) > NUMBERS_MAX:
            raise NoRoom("numbers", NUMBERS_MAX)
        takes_name = stays.external_id is None and goes.external_id is not None
        stays.attrs = {**goes.attrs, **stays.attrs}
        stays.tags = sorted({*goes.tags, *stays.tags})
        stays.source = stays.source or goes.source
        stays.time_zone = stays.time_zone or goes.time_zone
        stays.external_id = stays.external_id or goes.external_id
        await connection.execute(_SQL["contact_merge_away"], other, first, takes_name)
        await store.write(connection, [stays])
        await connection.execute(_SQL["contact_merge_numbers"], other, first)
        await connection.execute(_SQL["contact_merge_history"], other, first)

    async def _views(self, connection: Connection, ids: Sequence[int]) -> list[ContactView]:
        rows = await connection.fetch(_SQL["contact_views"], ids)
        return [
            ContactView(
                id=row["id"],
                external_id=row["external_id"],
                numbers=[self._vault.open_or_none(sealed) for sealed in row["numbers"]],
                attrs=row["attrs"],
                tags=row["tags"],
                source=row["source"],
                time_zone=row["time_zone"],
                revision=row["revision"],
                created_at=time_of(row["id"]),
                updated_at=row["updated_at"],
            )
            for row in rows
        ]

    async def _note(
        self,
        connection: Connection,
        account: int,
        actor: str,
        action: str,
        contact: int | None,
        detail: Mapping[str, object],
    ) -> None:
        told = {} if contact is None else {"contact": format_id(PREFIX, contact)}
        entry = AuditEntry(self._ids.next(), account, actor, action, None, {**told, **detail})
        await audit.append(connection, [entry])
