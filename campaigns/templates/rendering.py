"""From a version and one person's values to the text, or to the reason why there is none.

Owns the only way from a template to a text: previews, messages and campaigns all take it. Must not
count parts, nor add what the account adds. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from campaigns.templates.body import Place
from campaigns.templates.content import Version
from campaigns.templates.values import links
from campaigns.templates.variables import Unfit, Variable, longest, worded


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """One person's text. `{{link:name}}` of a personal link still stands in it, for the accepter.

    `named`: the names of those. `links`: where some of them lead, with places for values.
     `values`: the words of each variable.
    `shorten`: whether URLs in it may become short links; None: as the account has it.
    `fallbacks`: variables that had no fit value, and why. `removed`: what was taken out of values.
    """

    text: str
    named: tuple[str, ...]
    links: Mapping[str, str]
    values: Mapping[str, str]
    shorten: bool | None
    fallbacks: Mapping[str, str] = {}
    removed: Mapping[str, int] = {}


class Skipped(msgspec.Struct, frozen=True):
    """Nothing is sent: `variable` is `missing`, `blank`, `too_long` or `invalid`, and has no
    fallback.
    """

    reason: str
    variable: str

    @property
    def in_words(self) -> str:
        """As a sentence."""
        said = self.reason.replace("_", " ")
        return f"{self.variable} is {said}, and the template has no fallback for it"


def render(version: Version, params: Mapping[str, Any]) -> Rendered | Skipped:
    """The text for these values, by the names of the variables. Other names are not looked at."""
    content = version.content
    values: dict[str, str] = {}
    fallbacks: dict[str, str] = {}
    removed: dict[str, int] = {}
    for name, variable in content.variables.items():
        found = worded(variable, params.get(name))
        if isinstance(found, Unfit):
            if variable.fallback is None:
                return Skipped(found.why, name)
            values[name], fallbacks[name] = variable.fallback, found.why
            continue
        values[name] = found.text
        for what, count in found.removed.items():
            removed[what] = removed.get(what, 0) + count
    for name in _joined_to_links(version, values):
        fallback = content.variables[name].fallback
        if fallback is None:
            return Skipped("invalid", name)
        if name not in fallbacks:
            values[name], fallbacks[name] = fallback, "invalid"
    return _filled(version, values, fallbacks, removed)


def render_longest(version: Version) -> Rendered:
    """The text as long as it may become: each value at its most."""
    variables = version.content.variables
    return _filled(version, {name: longest(each) for name, each in variables.items()}, {}, {})


def render_shortest(version: Version) -> Rendered:
    """The text that costs least: each value one plain character, or a date."""
    variables = version.content.variables
    return _filled(version, {name: _short(each) for name, each in variables.items()}, {}, {})


def _joined_to_links(version: Version, values: Mapping[str, str]) -> Sequence[str]:
    """Variables whose values make a link together with what stands beside them.

    A link whose scheme is fixed text is the template's own, and may hold values.
    """
    if not any("." in value or "。" in value for value in values.values()):
        return ()
    text, spans = "", list[tuple[int, int, str]]()
    for piece in version.pieces:
        if not isinstance(piece, Place):
            text += piece
        elif piece.kind == "variable":
            spans.append((len(text), len(text) + len(values[piece.name]), piece.name))
            text += values[piece.name]
        else:
            text += "\0"
    return [
        name
        for found in links().finditer(text)
        for start, end, name in spans
        if found.start() < end
        and start < found.end()
        and "://" not in text[found.start() : max(start, found.start())]
    ]


def _short(variable: Variable) -> str:
    return longest(variable) if variable.type == "date" else "1"


def _filled(
    version: Version,
    values: Mapping[str, str],
    fallbacks: Mapping[str, str],
    removed: Mapping[str, int],
) -> Rendered:
    content = version.content
    shared = content.link_mode == "shared"
    named: list[str] = []
    pieces: list[str] = []
    for piece in version.pieces:
        if not isinstance(piece, Place):
            pieces.append(piece)
        elif piece.kind == "variable":
            pieces.append(values[piece.name])
        elif shared:
            pieces.append(content.links[piece.name])
        else:
            named.append(piece.name)
            pieces.append(f"{{{{link:{piece.name}}}}}")
    return Rendered(
        text="".join(pieces),
        named=tuple(dict.fromkeys(named)),
        links={} if shared else content.links,
        values=values,
        shorten=None if content.link_mode == "personal" else False,
        fallbacks=fallbacks,
        removed=removed,
    )
