"""A message that names a template instead of a text: it becomes one with a text.

Owns that step, and what may be wrong with it. Must not know what a template is, nor read one: who
has templates is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec

from messages.json_text import pointer_step
from messages.models import FieldError, Refused
from messages.requests import MessageRequest, NamedLinkRequest

UNREAD = "template_unread"


class FromTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """What a template makes of one recipient's values.

    `links`: where each link that the text names leads; `values` stand in those addresses. `shorten`
    and `category` hold, whatever the account has. `max_parts` holds if the message says nothing.
    """

    text: str
    category: str
    links: Mapping[str, str]
    values: Mapping[str, str]
    shorten: bool | None
    max_parts: int


class Template(Protocol):
    """One version of a template."""

    @property
    def takes(self) -> Collection[str]:
        """The names of its values."""

    def filled(self, params: Mapping[str, str]) -> FromTemplate | FieldError:
        """With one recipient's values, or what is wrong with them: a pointer into `params`."""


class Templates(Protocol):
    """The templates of accounts, as `tpl_…` or `tpl_…@3` names them."""

    def known(self, account: int, reference: str) -> Template | None:
        """As it is in memory; None: it has to be read."""

    async def read(self, account: int, references: Collection[str]) -> Mapping[str, Template]:
        """Those that there are and that may be sent. Raises StorageDown."""


class NoTemplates:
    """Where there are none."""

    def known(self, _account: int, _reference: str) -> Template | None:
        return None

    async def read(self, _account: int, _references: Collection[str]) -> Mapping[str, Template]:
        return {}


class TemplateUnread(Refused, frozen=True, gc=False):
    """The template is not in memory. Who reads it and checks the message again gets the answer."""

    reference: str = ""


def without_text(raw: bytes, request: MessageRequest, faults: list[FieldError]) -> MessageRequest:
    """The message that names neither. One whose template_id is no text has a fault already, and a
    text that is empty is looked at like any other.
    """
    if b'"text"' in raw:
        return request
    if all(each.pointer != "/template_id" for each in faults):
        detail = "text is missing; or name a template_id"
        faults.append(FieldError("field_missing", detail, "/text"))
    return _texted(request)


def filled(
    request: MessageRequest, template: Template | None, faults: list[FieldError]
) -> MessageRequest:
    """The message with the text that its template makes; what is wrong is added to `faults`.

    `template` None: there is none with this name.
    """
    count = len(faults)
    if request.text:
        detail = "a message has a text or a template_id, not both"
        faults.append(FieldError("template_conflict", detail, "/template_id"))
    if template is None:
        detail = "this account has no such template, or it has ended"
        faults.append(FieldError("template_unknown", detail, "/template_id"))
        return _texted(request)
    params, links = request.params or {}, request.links or {}
    made = template.filled(params)
    if isinstance(made, FieldError):
        faults.append(made)
        return _texted(request)
    if request.category not in (None, made.category):
        detail = f"the template is for {made.category}: leave category out"
        faults.append(FieldError("template_category", detail, "/category"))
    takes = template.takes
    if strange := [name for name in params if name not in takes]:
        in_links = " ".join(each.url for each in links.values()) + " ".join(made.links.values())
        for name in strange:
            if f"{{{{{name}}}}}" not in in_links:
                detail = f"the template has no {name[:100]}; it takes {_listed(takes)}"
                faults.append(FieldError("param_unknown", detail, f"/params{pointer_step(name)}"))
    if len(faults) > count:
        return _texted(request)
    if made.links:
        links = {**{name: NamedLinkRequest(url) for name, url in made.links.items()}, **links}
    return msgspec.structs.replace(
        request,
        text=made.text,
        category=made.category,
        links=links or None,
        params={**params, **made.values} or None,
        shorten_urls=request.shorten_urls if made.shorten is None else made.shorten,
        max_parts=made.max_parts if request.max_parts is None else request.max_parts,
    )


def placed(faults: list[FieldError], asked: MessageRequest, since: int) -> list[FieldError]:
    """The faults; what is wrong with the text that a template made points to the template."""
    if asked.template_id is None:
        return faults
    moved = [
        msgspec.structs.replace(each, pointer="/template_id") if each.pointer == "/text" else each
        for each in faults[since:]
    ]
    return faults[:since] + moved


def _texted(request: MessageRequest) -> MessageRequest:
    """With a text of which nothing more is said: its template is what is wrong."""
    return msgspec.structs.replace(request, text=request.text or "-", links=None)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
