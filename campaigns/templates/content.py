"""What a version of a template says, and what may be wrong with it.

Owns the shape of a version, and each fault that keeps one from being stored. Must not judge whether
a text is good (linter.py), nor store one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

import msgspec

from campaigns.templates.body import BODY_CHARACTERS_MAX, BodyFault, Pieces, names, parse
from campaigns.templates.profiles import profile, profile_names
from campaigns.templates.variables import (
    NAME_CHARACTERS_MAX,
    Variable,
    fallback_fault,
    max_fault,
    source_fault,
)
from messages.json_text import pointer_step
from shortlinks.code import SLOTS
from shortlinks.rewrite import (
    OPT_OUT_MARK,
    TARGET_CHARACTERS_MAX,
    InvalidTargetError,
    normalise_target,
)
from storage.categories import Category

LinkMode = Literal["personal", "shared", "none"]
VARIABLES_MAX = 20
PROVIDERS_MAX = 20
SUFFIX_CHARACTERS_MAX = 100
SIGNATURE_CHARACTERS_MAX = 18  # with its brackets
PARTS_MAX = 10

_SIGNATURE = re.compile(r"【[^【】{}\n\r]+】")
_NOT_TEXT = re.compile("[\0-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_CATEGORIES = frozenset(category.label for category in Category)


class Fault(NamedTuple):
    """What is wrong with one value: a JSON pointer into the version."""

    code: str
    detail: str
    pointer: str


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What a version says. It never changes once it is stored.

    `links`: where each `{{link:name}}` leads, unless the message says. `max_parts`: a text that may
    need more is a finding. `providers`: names of profiles, for which it is to be approved.
    """

    category: str
    body: str
    variables: Mapping[str, Variable] = {}
    signature: str = ""
    suffix: str = ""
    link_mode: LinkMode = "personal"
    links: Mapping[str, str] = {}
    max_parts: int = 1
    providers: tuple[str, ...] = ()


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version, ready to be rendered. `pieces`: of signature, body and suffix together."""

    template: int
    number: int
    content: Content
    pieces: Pieces


def version(template: int, number: int, content: Content) -> Version:
    """With its text taken apart. Raises BodyFault."""
    return Version(
        template=template, number=number, content=content, pieces=parse(whole_text(content))
    )


def whole_text(content: Content) -> str:
    """The body with the template's own signature in front and its suffix behind; neither twice."""
    text = content.body
    if content.signature and not text.startswith(content.signature):
        text = content.signature + text
    suffix = content.suffix
    if suffix and not text.endswith(suffix):
        text = f"{text}{'' if _wide(text[-1:]) else ' '}{suffix}"
    return text


def link_mode_of(providers: tuple[str, ...]) -> LinkMode:
    """What holds where none is named: `shared` where a provider takes constant links only."""
    return "shared" if _constant(providers) else "personal"


def faults(content: Content) -> list[Fault]:
    """Everything that is wrong with it."""
    found = [*_character_faults(content), *_plain_faults(content)]
    if len(content.body) > BODY_CHARACTERS_MAX:
        return found
    try:
        pieces = parse(content.body)
    except BodyFault as error:
        return [*found, Fault("template_invalid", f"body: {error}", "/body")]
    found += _variable_faults(content, names(pieces, "variable"))
    found += _link_faults(content, names(pieces, "link"))
    return found


def _character_faults(content: Content) -> Iterator[Fault]:
    for name in ("body", "signature", "suffix"):
        wrong = _NOT_TEXT.search(getattr(content, name))
        if wrong:
            detail = f"{name} holds U+{ord(wrong[0]):04X}, which is no character of a text"
            yield Fault("template_invalid", detail, f"/{name}")


