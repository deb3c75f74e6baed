"""Owns what an account can do with templates, for code that blocks.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from smsgate_client import calls
from smsgate_client import templates as t
from smsgate_client.blocking import Noun
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Unpack

    from smsgate_client import filters as f


class Templates(Noun):
    """Texts with variables. An id with `@3` behind it names a version, alone the newest."""

    def create(self, template: t.NewTemplate, *, idempotency_key: str | None = None) -> t.Template:
        """Make one, with its first version. Repeated with the same key it is one."""
        return self._client.run(calls.new_template(template, idempotency_key))

    def add_version(
        self, template_id: str, version: t.NewVersion, *, idempotency_key: str | None = None
    ) -> t.Template:
        """The next version. Those before stay as they are."""
        return self._client.run(calls.new_version(template_id, version, idempotency_key))

    def list(self, **which: Unpack[f.TemplateFilter]) -> Iterator[t.Template]:
        """The newest version of each, the latest made first."""
        return self._client.each(calls.listed(under("templates"), t.Template, **which))

    def get(self, template_id: str) -> t.Template:
        """One version as it stands; raises NotFound."""
        return self._client.run(calls.get(under("templates", template_id), t.Template))

    def end(self, template_id: str) -> None:
        """Nothing is sent by it any more."""
        return self._client.run(calls.end(under("templates", template_id)))

    def approve(self, template_id: str, approval: t.NewApproval) -> t.Template:
        """Say what a provider answered."""
        path = under("templates", template_id, "approvals")
        return self._client.run(calls.post(path, t.Template, approval))

    def waive(self, template_id: str, waiver: t.NewWaiver) -> t.Template:
        """Answer for a warning."""
        path = under("templates", template_id, "waivers")
        return self._client.run(calls.post(path, t.Template, waiver))

    def lint(self, lint: t.Lint) -> t.Linted:
        """What the rules find; nothing is stored."""
        return self._client.run(calls.post(under("templates", "lint"), t.Linted, lint))

    def render(self, render: t.Render) -> t.Rendered:
        """What each of these people would get; nothing is sent."""
        return self._client.run(calls.post(under("templates", "render"), t.Rendered, render))
