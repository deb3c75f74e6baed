"""What a client does to a connection with single messages on it, and what becomes of them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Sequence

import pytest

from messages.models import GivenIds, Prepared, Refused, Verdict
from messages.reading.reader import MessageView
from storage.categories import Category
from tests.web.raw_http import (
    GOOD,
    REFUSED,
    THEIR_WAY,
    Watched,
    ask,
    connected,
    pieces,
    read_answer,
    request,
)
from tests.web.served import Api, running_api
from web.api.single_posts import SinglePosts
from web.edge import bodies
from web.edge.connection import BODY_SECONDS, HEAD_SECONDS, HELD_BYTES_MAX, Connection

RECEIVED_AT_ONCE = 256 << 10  # by asyncio's own event loop, the greediest


async def test_a_body_that_comes_byte_by_byte_goes_the_short_way(
    known: Api, taken: list[bytes]
) -> None:
    data = request(known, GOOD)
    start = data.index(b"\r\n\r\n") + 4
    async with connected(known) as (reader, writer):
        writer.write(data[:start])
        for byte in pieces(data[start:], 1):
            writer.write(byte)
            await asyncio.sleep(0)
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
    assert taken == [data[start:]]


async def test_a_body_that_never_comes_is_408(
    looked_at: Api, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 0.01)
    async with connected(looked_at) as (reader, writer):
        writer.write(request(looked_at, GOOD)[:-1])
        await watched.heard.wait()
        looked_at.time[0] += BODY_SECONDS + 0.1
        assert (await read_answer(reader)).status == "HTTP/1.1 408 Request Timeout"


async def test_a_body_that_comes_after_our_patience_is_answered_once(
    looked_at: Api, watched: Watched, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = asyncio.Event()
    leave = Connection._leave

    def leaving(self: Connection, data: bytes) -> None:
        leave(self, data)
        left.set()

    monkeypatch.setattr(Connection, "_leave", leaving)
    data = request(looked_at, GOOD)
    async with connected(looked_at) as (reader, writer):
        writer.write(data[:-1])
        await watched.heard.wait()
        looked_at.time[0] += BODY_SECONDS + 0.1
        await left.wait()
        writer.write(data[-1:] + request(looked_at, GOOD, "Connection: close"))
        for _ in range(2):
            assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        assert await reader.read() == b""
    assert len(looked_at.memory.stored) == 2
    assert taken == []


async def test_requests_that_come_faster_than_they_are_answered_are_not_all_held(
    known: Api, watched: Watched
) -> None:
    count = 1000
    sent = request(known, REFUSED) * count

    async def send(writer: asyncio.StreamWriter) -> None:
        for piece in pieces(sent, RECEIVED_AT_ONCE):
            writer.write(piece)
            await writer.drain()

    async with connected(known) as (reader, writer):
        sending = asyncio.create_task(send(writer))
        for _ in range(count):
            assert (await read_answer(reader)).status.startswith("HTTP/1.1 422 ")
        await sending
    assert HELD_BYTES_MAX < watched.held_most <= HELD_BYTES_MAX + 2 * RECEIVED_AT_ONCE < len(sent)


async def test_a_client_that_does_not_read_its_answers_is_not_read_until_it_does(
    known: Api, watched: Watched, taken: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Connection.connection_made

    def connection_made(self: Connection, transport: asyncio.Transport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", connection_made)
    count = 2000
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", known.port))
    reader, writer = await asyncio.open_connection(sock=client, limit=2048)
    for number in range(count):
        writer.write(request(known, REFUSED, f"X-Request-Id: {number}"))
    await watched.choked.wait()
    before = len(taken)
    assert before < count
    await ask(known, request(known, GOOD))  # others are served, and the event loop went round
    assert len(taken) == before + 1
    answered = [(await read_answer(reader)).field("X-Request-Id") for _ in range(count)]
    assert answered == [str(number) for number in range(count)]
    assert watched.held_most <= HELD_BYTES_MAX + 2 * RECEIVED_AT_ONCE
    writer.close()


async def test_who_vanishes_before_the_answer_has_sent_the_message_all_the_same(
    known: Api, watched: Watched, taken: list[bytes]
) -> None:
    known.memory.accepting = asyncio.Event()
    async with connected(known) as (_reader, writer):
        writer.write(request(known, GOOD))
        await known.memory.validating.wait()
        watched.lost.clear()
        gone = struct.pack("ii", 1, 0)  # with a reset: an end of input alone might be half of one
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, gone)
        writer.transport.abort()
        await watched.lost.wait()
    known.memory.accepting.set()
    assert (await ask(known, request(known, GOOD))).status == "HTTP/1.1 202 Accepted"
    assert len(taken) == len(known.memory.stored) == 2


@pytest.mark.parametrize("first", [[], [THEIR_WAY]])
@pytest.mark.parametrize("last", [[], [THEIR_WAY]])
async def test_h11_what_was_asked_before_the_client_ended_its_input_is_answered(
    known: Api, watched: Watched, first: list[str], last: list[str]
) -> None:
    async with connected(known) as (reader, writer):
        watched.lost.clear()
        writer.write(request(known, GOOD, *first) + request(known, GOOD, *last))
        writer.write_eof()
        for _ in range(2):
            assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        assert await reader.read() == b""
        await watched.lost.wait()
    assert len(known.memory.stored) == 2


@pytest.mark.parametrize("fields", [[], [THEIR_WAY]])
@pytest.mark.parametrize("cut", [1, 60])  # in the body, in the head
async def test_h11_half_a_request_and_the_end_of_input_close_the_connection(
    known: Api, fields: list[str], cut: int
) -> None:
    async with connected(known) as (reader, writer):
        writer.write(request(known, GOOD) + request(known, GOOD, *fields)[:-cut])
        writer.write_eof()
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        assert await reader.read() == b""
    assert len(known.memory.stored) == 1


@pytest.mark.parametrize("fields", [[], [THEIR_WAY]])
async def test_a_canceled_acceptance_closes_the_connection(known: Api, fields: list[str]) -> None:
    known.memory.failure = asyncio.CancelledError()
    async with connected(known) as (reader, writer):
        writer.write(request(known, GOOD, *fields))
        assert await reader.read() == b""


async def test_a_wrong_number_of_verdicts_is_500_and_not_silence(
    known: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def accept(*_items: object, **_named: object) -> list[Verdict | Refused]:
        return []

    monkeypatch.setattr(known.memory, "accept", accept)
    answer = await ask(known, request(known, GOOD))
    assert answer.status == "HTTP/1.1 500 Internal Server Error"


async def test_no_repeat_waits_for_another_to_be_looked_up(
    known: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeats = [request(known, {**GOOD, "client_ref": each}) for each in "ab"]
    for each in repeats:
        await ask(known, each)
    look_up = known.memory.message
    asked: list[int] = []
    both = asyncio.Event()

    async def message(account: int, message_id: int) -> MessageView | None:
        asked.append(message_id)
        if len(asked) == 2:
            both.set()
        await both.wait()
        return await look_up(account, message_id)

    monkeypatch.setattr(known.memory, "message", message)
    async with connected(known) as (reader, writer), connected(known) as (reader_2, writer_2):
        writer.write(repeats[0])  # in one round of the event loop, for one acceptance
        writer_2.write(repeats[1])
        assert b'"deduplicated":true' in (await read_answer(reader)).body
        assert b'"deduplicated":true' in (await read_answer(reader_2)).body
    assert known.memory.batch_sizes[-1] == 2


async def test_no_one_time_password_waits_for_others_of_its_round(
    known: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = asyncio.Event()
    accept_now = known.memory.accept

    async def accept(
        items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> list[Verdict | Refused]:
        if any(each.category != Category.OTP for each in items):
            await others.wait()
        return await accept_now(items, batch_id=batch_id, ids=ids)

    monkeypatch.setattr(known.memory, "accept", accept)
    async with connected(known) as (slow_reader, slow), connected(known) as (reader, quick):
        slow.write(request(known, GOOD))
        quick.write(request(known, {**GOOD, "category": "otp"}))
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        others.set()
        assert (await read_answer(slow_reader)).status == "HTTP/1.1 202 Accepted"


async def test_a_revoked_key_is_401_when_it_is_no_longer_known(
    known: Api, taken: list[bytes]
) -> None:
    known.memory.keys.clear()
    assert (await ask(known, request(known, GOOD))).status == "HTTP/1.1 202 Accepted"
    known.time[0] += 6.0
    assert (await ask(known, request(known, GOOD))).status == "HTTP/1.1 401 Unauthorized"
    assert len(taken) == 1


async def test_a_connection_is_not_idle_while_its_message_is_stored(
    looked_at: Api, watched: Watched
) -> None:
    looked_at.memory.accepting = asyncio.Event()
    looked_at.memory.validating.clear()
    async with connected(looked_at) as (reader, writer):
        writer.write(request(looked_at, GOOD))
        await looked_at.memory.validating.wait()
        looked_at.time[0] += 1000
        watched.looked_at.clear()
        await watched.looked_at.wait()
        looked_at.memory.accepting.set()
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"


async def test_h4_half_a_head_after_a_short_way_is_not_waited_for_for_ever(
    looked_at: Api, watched: Watched
) -> None:
    async with connected(looked_at) as (reader, writer):
        writer.write(request(looked_at, GOOD) + b"POST /v1/mess")
        assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
        watched.looked_at.clear()
        await watched.looked_at.wait()
        looked_at.time[0] += HEAD_SECONDS + 0.1
        assert (await read_answer(reader)).status == "HTTP/1.1 408 Request Timeout"
        assert await reader.read() == b""


async def test_a_stop_answers_what_waits_and_closes_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close = SinglePosts.close
    stored = asyncio.Event()

    async def closing(self: SinglePosts, seconds: float) -> None:
        asyncio.get_running_loop().call_soon(stored.set)
        await close(self, seconds)

    monkeypatch.setattr(SinglePosts, "close", closing)
    async with running_api() as api:
        memory = api.memory
        await api.post("/v1/messages", GOOD)
        memory.validating.clear()
        memory.accepting = stored
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", api.port)
        half, half_writer = await asyncio.open_connection("127.0.0.1", api.port)
        half_writer.write(request(api, GOOD)[:-1])
        writer.write(request(api, GOOD))
        await memory.validating.wait()
    assert (await read_answer(reader)).status == "HTTP/1.1 202 Accepted"
    for each in (reader, idle, half):
        assert await each.read() == b""
    for each_writer in (writer, idle_writer, half_writer):
        each_writer.close()
