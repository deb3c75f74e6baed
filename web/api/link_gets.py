"""The short way for people's links: those of one round of the event loop are written down together.

Owns which requests take it, what is remembered of their heads, and the octets of these answers.
Must not decide where a link leads, nor keep a click: the redirector does.

Whatever is not quite usual goes to aiohttp and is answered alike. So does a link that is not in
memory, has expired or is an opt-out. So do other methods, HTTP/1.0, and heads that could be read in
two ways.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from email.utils import formatdate

import msgspec

from shortlinks.classify import RequestFacts
from shortlinks.redirect import Redirector
from shortlinks.request_facts import FACT_HEADERS, Visit, plain_agent, plain_facts
from web.edge.connection import Connection
from web.edge.request_head import HEAD_BYTES_MAX, usual_fields

VISITORS_KEPT = 4_096  # heads without their first line; 16 MiB at most
VISITS_PER_WRITE_MAX = 200

_END = b"\r\n\r\n"
_LINE = re.compile(rb"GET /([A-Za-z0-9]{8})(?:\?[!-~]*)? HTTP/1\.1\r\n")
_WITH_BODY = frozenset((b"content-length", b"transfer-encoding"))
_FACTS = tuple(name.lower().encode() for name in FACT_HEADERS)


class Visitor(msgspec.Struct, frozen=True, gc=False):
    """What a head says of who asks."""

    agent: str
    facts: RequestFacts
    forwarded_for: str
    host: str


class LinkGet(msgspec.Struct, frozen=True, gc=False):
    """One head."""

    code: str
    visitor: Visitor
    body_bytes: int = 0


class LinkHeads:
    """Reads heads, and remembers what stands below their first lines."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Visitor] = OrderedDict()

    def read(self, data: bytes) -> tuple[LinkGet, int] | None:
        """The head that `data` begins with, and where it ends. None: leave it to aiohttp."""
        line = _LINE.match(data)
        if line is None:
            return None
        end = data.find(_END, line.end() - 2, HEAD_BYTES_MAX)
        if end < line.end():
            return None
        raw = data[line.end() : end]
        visitor = self._known.get(raw)
        if visitor is None:
            visitor = _visitor(raw)
            if visitor is None:
                return None
            if len(self._known) >= VISITORS_KEPT:
                self._known.popitem(last=False)
            self._known[raw] = visitor
        return LinkGet(line[1].decode(), visitor), end + len(_END)


def _visitor(raw: bytes) -> Visitor | None:
    fields = usual_fields(raw.split(b"\r\n"))
    if fields is None or not _WITH_BODY.isdisjoint(fields):
        return None
    values = [fields.get(name, b"").decode("ascii") for name in _FACTS]
    return Visitor(
        plain_agent(fields.get(b"user-agent", b"").decode("ascii")),
        plain_facts(values),
        fields.get(b"x-forwarded-for", b"").decode("ascii"),
        fields.get(b"host", b"").decode("ascii"),
    )


class LinkGets:
    """Takes GETs of links in memory off their connections."""

    def __init__(self, redirector: Redirector, clock: Callable[[], float]) -> None:
        """`clock`: Unix time in seconds."""
        self.heads = LinkHeads()
        self._redirector = redirector
        self._clock = clock
        self._taken: list[tuple[Connection, Visit]] = []  # one a connection at most
        self._date = (0, "")

    def suits(self, _head: LinkGet) -> bool:
        """Every head that could be read."""
        return True

    def take(self, connection: Connection, head: LinkGet, _body: bytes) -> bool:
        """Lead it where its link leads, once this round's clicks are written down."""
        visitor = head.visitor
        destination = self._redirector.quick(head.code, visitor.host)
        if destination is None:
            return False
        visit = Visit(
            destination, connection.remote, visitor.forwarded_for, visitor.agent, visitor.facts
        )
        if not self._taken:
            asyncio.get_running_loop().call_soon(self._lead)
        self._taken.append((connection, visit))
        return True

    def _lead(self) -> None:
        taken = self._taken[:VISITS_PER_WRITE_MAX]
        self._taken = self._taken[VISITS_PER_WRITE_MAX:]
        if self._taken:
            asyncio.get_running_loop().call_soon(self._lead)
        locations = self._redirector.lead_all([visit for _, visit in taken])
        fields = self._fields()
        for (connection, _), location in zip(taken, locations, strict=True):
            connection.answer(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\n{fields}".encode())

    def _fields(self) -> str:
        now = int(self._clock())
        if now != self._date[0]:
            date = formatdate(now, usegmt=True)
            lines = self._redirector.header_lines
            self._date = (now, f"{lines}Content-Length: 0\r\nDate: {date}\r\n\r\n")
        return self._date[1]
