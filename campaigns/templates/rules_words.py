"""Rules on words and signs: what the law forbids, what needs a reason, what providers refuse.

Owns R10, R11, R16 and R17. The words are files (`words/`). Must not know what they mean. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from campaigns.templates.findings import Case, Finding
from campaigns.templates.words import found, words

_EMOJI = re.compile("[\u2600-\u27bf\u2b50\u2b55\U0001f000-\U0001faff]")
CONTENTS, SIGNS = "refused_contents", "symbols"


def r10_forbidden(case: Case) -> Iterator[Finding]:
    """Advertising Law of China, article 9 (3)."""
    said = found("forbidden", case.copy)
    if said:
        detail = "article 9 (3) of the Advertising Law forbids these words"
        yield Finding(rule="R10", level="error", detail=detail, words=said)


def r11_superlatives(case: Case) -> Iterator[Finding]:
    """Absolute words are right in some places only: waive this with the reason."""
    said = tuple(each for each in found("superlatives", case.copy) if each not in _forbidden())
    if said:
        detail = "absolute words need a reason: a proven fact, a date, a comparison with oneself"
        yield Finding(rule="R11", level="warning", detail=detail, words=said)


def r16_contents(case: Case) -> Iterator[Finding]:
    """Contents that a provider refuses, such as winning people back."""
    for name, each in case.providers:
        said = found(CONTENTS, case.copy) if CONTENTS in each.refuses else ()
        if said:
            detail = f"{each.title} refuses such contents, or wants them filed"
            yield Finding(rule="R16", level="warning", detail=detail, words=said, provider=name)


def r17_signs(case: Case) -> Iterator[Finding]:
    """Signs, emoji and traditional characters that a provider refuses."""
    for name, each in case.providers:
        signs = (*found(SIGNS, case.copy), *_EMOJI.findall(case.copy))
        old = dict.fromkeys(char for char in case.copy if char in _traditional())
        said = tuple(dict.fromkeys(signs if SIGNS in each.refuses else ()))
        said += tuple(old) if each.simplified_only else ()
        if said:
            detail = f"{each.title} refuses these signs or characters"
            yield Finding(rule="R17", level="warning", detail=detail, words=said, provider=name)


@cache
def _forbidden() -> frozenset[str]:
    return frozenset(words("forbidden"))


@cache
def _traditional() -> frozenset[str]:
    return frozenset("".join(words("traditional")))
