"""Wishes about contacts made true in the tables, many in few statements.

Owns how contacts are found, locked and written. Must not decide what a wish changes (deciding.py).
Each call stands in the caller's transaction, which holds the account's lock of contacts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from campaigns.contacts.attributes import Attribute
from campaigns.contacts.deciding import Change, Known, Mode, Wish, decided, filled, undone
from campaigns.contacts.verdicts import Verdict
from storage import sql
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.pool import Connection

_SQL = sql.load("campaigns")
TAGS_MAX = 10_000  # of one account
SLICE_NUMBERS = 500  # sealed between two turns for others


class TooManyTags(Exception):
    """The account would have more than TAGS_MAX."""


class Applied(msgspec.Struct, kw_only=True):
    """What became of one wish. `contact` None: none was found or made. `seen`: the revision that
    it had. `left_out`: numbers for which it has no room.
    """

    verdict: Verdict
    code: str | None = None
    contact: int | None = None
    seen: int = 0
    revision: int | None = None
    before: dict[str, object] | None = None
    left_out: Sequence[bytes] = ()


class Keys(msgspec.Struct):
    """Whom the wishes of one transaction name: by external id, by the wish's index of a number, and
    each by its own id.
    """

    by_id: dict[str, Known]
    by_number: dict[bytes, Known]
    by_own: dict[int, Known]
    new: list[Known]


class ContactStore:
    """The tables `contact` and `contact_number`, in the caller's transaction."""

    def __init__(self, ids: IdSource, vault: NumberVault) -> None:
        self._ids = ids
        self._vault = vault

    async def apply(
        self,
        connection: Connection,
        account: int,
        wishes: Sequence[Wish],
        mode: Mode,
        *,
        job: int | None = None,
        write: bool = True,
    ) -> list[Applied]:
        """Make each wish true, in order. A second one of an import's that names the same contact
        is a duplicate. `write` False: only decide.
        """
        keys = await self.keys(connection, account, wishes)
        seen: set[int] = set()
        if job is not None:
            ids = {known.id for known in (*keys.by_id.values(), *keys.by_number.values())}
            rows = await connection.fetch(_SQL["import_seen"], job, list(ids))
            seen = {row["contact"] for row in rows}
        changes = [self._change(keys, wish, mode, seen, once=job is not None) for wish in wishes]
        revisions = [0 if known is None else known.revision for known, _ in changes]
        if write:
            await self._write(connection, account, keys, changes, job)
        return [
            Applied(
                verdict=change.verdict,
                code=change.code,
                contact=None if known is None else known.id,
                seen=revision,
                revision=None if known is None else known.revision,
                before=change.before or None,
                left_out=change.left_out,
            )
            for (known, change), revision in zip(changes, revisions, strict=True)
        ]

    def forms(self, index: bytes, number: str) -> tuple[bytes, ...]:
        """Every index under which a number may stand. It had this one a moment ago, which may lie
        before a change of the number key.
        """
        old = self._vault.old_indexes(number)
        return (index, self._vault.todays_index(number, index), *old) if old else (index,)

    async def keys(
        self,
        connection: Connection,
        account: int,
        wishes: Sequence[Wish],
        contacts: Iterable[int] = (),
    ) -> Keys:
        """The contacts that these wishes name, and these ones, locked."""
        today = {
            other: index
            for wish in wishes
            for index, number in wish.numbers
            for other in self.forms(index, number)
        }
        names = list({wish.external_id for wish in wishes if wish.external_id is not None})
        numbers = await connection.fetch(_SQL["contacts_by_number"], account, list(today))
        named = await connection.fetch(_SQL["contacts_by_external_id"], account, names)
        ids = {row["contact"] for row in numbers} | {row["id"] for row in named} | {*contacts}
        known = await self.known(connection, account, ids)
        for each in known.values():
            wished = {today.get(index, index): index for index in each.numbers}
            each.numbers = list(wished)
            each.stored = {index: stored for index, stored in wished.items() if stored != index}
        return Keys(
            {row["external_id"]: known[row["id"]] for row in named if row["id"] in known},
            {
                today[row["to_idx"]]: known[row["contact"]]
                for row in numbers
                if row["contact"] in known
            },
            known,
            [],
        )

    async def known(
        self, connection: Connection, account: int, ids: Iterable[int]
    ) -> dict[int, Known]:
        """These contacts by id, locked; one that is gone or merged away is not there."""
        rows = await connection.fetch(_SQL["contacts_known"], account, list(ids))
        return {row["id"]: Known(**dict(row)) for row in rows}

    def _change(
        self, keys: Keys, wish: Wish, mode: Mode, seen: set[int], *, once: bool
    ) -> tuple[Known | None, Change]:
        of_id = None if wish.external_id is None else keys.by_id.get(wish.external_id)
        of_numbers = {
            known.id: known
            for index, _ in wish.numbers
            if (known := keys.by_number.get(index)) is not None
        }
        named = ([] if of_id is None else [of_id]) + list(of_numbers.values())
        if once and any(known.id in seen for known in named):
            return named[0], Change(verdict=Verdict.DUPLICATE_IN_FILE)
        change = decided(wish, of_id, list(of_numbers.values()), mode)
        if change.verdict is Verdict.INVALID:
            return None, change
        known = named[0] if named else Known(id=self._ids.next())
        if not named:
            keys.new.append(known)
            change = filled(wish, known)
        if once:
            seen.add(known.id)
        if known.external_id is not None:
            keys.by_id[known.external_id] = known
        keys.by_number.update(dict.fromkeys((index for index, _ in change.added), known))
        return known, change

    async def _write(
        self,
        connection: Connection,
        account: int,
        keys: Keys,
        changes: Sequence[tuple[Known | None, Change]],
        job: int | None,
    ) -> None:
        new = {known.id for known in keys.new}
        if keys.new:
            await connection.copy_records_to_table(
                "contact",
                columns=("id", "account", "external_id", "attrs", "tags", "source", "time_zone"),
                records=[
                    (
                        known.id, account, known.external_id, known.attrs, known.tags,
                        known.source, known.time_zone,
                    )
                    for known in keys.new
                ],
            )  # fmt: skip
            for known in keys.new:
                known.revision = 1
        changed = {
            known.id: known
            for known, change in changes
            if known is not None and known.id not in new and (change.before or change.added)
        }
        await write(connection, list(changed.values()))
        added = [
            (known, index, number)
            for known, change in changes
            if known is not None
            for index, number in change.added
        ]
        await self.add_numbers(connection, account, added, job)
        await rank(
            connection,
            [known for known, change in changes if known is not None and change.first is not None],
        )

    async def add_numbers(
        self,
        connection: Connection,
        account: int,
        added: Sequence[tuple[Known, bytes, str]],
        job: int | None = None,
    ) -> None:
        """Store numbers that contacts got, each with its rank among `numbers`."""
        records = []
        for place, (known, index, number) in enumerate(added):
            if place % SLICE_NUMBERS == SLICE_NUMBERS - 1:
                await asyncio.sleep(0)
            # Index and seal of one key, whichever it was when the index was computed.
            stored, sealed = self._vault.todays_index(number, index), self._vault.seal(number)
            if stored != index:
                known.stored[index] = stored
            records.append((account, stored, sealed, known.id, known.numbers.index(index), job))
        if records:
            await connection.copy_records_to_table(
                "contact_number",
                columns=("account", "to_idx", "to_enc", "contact", "rank", "job"),
                records=records,
            )


