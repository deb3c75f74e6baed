"""What the endpoints of contacts need: small protocols.

Owns these protocols. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from campaigns.contacts.attributes import Attribute
from campaigns.contacts.changing import ContactChanges
from campaigns.contacts.desk import ContactFilter, ContactView, ContactWord, Tag
from campaigns.contacts.files.jobs import FileWish, JobView, RowView
from campaigns.contacts.verdicts import Verdict
from campaigns.events.desk import EventWord, Outcome


class ContactBook(Protocol):
    """An account's contacts. Every method raises StorageDown; who writes Overloaded, too."""

    async def upsert(
        self, account: int, actor: str, word: ContactWord, seen: int | None = None
    ) -> tuple[ContactView, bool]:
        """The contact once it is committed, and whether it is new. `seen`: the revision that it
        must have.

        Raises ContactConflict, NoRoom, RevisionDiffers.
        """

    async def contact(self, account: int, contact_id: int) -> ContactView | None:
        """One contact; of one that was merged away, what it became part of."""

    async def listed(
        self, account: int, wanted: ContactFilter, before: int | None, limit: int
    ) -> list[ContactView]:
        """Contacts with an id below `before`, the latest first."""

    async def change(
        self, account: int, actor: str, contact_id: int, seen: int, changes: ContactChanges
    ) -> ContactView | None:
        """The contact with these changes; None: there is none.

        Raises ContactConflict, NoRoom, RevisionDiffers, Nameless.
        """

    async def delete(
        self, account: int, actor: str, contact_id: int, seen: int | None = None
    ) -> bool:
        """Whether there was one. Raises RevisionDiffers."""

    async def merge(
        self, account: int, actor: str, contact_ids: Sequence[int], seen: int | None = None
    ) -> ContactView:
        """One contact of several. `seen`: the revision of the oldest.

        Raises ContactUnknown, NoRoom, RevisionDiffers.
        """

    async def attributes(self, account: int) -> list[Attribute]:
        """An account's attributes, by name."""

    async def define(self, account: int, actor: str, attribute: Attribute) -> bool:
        """Make an attribute, or change its label. False: it has another type. Raises NoRoom."""

    async def tags(self, account: int) -> list[Tag]:
        """An account's tags, by name."""


class FileIntake(Protocol):
    """A file that is being received."""

    @property
    def id(self) -> int:
        """Of its import."""

    async def add(self, octets: bytes) -> None:
        """The next octets, 64 KiB at most. Raises FileRefused, StorageDown."""

    async def received(self) -> tuple[int, bool]:
        """Its import, and whether it is an earlier one of the same file. Raises FileRefused,
        StorageDown.
        """


class ContactFiles(Protocol):
    """Imports of contacts. Every method raises StorageDown."""

    def receiving(
        self, account: int, actor: str, wish: FileWish
    ) -> AbstractAsyncContextManager[FileIntake]:
        """Room for a file; without an end nothing of it stays. Raises Overloaded."""

    async def view(self, account: int, job: int) -> JobView | None:
        """How far one import is."""

    async def listed(self, account: int, before: int | None, limit: int) -> list[JobView]:
        """An account's imports, the latest first."""

    async def rows(
        self, job: int, after: int, verdict: Verdict | None, limit: int
    ) -> list[RowView]:
        """Rows behind a line, in order."""

    async def undo(self, account: int, actor: str, job: int) -> bool:
        """Begin to take it back. False: it cannot be."""


class EventBook(Protocol):
    """What contacts did."""

    async def record(self, account: int, words: Sequence[EventWord]) -> list[Outcome]:
        """One outcome each, in their order, once committed. Raises Overloaded, StorageDown."""


class ContactRooms(NamedTuple):
    """What the endpoints of contacts are given."""

    book: ContactBook
    files: ContactFiles
    events: EventBook
