"""Rules on the variables of a text: what stands in for them, and where they may stand.

Owns R14 and R15. Must not know a value. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from campaigns.templates.body import Place, names
from campaigns.templates.findings import Case, Finding
from campaigns.templates.profiles import Profile
from storage.categories import Category


def r14_fallbacks(case: Case) -> Iterator[Finding]:
    """Whose value is missing gets other words. A one-time password has none: it is refused."""
    if case.version.content.category == Category.OTP.label:
        return
    bare = tuple(
        name for name, each in case.version.content.variables.items() if each.fallback is None
    )
    if bare:
        detail = "no fallback: who lacks this value gets no message"
        yield Finding(rule="R14", level="error", detail=detail, words=bare)


def r15_places(case: Case) -> Iterator[Finding]:
    """Each provider's rules on where and how long variables may be."""
    for name, profile in case.providers:
        for said, which in _wrong(case, profile):
            detail = f"{profile.title}: {said}"
            yield Finding(rule="R15", level="error", detail=detail, words=which, provider=name)


def _wrong(case: Case, profile: Profile) -> Iterator[tuple[str, tuple[str, ...]]]:
    pieces = case.version.pieces
    used = names(pieces, "variable")
    if not used:
        return
    if case.marketing and not profile.marketing_variables:
        yield "marketing may have no variables", tuple(dict.fromkeys(used))
    beside = [each for each in pieces if not (isinstance(each, str) and not each.strip())]
    for left, right in pairwise(beside):
        if _is_variable(left) and _is_variable(right) and not profile.joined_variables:
            assert isinstance(left, Place) and isinstance(right, Place)
            yield "no text between two variables", (left.name, right.name)
    twice = tuple(name for name in dict.fromkeys(used) if used.count(name) > 1)
    if twice:
        yield "a variable stands twice", twice
    if not any(isinstance(each, str) and each.strip() for each in _body(case)):
        yield "the text is variables alone", used
    most = profile.variable_max
    variables = case.version.content.variables
    long = tuple(name for name in dict.fromkeys(used) if most and variables[name].max > most)
    if long:
        yield f"a variable has more than {most} characters", long


def _body(case: Case) -> list[str | Place]:
    """The pieces without what is signature and suffix."""
    content = case.version.content
    return [
        piece.removeprefix(content.signature).removesuffix(content.suffix)
        if isinstance(piece, str)
        else piece
        for piece in case.version.pieces
    ]


def _is_variable(piece: str | Place) -> bool:
    return isinstance(piece, Place) and piece.kind == "variable"
