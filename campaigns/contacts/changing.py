"""A contact that is known, changed as one request says: what is named, and nothing else.

Owns what such a change does to the contact's fields and numbers. Must not find out whether it may
be made (desk.py does). Unlike an upsert it takes values away, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, UnsetType

from campaigns.contacts import store
from campaigns.contacts.deciding import Known, Wish
from campaigns.contacts.store import ContactStore, Keys
from storage import sql
from storage.crypto import NumberVault

if TYPE_CHECKING:
    from campaigns.contacts.attributes import Stored
    from storage.pool import Connection

_SQL = sql.load("campaigns")


class ContactChanges(msgspec.Struct, kw_only=True, frozen=True):
    """What a contact is to have from now on. UNSET: as it is; None: nothing. `numbers` in E.164,
    each once, the one to be texted first. `clears`: attributes to empty.
    """

    external_id: str | UnsetType | None = UNSET
    numbers: Sequence[str] | UnsetType = UNSET
    attrs: Mapping[str, Stored] = {}
    clears: frozenset[str] = frozenset()
    tags: Sequence[str] | UnsetType = UNSET
    source: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET


class Nameless(Exception):
    """Nothing would be left by which the contact is found: no external id and no number."""


class Changing:
    """In the caller's transaction, which holds the account's lock of contacts."""

    def __init__(self, vault: NumberVault, contacts: ContactStore) -> None:
        self._vault = vault
        self._store = contacts

    async def keys(
        self, connection: Connection, account: int, contact: int, changes: ContactChanges
    ) -> Keys:
        """The contact, and whoever has what it is to get."""
        name = None if changes.external_id is UNSET else changes.external_id
        wish = Wish(external_id=name, numbers=self._numbers(changes))
        return await self._store.keys(connection, account, [wish], [contact])

    async def make(
        self,
        connection: Connection,
        account: int,
        known: Known,
        changes: ContactChanges,
        tags: Sequence[int] | None,
    ) -> set[str]:
        """Store the changes; which fields differ now. `tags` None: as they are.

        Raises Nameless.
        """
        changed: set[str] = set()
        external_id = known.external_id
        for field in ("external_id", "source", "time_zone"):
            value = getattr(changes, field)
            if value is not UNSET and value != getattr(known, field):
                setattr(known, field, value)
                changed.add(field)
        attrs = {**known.attrs, **changes.attrs}
        attrs = {name: value for name, value in attrs.items() if name not in changes.clears}
        if attrs != known.attrs:
            known.attrs = attrs
            changed.add("attrs")
        if tags is not None and [*tags] != known.tags:
            known.tags = [*tags]
            changed.add("tags")
        numbers = dict(self._numbers(changes))
        if changes.numbers is not UNSET and [*numbers] != known.numbers:
            changed.add("numbers")
        if known.external_id is None and not (numbers if "numbers" in changed else known.numbers):
            raise Nameless
        if known.external_id not in (None, external_id):
            # What it was called before it became part of this contact.
            await connection.execute(
                _SQL["contact_former_name"], account, known.external_id, known.id
            )
        if changed:
            await store.write(connection, [known])
        if "numbers" in changed:
            await self._renumber(connection, account, known, numbers)
        return changed

    async def _renumber(
        self, connection: Connection, account: int, known: Known, numbers: Mapping[bytes, str]
    ) -> None:
        before = known.numbers
        gone = [known.stored.get(index, index) for index in before if index not in numbers]
        await connection.execute(_SQL["contact_numbers_leave"], known.id, gone)
        known.numbers = [*numbers]
        added = [(known, index, number) for index, number in numbers.items() if index not in before]
        await self._store.add_numbers(connection, account, added)
        await store.rank(connection, [known])

    def _numbers(self, changes: ContactChanges) -> list[tuple[bytes, str]]:
        given = () if changes.numbers is UNSET else changes.numbers
        return [(self._vault.index(number), number) for number in given]


def taken_by_others(keys: Keys, known: Known, changes: ContactChanges) -> str | None:
    """Where the request gives the contact what is another's; None: nowhere."""
    if changes.external_id not in (None, UNSET):
        other = keys.by_id.get(changes.external_id)
        if other is not None and other.id != known.id:
            return "/external_id"
    if any(other.id != known.id for other in keys.by_number.values()):
        return "/numbers"
    return None
