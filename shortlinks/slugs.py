"""Slugs: names that a link is given by hand, in place of a code.

Owns which names may be given, and when two look alike. Must not know which are taken. Pure.
"""

from __future__ import annotations

import re

from shortlinks.code import ALPHABET, CODE_LENGTH

SLUG_CHARACTERS_MIN = 3
SLUG_CHARACTERS_MAX = 64
SLUG_PATTERN = rf"[a-z0-9][a-z0-9_-]{{{SLUG_CHARACTERS_MIN - 2},{SLUG_CHARACTERS_MAX - 2}}}[a-z0-9]"
# Paths that servers are asked for, that we answer, or that a reader would take for ours.
RESERVED = frozenset(
    {
        "admin", "api", "apple-touch-icon", "assets", "assetlinks", "docs", "favicon", "healthz",
        "index", "login", "metrics", "openapi", "opt-out", "optout", "pixel", "privacy", "readyz",
        "robots", "script", "security", "sitemap", "smsgate", "static", "stop", "unsubscribe",
    }
)  # fmt: skip

_slug = re.compile(SLUG_PATTERN)
_PERSONAL = re.compile(rf"[{ALPHABET}]{{{CODE_LENGTH}}}")
_ALIKE = str.maketrans({"0": "o", "1": "l", "i": "l", "j": "l", "5": "s", "-": "", "_": ""})


class SlugRefused(ValueError):
    """The name cannot be given. `code` is that of the problem."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def check_slug(slug: str) -> None:
    """Raises SlugRefused unless a link may have this name."""
    if not _slug.fullmatch(slug):
        raise SlugRefused(
            "slug_invalid",
            f"slug has {SLUG_CHARACTERS_MIN} to {SLUG_CHARACTERS_MAX} of a-z 0-9 - _,"
            " with a letter or digit at both ends",
        )
    if _looks_reserved(slug):
        raise SlugRefused("slug_reserved", f"slug {slug} is reserved, or looks like what is")
    if _PERSONAL.fullmatch(slug):
        detail = f"slug could be a recipient's code; make it shorter or longer than {CODE_LENGTH}"
        raise SlugRefused("slug_reserved", detail)


def look_of(slug: str) -> str:
    """What a reader sees of a slug. Two with one look are taken for each other."""
    return slug.translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def _looks_reserved(slug: str) -> bool:
    return look_of(slug) in _RESERVED_LOOKS


_RESERVED_LOOKS = frozenset(map(look_of, RESERVED))
