"""Requests as octets, and the answers to them as they come over a socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec

from tests.web.served import Api

GOOD = {"to": "+8613812345678", "text": "hello"}
POST = "POST /v1/messages HTTP/1.1"
THEIR_WAY = "TE: trailers"  # a field that leaves a request to aiohttp and changes nothing else

REFUSED = {**GOOD, "text": "x" * 3500}


class Answer(msgspec.Struct):
    """`fields` in the order of their names, without Date."""

    status: str
    fields: list[str]
    body: bytes

    def field(self, name: str) -> str:
        """The value of this field; empty if it is not there."""
        values = [each.partition(": ")[2] for each in self.fields if each.startswith(f"{name}:")]
        return "".join(values)

    def without_ids(self) -> Answer:
        """To be compared with the answer to the same request at another time."""
        fields = [re.sub(r"(msg|req)_\w+", r"\1", each) for each in self.fields]
        return Answer(self.status, fields, re.sub(rb"(msg|req)_\w+", rb"\1", self.body))


def request(api: Api, body: object, *fields: str, line: str = POST) -> bytes:
    """A request with key and JSON body (bytes: as they are)."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    rows = [
        line,
        "Host: x",
        f"Authorization: {api.headers['Authorization']}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *fields,
    ]
    return "\r\n".join([*rows, "", ""]).encode() + content


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """The next answer; 100 Continue is passed over."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode().removesuffix("\r\n\r\n").split("\r\n")
        if status != "HTTP/1.1 100 Continue":
            break
    answer = Answer(status, sorted(each for each in fields if not each.startswith("Date: ")), b"")
    answer.body = await reader.readexactly(int(answer.field("Content-Length")))
    return answer


@asynccontextmanager
async def connected(api: Api) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to the API."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def ask(api: Api, data: bytes) -> Answer:
    """The answer to this request, on a connection of its own."""
    async with connected(api) as (reader, writer):
        writer.write(data)
        return await read_answer(reader)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The data in segments of this size."""
    return (data[start : start + size] for start in range(0, len(data), size))


class Watched:
    """What became of the connections of a test."""

    def __init__(self) -> None:
        self.held_most = 0
        self.heard = asyncio.Event()
        self.choked = asyncio.Event()
        self.lost = asyncio.Event()
        self.looked_at = asyncio.Event()
