"""Header fields that every answer of the API carries, and those of its pages.

Owns what a browser may do with our answers: guess no types, keep no copies, frame nothing. Must not
know what is answered.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from types import MappingProxyType

SERVER = "smsgate"  # neither the framework nor its version
_POLICY = "Content-Security-Policy"

# An answer may say otherwise. Answers hold personal data, so no cache may keep them.
ALWAYS: Mapping[str, str] = MappingProxyType(
    {
        "Server": SERVER,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        _POLICY: "default-src 'none'; frame-ancestors 'none'",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)
# Where TLS is spoken. Over plain HTTP nobody may be told so (RFC 6797, 7.2).
ALWAYS_WITH_TLS: Mapping[str, str] = MappingProxyType(
    {**ALWAYS, "Strict-Transport-Security": "max-age=31536000"}
)


def octets_of(fields: Mapping[str, str]) -> str:
    """The same as lines, for answers that are written without aiohttp."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())


def of_page(style: str) -> Mapping[str, str]:
    """The fields of a page that has no script, and one style sheet inside it."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        _POLICY: f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
        "Cache-Control": "no-cache",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
    }
