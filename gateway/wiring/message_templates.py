"""Messages by templates: how the accepter counts their texts, and what a template makes of values.

Owns these adapters between `campaigns.templates` and `messages`, which do not know each other. Must
not decide anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import NamedTuple

from campaigns.templates.content import Version
from campaigns.templates.desk import TemplateDesk
from campaigns.templates.lengths import Measured
from campaigns.templates.memory import VersionMemory
from campaigns.templates.rendering import Rendered, Skipped, render
from messages.accept.final_text import TextRules
from messages.accept.templated import FromTemplate
from messages.models import AccountPolicy, FieldError
from messages.requests import MessageRequest
from shortlinks.rewrite import OPT_OUT_TARGET, PLACEHOLDER_CODE, short_urls
from smpp.encoding import TextSettings, estimate
from smpp.text import Unencodable
from storage.categories import Category

SOMEWHERE = "https://link.example/"  # where a link leads while its text is counted
VALUE_ENDS = (
    "fallback", "refused", "braces", "brackets", "links", "line_breaks", "invisible",
)  # fmt: skip


class TemplateRoom(NamedTuple):
    """What the API asks, and what messages are made by."""

    desk: TemplateDesk
    messages: MessageTemplates


class AccountMeasure:
    """Implements Measure: the text rules of the accepter, for one account."""

    def __init__(self, base_url: str, account: AccountPolicy, parts_max: int) -> None:
        self._final = TextRules(base_url).final
        self._placeholder = short_urls(base_url, [PLACEHOLDER_CODE])[0]
        self._account = account
        self._parts_max = parts_max

    def __call__(self, rendered: Rendered, category: str, /) -> Measured:
        marks = [f"{{{{link:{name}}}}}" for name in rendered.named]
        request = MessageRequest(to="", text=rendered.text, shorten_urls=rendered.shorten)
        settings = TextSettings()
        final = self._final(
            request,
            self._account,
            Category.of(category),
            settings,
            self._parts_max,
            tuple((mark, f"{SOMEWHERE}{place}") for place, mark in enumerate(marks)),
        )
        if isinstance(final, FieldError):
            return _refused(rendered.text, final.detail)
        found = estimate(final.text, settings)
        opts_out = bool(final.slots) and final.links[final.slots[-1]] == OPT_OUT_TARGET
        return Measured(
            text=final.text,
            encoding=found.encoding,
            parts=final.parts,
            units=found.units,
            units_left=found.units_left,
            forced_by=found.forced_by,
            opt_out_link=opts_out and final.text.endswith(self._placeholder),
        )


class MessageTemplate:
    """Implements Template. `counts`: what becomes of values, by what happened to them."""

    __slots__ = ("_counts", "_version")

    def __init__(self, version: Version, counts: Counter[str]) -> None:
        self._version = version
        self._counts = counts

    @property
    def takes(self) -> Collection[str]:
        return self._version.content.variables.keys()

    def filled(self, params: Mapping[str, str]) -> FromTemplate | FieldError:
        made = render(self._version, params)
        if isinstance(made, Skipped):
            self._counts["refused"] += 1
            where = f"/params/{made.variable}" if made.variable in params else "/params"
            return FieldError("template_param_unfit", made.in_words, where)
        if made.fallbacks:
            self._counts["fallback"] += len(made.fallbacks)
        if made.removed:
            self._counts.update(made.removed)
        content = self._version.content
        return FromTemplate(
            text=made.text,
            category=content.category,
            links=made.links,
            values=made.values,
            shorten=made.shorten,
            max_parts=content.max_parts,
        )


class MessageTemplates:
    """Implements Templates, over the versions in memory."""

    def __init__(self, memory: VersionMemory) -> None:
        self.counts = Counter[str]()
        self._memory = memory

    def known(self, account: int, reference: str) -> MessageTemplate | None:
        found = self._memory.known(account, reference)
        return None if found is None else MessageTemplate(found, self.counts)

    async def read(self, account: int, references: Collection[str]) -> dict[str, MessageTemplate]:
        found = await self._memory.read(account, references)
        return {name: MessageTemplate(version, self.counts) for name, version in found.items()}


def _refused(text: str, why: str) -> Measured:
    try:
        found = estimate(text, TextSettings())
    except Unencodable:
        return Measured(text=text, encoding="", parts=0, units=0, units_left=0, fault=why)
    return Measured(
        text=text,
        encoding=found.encoding,
        parts=found.parts,
        units=found.units,
        units_left=found.units_left,
        forced_by=found.forced_by,
        fault=why,
    )
