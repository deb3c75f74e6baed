"""What the endpoints for templates, and for messages by them, need: small protocols.

Owns it. Must not import what implements it: gateway/wiring fills it in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol

from campaigns.templates.content import Content, Version
from campaigns.templates.desk import Change, TemplateActor
from campaigns.templates.findings import Finding, Occasion
from campaigns.templates.lengths import Measure
from campaigns.templates.store import Place, StoredVersion
from messages.accept.templated import Templates


class TemplateBook(Protocol):
    """Templates of accounts. Everything asynchronous raises StorageDown."""

    def new_ids(self, count: int) -> list[int]:
        """Ids for what is to be made."""

    async def change(self, actor: TemplateActor, asked: Change) -> StoredVersion | None:
        """The version that it concerns, once committed; None: there is none.

        Raises TemplateEnded, NothingToWaive, Overloaded.
        """

    async def one(self, account: int, place: Place) -> StoredVersion | None:
        """One version, also of a template that has ended; None: there is none."""

    async def listed(
        self, account: int, *, before: int | None, ended: bool, limit: int
    ) -> list[StoredVersion]:
        """The newest version of each, the latest made first, below an id."""

    def measure(self, account: int) -> Measure:
        """How texts of this account are counted."""

    def lint(
        self, account: int, content: Content | Version, occasion: Occasion | None = None
    ) -> list[Finding]:
        """What the rules find, of a version or of what is to become one, as of now."""


class TemplateServices(NamedTuple):
    """What is asked about templates, and what makes messages of them."""

    book: TemplateBook
    messages: Templates
    link_faults: Callable[[Mapping[str, str]], Awaitable[Mapping[str, str | None]]]
