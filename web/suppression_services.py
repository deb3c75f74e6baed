"""What the endpoints for files of suppressions need: small protocols.

Owns these protocols. Must not import what implements them: gateway/wiring fills them in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from recipients.files.comparing import Comparison
from recipients.files.import_plan import ImportRow, RefusedRow
from recipients.files.importing import Verdict
from recipients.files.imports import ImportView, ImportWish
from recipients.partner_hash import PartnerKey
from recipients.suppression_desk import SuppressionView


class ImportRun(Protocol):
    """One run of an import."""

    @property
    def id(self) -> int:
        """Of the import."""

    @property
    def rows_done(self) -> int:
        """Rows of the file that runs before have committed."""

    @property
    def digest_done(self) -> bytes:
        """SHA-256 of those rows."""

    @property
    def done(self) -> bool:
        """Whether the whole file is imported already."""

    async def step(self, rows: Sequence[ImportRow | RefusedRow], digest: bytes) -> None:
        """Commit the next rows. Raises ImportRefused, StorageDown."""

    async def finish(self) -> None:
        """The file has ended. Raises ImportRefused, StorageDown."""

    async def interrupt(self, why: str) -> None:
        """It has not. Raises ImportRefused, StorageDown."""

    def over(self) -> None:
        """This run has ended, however it did."""


class SuppressionImports(Protocol):
    """Imports of suppressions. Every method raises StorageDown."""

    async def begin(
        self, account: int, actor: str, wish: ImportWish, *, bring_back: bool
    ) -> ImportRun:
        """A run that stands on record. Raises ImportRefused, Overloaded."""

    async def view(self, account: int, import_id: int) -> ImportView | None:
        """How far one import is."""

    async def listed(self, account: int, *, before: int | None, limit: int) -> list[ImportView]:
        """An account's imports, the latest first."""

    def verdicts(self, import_id: int, *, every: bool) -> AsyncIterator[list[Verdict]]:
        """The refused rows first; with `every` the others behind them."""


class SuppressionExports(Protocol):
    """The list as a whole, and beside a partner's. Every method raises StorageDown."""

    @property
    def partners(self) -> Mapping[str, PartnerKey]:
        """The keys that are shared with partners, by name."""

    async def note(
        self, account: int, actor: str, action: str, detail: Mapping[str, object]
    ) -> None:
        """Put on record what is about to leave. Returns once it is committed."""

    async def count(self, accounts: Sequence[int]) -> int:
        """How many entries in force these accounts have."""

    def entries(self, accounts: Sequence[int]) -> AsyncIterator[list[SuppressionView]]:
        """All entries in force of these accounts, in pages."""

    async def comparison(self, partner: PartnerKey) -> Comparison:
        """Room for a partner's hashes, which the caller closes."""
