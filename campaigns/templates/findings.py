"""What the linter looks at, and what it says.

Owns these shapes. Must not hold a rule. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from campaigns.templates.body import Place, parse
from campaigns.templates.content import Version
from campaigns.templates.lengths import Measured
from campaigns.templates.profiles import Profile, profile
from recipients.keywords import KeywordSets
from shortlinks.rewrite import OPT_OUT_MARK
from storage.categories import Category

Level = Literal["error", "warning"]

_HAN = re.compile("[\u3400-\u9fff]")
_URL = re.compile(r"https?://[!-~]+")
_MARKETING = Category.MARKETING.label


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rule found. `words`: what it is about; `provider`: whose rule it is."""

    rule: str
    level: Level
    detail: str
    words: tuple[str, ...] = ()
    provider: str | None = None


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the sending. What is not given is not judged.

    `hours`: minutes of the day between which it goes. `days_since_used`: of the same template.
    `first_touch`: the template that the same people got before, in this campaign or journey.
    `links`: of each link that was asked for, why it does not answer; None: it does.
    """

    keywords: KeywordSets = KeywordSets.of()
    hours: tuple[int, int] | None = None
    days_since_used: float | None = None
    first_touch: int | None = None
    links: Mapping[str, str | None] = {}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One version as the rules see it. `copy`: the body alone, without links and signature.

    In `copy` a text variable stands as U+FFFC, a number as 9. `final`: the whole text, with values
    at their most.
    """

    version: Version
    most: Measured
    least: Measured
    occasion: Occasion
    copy: str
    marketing: bool
    chinese: bool

    @classmethod
    def of(cls, version: Version, most: Measured, least: Measured, occasion: Occasion) -> Case:
        """Of a version and what its longest and its cheapest text cost."""
        content = version.content
        copy = "".join(map(_shown(version), parse(content.body))).replace(OPT_OUT_MARK, "")
        for added in (content.signature, content.suffix):
            copy = copy.replace(added, "") if added else copy
        return cls(
            version=version,
            most=most,
            least=least,
            occasion=occasion,
            copy=_URL.sub("", copy),
            marketing=content.category == _MARKETING,
            chinese=_HAN.search(content.body) is not None,
        )

    @property
    def final(self) -> str:
        """As it would be sent."""
        return self.most.text

    @property
    def providers(self) -> Sequence[tuple[str, Profile]]:
        """Those that the version is for."""
        return [(name, profile(name)) for name in self.version.content.providers]


PLACE = "\ufffc"  # of a value in `copy`


def _shown(version: Version) -> _Shown:
    return _Shown({name: each.type for name, each in version.content.variables.items()})


class _Shown:
    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types

    def __call__(self, piece: str | Place) -> str:
        if not isinstance(piece, Place):
            return piece
        if piece.kind == "link":
            return ""
        kind = self._types.get(piece.name)
        if kind == "date":
            return "9月9日"
        return "9" if kind in ("int", "money") else PLACE