async def write(connection: Connection, changed: Sequence[Known]) -> None:
    """Store what these contacts are now, but for their numbers. Their revision grows."""
    if not changed:
        return
    text = msgspec.json.encode(
        [
            {
                "id": known.id, "external_id": known.external_id, "attrs": known.attrs,
                "tags": known.tags, "source": known.source, "time_zone": known.time_zone,
            }
            for known in changed
        ]
    ).decode()  # fmt: skip
    rows = await connection.fetch(_SQL["contacts_change"], text)
    revisions = {row["id"]: row["revision"] for row in rows}
    for known in changed:
        known.revision = revisions.get(known.id, known.revision)


async def rank(connection: Connection, contacts: Sequence[Known]) -> None:
    """Store the order of these contacts' numbers."""
    ranks = [
        (known.id, known.stored.get(index, index), place)
        for known in contacts
        for place, index in enumerate(known.numbers)
    ]
    if ranks:
        columns = [list(column) for column in zip(*ranks, strict=True)]
        await connection.execute(_SQL["contact_ranks"], *columns)


async def lock(connection: Connection, account: int) -> None:
    """Be the only writer of this account's contacts until the transaction ends."""
    await connection.execute(_SQL["contacts_lock"], account)


async def tag_ids(connection: Connection, account: int, names: Iterable[str]) -> dict[str, int]:
    """The ids of these tags, which are made where there are none. Raises TooManyTags."""
    wanted = set(names)
    if not wanted:
        return {}
    known = await _tags(connection, account, wanted)
    missing = sorted(wanted - known.keys())
    if missing:
        there = await connection.fetchval(_SQL["tags_count"], account)
        if there + len(missing) > TAGS_MAX:
            raise TooManyTags
        await connection.execute(_SQL["tags_add"], account, missing)
        known |= await _tags(connection, account, missing)
    return known


async def _tags(connection: Connection, account: int, names: Iterable[str]) -> dict[str, int]:
    rows = await connection.fetch(_SQL["tags_known"], account, list(names))
    return {row["name"]: row["id"] for row in rows}


async def attributes(connection: Connection, account: int) -> dict[str, Attribute]:
    """An account's attributes by name."""
    rows = await connection.fetch(_SQL["attributes"], account)
    return {row["name"]: Attribute(**dict(row)) for row in rows}


async def revert(
    connection: Connection,
    account: int,
    found: Sequence[tuple[int, int, dict[str, object] | None, bool]],
    job: int,
    store: ContactStore,
) -> list[bool]:
    """Take back what an import made of contacts: (contact, revision after it, before, created).

    Returns for each whether it was taken back. One that changed since, or did something, is kept.
    """
    await connection.execute(_SQL["engagement_hold"])  # nobody makes an event of them meanwhile
    known = await store.known(connection, account, {each[0] for each in found})
    busy = await connection.fetch(_SQL["contacts_with_events"], list(known))
    acted = {row["contact"] for row in busy}
    outcomes: list[bool] = []
    gone: list[int] = []
    changed: list[Known] = []
    for contact, revision, before, created in found:
        each = known.get(contact)
        mine = each is not None and each.revision == revision
        if each is None or not mine or (created and contact in acted):
            outcomes.append(False)
            continue
        outcomes.append(True)
        if created:
            gone.append(contact)
            continue
        changed.append(each)
        undone(each, before or {})
    await connection.execute(_SQL["contacts_remove"], gone)
    ids = [each.id for each in changed]
    await connection.execute(_SQL["contact_numbers_remove"], ids, job)
    now = await connection.fetch(_SQL["contact_numbers_of"], ids)
    numbers = {row["contact"]: list(row["numbers"]) for row in now}
    places = {
        contact: before["rank"] for contact, _, before, _ in found if before and "rank" in before
    }
    for each in changed:
        each.numbers = numbers.get(each.id, [])
        place = places.get(each.id)
        if isinstance(place, int) and each.numbers:
            each.numbers.insert(place, each.numbers.pop(0))
    await write(connection, changed)
    await rank(connection, changed)
    return outcomes
