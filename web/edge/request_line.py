"""The first line of a request, looked at before anything else reads it.

Owns which versions of HTTP are spoken, and what is refused by its first line alone. Must not judge
what aiohttp's parser refuses by itself. Pure.
"""

from __future__ import annotations

import re

VERSIONS = ((1, 0), (1, 1))

_LINE = re.compile(rb"(?:\r\n)*([^\r\n]{1,16384})\r?\n")
_SIMPLE = re.compile(rb"[A-Z]+ [!-~]+ *")  # HTTP/0.9: no version, and no blank line need follow
_VERSIONED = re.compile(rb"[!-~]+ [!-~]+ HTTP/([0-9])\.([0-9])")


def refusal(data: bytes) -> str | None:
    """The problem code for a request that begins with this. None: it is fine, or cannot be told
    yet.

    After `GET /` a client of HTTP/0.9 says nothing more, so it must not be waited for.
    """
    line = _LINE.match(data)
    if line is None:
        return None
    versioned = _VERSIONED.fullmatch(line[1])
    if versioned is not None:
        return version_refusal(int(versioned[1]), int(versioned[2]))
    return "malformed_request" if _SIMPLE.fullmatch(line[1]) else None


def version_refusal(major: int, minor: int) -> str | None:
    """The same for a version. HTTP/0.9 cannot be told what is wrong; any other is."""
    if (major, minor) in VERSIONS:
        return None
    return "malformed_request" if major == 0 else "http_version_unsupported"