def _plain_faults(content: Content) -> Iterator[Fault]:
    if not content.body.strip():
        yield Fault("template_invalid", "body is empty", "/body")
    elif len(content.body) > BODY_CHARACTERS_MAX:
        detail = f"body has more than {BODY_CHARACTERS_MAX} characters"
        yield Fault("template_invalid", detail, "/body")
    if content.category not in _CATEGORIES:
        detail = f"category is one of {', '.join(sorted(_CATEGORIES))}"
        yield Fault("category_unknown", detail, "/category")
    signature = content.signature
    if signature and (
        len(signature) > SIGNATURE_CHARACTERS_MAX or not _SIGNATURE.fullmatch(signature)
    ):
        detail = f"signature is 【…】, at most {SIGNATURE_CHARACTERS_MAX} characters"
        yield Fault("template_invalid", detail, "/signature")
    bare = content.suffix.replace(OPT_OUT_MARK, "")
    if len(content.suffix) > SUFFIX_CHARACTERS_MAX or re.search(r"[{}【】\r\n]", bare):
        detail = f"suffix is up to {SUFFIX_CHARACTERS_MAX} characters without braces and 【】"
        yield Fault("template_invalid", detail, "/suffix")
    if not 1 <= content.max_parts <= PARTS_MAX:
        yield Fault("out_of_range", f"max_parts is 1 to {PARTS_MAX}", "/max_parts")
    known = profile_names()
    if len(content.providers) > PROVIDERS_MAX:
        yield Fault("out_of_range", f"providers are at most {PROVIDERS_MAX}", "/providers")
    for place, name in enumerate(content.providers[:PROVIDERS_MAX]):
        if name not in known:
            detail = f"a provider is one of {', '.join(known)}"
            yield Fault("provider_unknown", detail, f"/providers/{place}")


def _variable_faults(content: Content, used: tuple[str, ...]) -> Iterator[Fault]:
    if len(content.variables) > VARIABLES_MAX:
        yield Fault("out_of_range", f"variables are at most {VARIABLES_MAX}", "/variables")
        return
    for name in dict.fromkeys(used):
        if name not in content.variables:
            detail = f"body names {name}, which is not in variables"
            yield Fault("variable_unknown", detail, "/body")
    in_links = " ".join(content.links.values())
    for name, variable in content.variables.items():
        where = f"/variables{pointer_step(name)}"
        if not name.isidentifier() or len(name) > NAME_CHARACTERS_MAX:
            detail = f"a variable's name is 1 to {NAME_CHARACTERS_MAX} letters, digits and _"
            yield Fault("variable_invalid", detail, where)
        elif name not in used and f"{{{{{name}}}}}" not in in_links:
            yield Fault("variable_unused", f"body does not name {{{{{name}}}}}", where)
        wrong = {
            "max": max_fault(variable),
            "fallback": fallback_fault(variable) if variable.max > 0 else None,
            "source": None if variable.source is None else source_fault(variable.source),
        }
        for field, said in wrong.items():
            if said is not None:
                yield Fault("variable_invalid", f"{field} {said}", f"{where}/{field}")


def _link_faults(content: Content, used: tuple[str, ...]) -> Iterator[Fault]:
    mode, wanted = content.link_mode, dict.fromkeys(used)
    constant = _constant(content.providers)
    linked = bool(wanted) or "://" in content.body
    if mode == "personal" and constant and linked:
        detail = f"link_mode is shared or none: {constant} takes constant links only"
        yield Fault("link_mode_refused", detail, "/link_mode")
    if mode == "none" and linked:
        yield Fault("link_mode_refused", "body has a link, and link_mode is none", "/body")
    if max(len(content.links), len(wanted)) > SLOTS:
        yield Fault("links_too_many", f"links are at most {SLOTS}", "/links")
        return
    for name in wanted:
        if mode == "shared" and name not in content.links:
            detail = f"links has no {name}, and a shared link is the template's own"
            yield Fault("link_name_unknown", detail, "/body")
    for name, url in content.links.items():
        where = f"/links{pointer_step(name)}"
        if name not in wanted:
            yield Fault("link_unused", f"body does not name {{{{link:{name[:32]}}}}}", where)
        elif (said := _url_fault(url, mode)) is not None:
            yield Fault("link_url_invalid", said, where)


def _url_fault(url: str, mode: LinkMode) -> str | None:
    if mode == "shared" and "{{" in url:
        return "a shared link is the same for everybody: no value may stand in it"
    if len(url) > TARGET_CHARACTERS_MAX:
        return f"url has more than {TARGET_CHARACTERS_MAX} characters"
    try:
        normalise_target(url.replace("{{", "").replace("}}", ""))
    except InvalidTargetError as error:
        return str(error)
    return None


def _constant(providers: tuple[str, ...]) -> str:
    """The first of these providers that takes constant links only; "": none."""
    known = profile_names()
    return next(
        (name for name in providers if name in known and profile(name).links == "constant"), ""
    )


def _wide(character: str) -> bool:
    return character.isspace() or character > "\u2e7f"
