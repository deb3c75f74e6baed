"""Owns one look at a carrier: name, connection, TLS, bind, enquire_link, each with its time.

Must not submit anything, nor take a delivery: what comes is answered "later", so that the carrier
keeps it. A transmitter is bound wherever that is allowed, as carriers deliver nothing to one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from smpp import vocabulary
from smpp.bind_settings import BindSettings
from smpp.framing import FrameBuffer, FramingError
from smpp.pdu import (
    BindResp,
    DataSm,
    DeliverSm,
    EnquireLink,
    EnquireLinkResp,
    Pdu,
    PduError,
    Unbind,
    UnbindResp,
    decode,
    encode,
)
from smpp.refusals import response_to
from smpp.tls import client_context, explain

READ_BYTES: Final = 65_536
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProbeStep:
    """One step: `name` is dns, tcp, tls, bind or enquire_link. `said` is what was found, or why it
    failed.
    """

    name: str
    ok: bool
    milliseconds: float
    said: str


class _Failed(Exception):
    """The carrier answered, and it was no."""


class _Session:
    """One connection, and what is read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._frames = FrameBuffer()
        self._waiting: list[bytes] = []

    def write(self, pdu: Pdu) -> None:
        self.writer.write(encode(pdu))

    async def answer(self, wanted: Callable[[Pdu], bool]) -> Pdu:
        """The next PDU that is wanted. What the carrier asks meanwhile is answered."""
        while True:
            while self._waiting:
                pdu = decode(self._waiting.pop(0))
                if wanted(pdu):
                    return pdu
                self._reply(pdu)
            data = await self._reader.read(READ_BYTES)
            if not data:
                raise _Failed("the carrier closed the connection")
            self._waiting += self._frames.feed(data)

    def _reply(self, pdu: Pdu) -> None:
        if isinstance(pdu, DeliverSm | DataSm):
            self.write(response_to(pdu, vocabulary.ESME_RX_T_APPN))
        elif isinstance(pdu, EnquireLink):
            self.write(EnquireLinkResp(pdu.sequence_number))
        elif isinstance(pdu, Unbind):
            self.write(UnbindResp(pdu.sequence_number))


async def reached(host: str, port: int, seconds: float) -> AsyncIterator[ProbeStep]:
    """Look up the name and connect, then close; ends with the first step that fails."""
    loop = asyncio.get_running_loop()
    step, _ = await _timed("dns", _look_up(host, port), seconds, str)
    yield step
    if step.ok:
        connected = await _timed("tcp", _connect(host, port), seconds, _peer)
        step, session = connected
        yield step
        if session is not None:
            await _close(session.writer, loop.time() + seconds)


async def probe(settings: BindSettings) -> AsyncIterator[ProbeStep]:
    """Each step as it is done; ends with the first that fails. Raises TlsError for wrong files."""
    seconds = settings.bind_timeout_seconds
    context = None if settings.tls is None else client_context(settings.tls)
    step, _ = await _timed("dns", _look_up(settings.host, settings.port), seconds, str)
    yield step
    if not step.ok:
        return
    connected = await _timed("tcp", _connect(settings.host, settings.port), seconds, _peer)
    step, session = connected
    yield step
    if session is None:
        return
    try:
        if context is not None and settings.tls is not None:
            name = settings.tls.server_name or settings.host
            starting = session.writer.start_tls(context, server_hostname=name)
            step, _ = await _timed("tls", starting, seconds, lambda _: _version(session.writer))
            yield step
            if not step.ok:
                return
        for name, asking in (("bind", _bind), ("enquire_link", _enquire)):
            step, _ = await _timed(name, asking(session, settings), seconds, str)
            yield step
            if not step.ok:
                return
        session.write(Unbind(3))
        answered = session.answer(lambda pdu: isinstance(pdu, UnbindResp))
        await _timed("unbind", answered, settings.unbind_timeout_seconds, str)
    finally:
        await _close(session.writer, asyncio.get_running_loop().time() + seconds)


async def _timed(
    name: str, doing: Awaitable[T], seconds: float, said: Callable[[T], str]
) -> tuple[ProbeStep, T | None]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    found: T | None = None
    try:
        async with asyncio.timeout(seconds):
            found = await doing
        words, ok = said(found), True
    except TimeoutError:
        words, ok = f"no answer in {seconds:g} s", False
    except (OSError, _Failed, PduError, FramingError, EOFError) as error:
        words, ok = explain(error) or str(error) or type(error).__name__, False
    return ProbeStep(name, ok, round(1000 * (loop.time() - began), 1), words), found


async def _look_up(host: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return " ".join(dict.fromkeys(str(address[0]) for *_, address in found))


async def _connect(host: str, port: int) -> _Session:
    return _Session(*await asyncio.open_connection(host, port))


async def _bind(session: _Session, settings: BindSettings) -> str:
    bind = "receiver" if settings.bind == "receiver" else "transmitter"
    session.write(replace(settings, bind=bind).bind_request())
    answer = await session.answer(lambda pdu: isinstance(pdu, BindResp))
    assert isinstance(answer, BindResp)
    if answer.command_status != vocabulary.ESME_ROK:
        raise _Failed(vocabulary.status_name(answer.command_status))
    return f"{bind} of {answer.system_id.decode('ascii', 'replace') or 'a carrier without name'}"


async def _enquire(session: _Session, _settings: BindSettings) -> str:
    session.write(EnquireLink(2))
    await session.answer(lambda pdu: isinstance(pdu, EnquireLinkResp))
    return "answered"


def _peer(session: _Session) -> str:
    address: tuple[object, ...] = session.writer.get_extra_info("peername") or ("?",)
    return str(address[0])


def _version(writer: asyncio.StreamWriter) -> str:
    return str(writer.get_extra_info("ssl_object").version())


async def _close(writer: asyncio.StreamWriter, deadline: float) -> None:
    writer.close()
    try:
        async with asyncio.timeout_at(deadline):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
