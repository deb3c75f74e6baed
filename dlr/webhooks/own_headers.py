"""The headers that an endpoint's owner wants with each request, such as an Authorization.

Owns which may be. Pure. Must not send or keep them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HEADERS_MAX = 20
NAME_CHARACTERS_MAX = 100
VALUE_CHARACTERS_MAX = 2_000
RESERVED_PREFIX = "webhook-"
# What the request says of itself and of its connection is not for others to say.
RESERVED = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type",
        "date", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
        "trailer", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", re.ASCII)


def header_faults(headers: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by name; "" for all of them together."""
    if len(headers) > HEADERS_MAX:
        return {"": f"at most {HEADERS_MAX} headers"}
    faults: dict[str, str] = {}
    seen: set[str] = set()
    for name, value in headers.items():
        fault = _fault(name, value)
        if fault is None and name.lower() in seen:
            fault = "is given twice"
        seen.add(name.lower())
        if fault is not None:
            faults[name] = fault
    return faults


def _fault(name: str, value: str) -> str | None:
    lower = name.lower()
    if len(name) > NAME_CHARACTERS_MAX or _NAME.fullmatch(name) is None:
        return "is no name of a header"
    if lower.startswith(RESERVED_PREFIX) or lower in RESERVED:
        return "is set by the request itself"
    if len(value) > VALUE_CHARACTERS_MAX or _VALUE.fullmatch(value) is None:
        return f"is 1 to {VALUE_CHARACTERS_MAX} printable characters of ASCII"
    return None
