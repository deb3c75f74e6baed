"""Bodies that come packed: after the key, in slices, and counted by what they unpack to."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.settings import HttpSettings
from gateway.config.values import Size
from tests.web.listening import listening
from tests.web.raw_http import GOOD, ask, connected, pieces, read_answer, request
from tests.web.served import Api, running_api
from web.edge import gzip_bodies
from web.edge.gzip_bodies import SLICE_BYTES, Gunzip, GzipError

GZIP = "Content-Encoding: gzip"
BOMB = gzip.compress(bytes(64 << 20), 9)
MESSAGE = msgspec.json.encode(GOOD)
PACKED = gzip.compress(MESSAGE, mtime=0)


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How much each slice unpacked."""
    sizes: list[int] = []
    cut = Gunzip.slice

    def noting(self: Gunzip) -> bytes:
        unpacked = cut(self)
        sizes.append(len(unpacked))
        return unpacked

    monkeypatch.setattr(Gunzip, "slice", noting)
    yield sizes


def code(answer: bytes) -> str:
    return str(msgspec.json.decode(answer)["code"])


@pytest.mark.parametrize("field", [GZIP, "Content-Encoding: GZIP", "content-encoding: x-gzip"])
async def test_h7_gzip_is_unpacked(api: Api, field: str) -> None:
    answer = await ask(api, request(api, gzip.compress(MESSAGE, mtime=0), field))
    assert answer.status == "HTTP/1.1 202 Accepted"


async def test_h7_gzip_that_comes_octet_by_octet_in_two_members(api: Api) -> None:
    packed = gzip.compress(MESSAGE[:20], mtime=0) + gzip.compress(MESSAGE[20:], mtime=0)
    async with connected(api) as (reader, writer):
        for octet in pieces(request(api, packed, GZIP), 1):
            writer.write(octet)
            await asyncio.sleep(0)
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"


async def test_h7_identity_is_no_coding(api: Api) -> None:
    answer = await ask(api, request(api, GOOD, "Content-Encoding: identity"))
    assert answer.status == "HTTP/1.1 202 Accepted"


@pytest.mark.parametrize("coding", ["br", "deflate", "zstd", "gzip, gzip", "identity, gzip", "x"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch", "/v1/suppressions"])
async def test_h7_another_coding_is_415_that_names_ours(api: Api, coding: str, path: str) -> None:
    line = f"POST {path} HTTP/1.1"
    answer = await ask(api, request(api, b"x", f"Content-Encoding: {coding}", line=line))
    assert answer.status == "HTTP/1.1 415 Unsupported Media Type"
    assert code(answer.body) == "content_encoding_unsupported"
    assert answer.field("Accept-Encoding") == "gzip"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/batch", "/v1/consents", "/nowhere"])
async def test_h7_nothing_is_unpacked_before_the_key_is_known_good(
    api: Api, slices: list[int], path: str
) -> None:
    api.headers["Authorization"] = "Bearer sk_wrong"
    answer = await ask(api, request(api, BOMB, GZIP, line=f"POST {path} HTTP/1.1"))
    assert answer.status[:12] == "HTTP/1.1 404" if path == "/nowhere" else "HTTP/1.1 401"
    assert slices == []


async def test_h7_a_body_that_unpacks_to_too_much_is_413_as_soon_as_it_does(
    slices: list[int],
) -> None:
    async with running_api(HttpSettings(max_body=Size(1 << 20), bodies_max=Size(1 << 20))) as api:
        for _ in range(3):  # what was held is given back
            answer = await ask(api, request(api, BOMB, GZIP))
            assert answer.status.startswith("HTTP/1.1 413 ")
    assert max(slices) == SLICE_BYTES
    assert sum(slices) <= 3 * ((1 << 20) + SLICE_BYTES)


async def test_h7_what_bodies_unpack_to_counts_against_the_bound_of_all() -> None:
    body = gzip.compress(b'{"messages":[' + b" " * 600_000, mtime=0)
    async with running_api(HttpSettings(max_body=Size(1 << 20), bodies_max=Size(1 << 20))) as api:
        first = request(api, body + bytes(100), GZIP, line="POST /v1/messages/batch HTTP/1.1")
        async with connected(api) as (reader, writer):
            writer.write(first[:-100])
            while True:  # until the first holds its octets, the second may be let in
                second = await ask(api, request(api, body, GZIP))
                if second.status == "HTTP/1.1 503 Service Unavailable":
                    break
            assert second.field("Retry-After") == "1"
            writer.write(first[-100:])
            await read_answer(reader)
        # There is room again: it is read, and its list has no end.
        assert (await ask(api, request(api, body, GZIP))).status[:12] == "HTTP/1.1 400"


@pytest.mark.parametrize(
    "packed",
    [
        b"nope", gzip.compress(MESSAGE)[:-1], gzip.compress(MESSAGE) + b"x", zlib.compress(MESSAGE),
        gzip.compress(b"") * (gzip_bodies.MEMBERS_MAX + 1),
    ],
    ids=["other", "cut", "more", "zlib", "members"],
)  # fmt: skip
async def test_h7_what_is_no_gzip_is_400(api: Api, packed: bytes) -> None:
    answer = await ask(api, request(api, packed, GZIP))
    assert (answer.status, code(answer.body)) == ("HTTP/1.1 400 Bad Request", "malformed_request")


async def test_h7_the_listener_of_links_unpacks_nothing(slices: list[int]) -> None:
    head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
    reading: list[bytes] = []

    class Noting:
        def decompress(self, *packed: bytes) -> bytes:
            reading.append(packed[0])
            return b""

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(zlib, "decompressobj", Noting)
        async with listening() as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port.port)
            writer.write(head % len(BOMB) + BOMB)
            assert (await read_answer(reader)).status == "HTTP/1.1 200 OK"
            writer.close()
    assert reading == []
    assert slices == []


async def test_a_chunked_body_is_counted_as_it_comes() -> None:
    async with running_api(HttpSettings(max_body=Size(10_000), bodies_max=Size(10_000))) as api:
        lines = request(api, b"")[:-2].replace(b"Content-Length: 0\r\n", b"")
        lines += b"Transfer-Encoding: chunked\r\n\r\n"
        sent = lines + b"%x\r\n%s\r\n0\r\n\r\n" % (len(MESSAGE), MESSAGE)
        assert (await ask(api, sent)).status == "HTTP/1.1 202 Accepted"
        large = lines + b"2711\r\n" + b" " * 0x2711 + b"\r\n0\r\n\r\n"
        assert (await ask(api, large)).status.startswith("HTTP/1.1 413 ")


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(1, 400))
def test_h7_members_are_unpacked_whichever_way_they_come(bodies: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(body, mtime=0) for body in bodies)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(gzip_bodies, "SLICE_BYTES", 7)
        gunzip = Gunzip()
        found = b""
        for piece in pieces(packed, size):
            gunzip.feed(piece)
            while gunzip.waits:
                unpacked = gunzip.slice()
                assert len(unpacked) <= 7
                found += unpacked
        gunzip.close()
    assert found == b"".join(bodies)


@given(st.binary(min_size=1, max_size=100))
def test_h7_octets_that_are_no_gzip_raise_the_one_error(data: bytes) -> None:
    gunzip = Gunzip()
    gunzip.feed(data)
    with pytest.raises(GzipError):
        while gunzip.waits:
            gunzip.slice()
        gunzip.close()
        raise GzipError  # whole by chance
