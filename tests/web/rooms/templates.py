"""A book of templates that takes what it is told and forgets it, over the real rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from campaigns.templates.content import Content, Version, version
from campaigns.templates.desk import Change, NewTemplate, TemplateActor
from campaigns.templates.findings import Finding, Occasion
from campaigns.templates.lengths import Measure
from campaigns.templates.linter import lint
from campaigns.templates.store import Place, StoredVersion
from gateway.wiring.message_templates import AccountMeasure
from messages.models import AccountPolicy

MEASURE = AccountMeasure("https://s.example", AccountPolicy(id=1, name="default"), 10)


async def no_link_faults(links: Mapping[str, str]) -> dict[str, str | None]:
    """Every link answers, but one with `gone` in it."""
    return {name: "it answers 404" if "gone" in url else None for name, url in links.items()}


class ForgottenTemplates:
    """Implements TemplateBook."""

    def new_ids(self, count: int) -> list[int]:
        return list(range(1, count + 1))

    async def change(self, actor: TemplateActor, asked: Change) -> StoredVersion | None:
        if not isinstance(asked, NewTemplate):
            return None
        return StoredVersion(
            name=asked.name,
            version=version(asked.ids[0], 1, asked.content),
            author=actor.name,
            made_at=datetime(2026, 7, 1, tzinfo=UTC),
            newest=1,
            ended_at=None,
            lint=tuple(self.lint(actor.account, asked.content)),
        )

    async def one(self, _account: int, _place: Place) -> StoredVersion | None:
        return None

    async def listed(
        self, _account: int, *, before: int | None, ended: bool, limit: int
    ) -> list[StoredVersion]:
        return []

    def measure(self, _account: int) -> Measure:
        return MEASURE

    def lint(
        self, _account: int, content: Content | Version, occasion: Occasion | None = None
    ) -> list[Finding]:
        if isinstance(content, Content):
            content = version(0, 0, content)
        return lint(content, MEASURE, occasion or Occasion())
