"""What of a request for a link is written down, and how much of it.

Owns the bounds of these texts, and that they can be stored at all. Must not answer a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs

from shortlinks.classify import RequestFacts
from shortlinks.journal import HEADER_CHARACTERS_MAX, USER_AGENT_CHARACTERS_MAX
from shortlinks.lookup import Destination

if TYPE_CHECKING:
    from multidict import CIMultiDictProxy


class Visit(msgspec.Struct, gc=False):
    """A GET whose destination is known. `agent` and `facts`: as plain_agent() and plain_facts()
    make them.
    """

    destination: Destination
    remote: str
    forwarded_for: str
    agent: str
    facts: RequestFacts


def _plain(text: str, characters_max: int) -> str:
    """`text` cut to length, without what UTF-8 or PostgreSQL refuse (lone surrogates, NUL)."""
    text = text[:characters_max]
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def facts_of(headers: CIMultiDictProxy[str]) -> RequestFacts:
    """Those of a request's headers."""
    return plain_facts([headers.get(name, "") for name in FACT_HEADERS])


def plain_agent(text: str) -> str:
    """A user agent as it may be stored."""
    return _plain(text, USER_AGENT_CHARACTERS_MAX)


def plain_facts(values: Sequence[str]) -> RequestFacts:
    """The values of FACT_HEADERS as they may be stored."""
    values = [value[:HEADER_CHARACTERS_MAX] for value in values]
    if not "".join(values).isprintable():
        values = [_plain(value, HEADER_CHARACTERS_MAX) for value in values]
    return RequestFacts(*values)


# In the order of the fields of RequestFacts.
FACT_HEADERS = (hdrs.ACCEPT, hdrs.ACCEPT_LANGUAGE, "Sec-Purpose", "Purpose", "X-Moz")
