"""Owns what an account can do with templates, for coroutines; else as blocking_templates.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import templates as t
from smsgate_client.awaiting import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import Unpack

    from smsgate_client import filters as f


class Templates(Noun):
    """Texts with variables. An id with `@3` behind it names a version, alone the newest."""

    async def create(
        self, template: t.NewTemplate, *, idempotency_key: str | None = None
    ) -> t.Template:
        """Make one, with its first version. Repeated with the same key it is one."""
        return await self._client.run(calls.new_template(template, idempotency_key))

    async def add_version(
        self, template_id: str, version: t.NewVersion, *, idempotency_key: str | None = None
    ) -> t.Template:
        """The next version. Those before stay as they are."""
        return await self._client.run(calls.new_version(template_id, version, idempotency_key))

    def list(self, **which: Unpack[f.TemplateFilter]) -> AsyncIterator[t.Template]:
        """The newest version of each, the latest made first."""
        return self._client.each(calls.listed(under("templates"), t.Template, **which))

    async def get(self, template_id: str) -> t.Template:
        """One version as it stands; raises NotFound."""
        return await self._client.run(calls.get(under("templates", template_id), t.Template))

    async def end(self, template_id: str) -> None:
        """Nothing is sent by it any more."""
        return await self._client.run(calls.end(under("templates", template_id)))

    async def approve(self, template_id: str, approval: t.NewApproval) -> t.Template:
        """Say what a provider answered."""
        path = under("templates", template_id, "approvals")
        return await self._client.run(calls.post(path, t.Template, approval))

    async def waive(self, template_id: str, waiver: t.NewWaiver) -> t.Template:
        """Answer for a warning."""
        path = under("templates", template_id, "waivers")
        return await self._client.run(calls.post(path, t.Template, waiver))

    async def lint(self, lint: t.Lint) -> t.Linted:
        """What the rules find; nothing is stored."""
        return await self._client.run(calls.post(under("templates", "lint"), t.Linted, lint))

    async def render(self, render: t.Render) -> t.Rendered:
        """What each of these people would get; nothing is sent."""
        return await self._client.run(calls.post(under("templates", "render"), t.Rendered, render))
