"""TLS of a listener: its certificate, read again when it changes, and connections that shake hands.

Owns the pair in force, and the bound and the time of a handshake. Must not know what is asked once
the hands are shaken.

A pair that cannot be used changes nothing: the one in force stays. That is told, and counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import structlog
from cryptography import x509

from smpp.tls import TlsError, TlsServerSettings, server_context
from web.edge.connection import Connection, Port
from web.samples import Sample

HANDSHAKE_SECONDS = 10.0
GOODBYE_SECONDS = 5.0  # until a client that does not end the session is cut off
ENOUGH_BYTES = 64 << 10  # of a request that came before its connection was opened

_log = structlog.get_logger("smsgate.web")


class ServerPair:
    """A certificate with its key, in PEM files. `ends`: when it does, in seconds since 1970.

    `context` is the door's: it shows who connects the pair in force.
    """

    def __init__(self, certificate_file: str, key_file: str | None) -> None:
        """Raises TlsError for a pair that cannot be used."""
        self._settings = TlsServerSettings(certificate_file=certificate_file, key_file=key_file)
        self._stamp = self._stamps()
        self._refused = 0
        self.file = certificate_file
        self._taken, self.ends = self._load()
        self.context, _ = self._load()
        self.context.sni_callback = self._show

    def look(self) -> None:
        """Take the files' pair if they have changed since the last look."""
        stamp = self._stamps()
        if stamp != self._stamp:
            self._stamp = stamp
            with contextlib.suppress(TlsError):  # it is told
                self.reload()

    def reload(self) -> None:
        """Take the files' pair. Raises TlsError for one that cannot be used; the other stays."""
        try:
            self._taken, self.ends = self._load()
        except TlsError as error:
            self._refused += 1
            _log.error("tls_certificate_refused", error=str(error))
            raise
        _log.info("tls_certificate_taken", file=self.file)

    def samples(self) -> Iterator[Sample]:
        """The metrics of the pair."""
        yield Sample("sms_tls_certificate_end_timestamp_seconds", self.ends)
        yield Sample("sms_tls_certificates_refused_total", self._refused)

    def _load(self) -> tuple[ssl.SSLContext, float]:
        """A context with the pair, and when the certificate ends."""
        context = server_context(self._settings)
        context.set_alpn_protocols(["http/1.1"])
        return context, certificate_end(self._settings.certificate_file)

    def _show(self, talking: ssl.SSLObject, _name: str | None, _door: ssl.SSLContext) -> None:
        talking.context = self._taken

    def _stamps(self) -> tuple[tuple[int, int, int] | None, ...]:
        files = (self._settings.certificate_file, self._settings.key_file)
        return tuple(_stamp(file) for file in files if file is not None)


def certificate_end(file: str) -> float:
    """When the first certificate of a PEM file ends, in seconds since 1970. Raises TlsError."""
    try:
        certificate = x509.load_pem_x509_certificate(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise TlsError(f"TLS: certificate_file {file}: no PEM certificate") from error
    return certificate.not_valid_after_utc.timestamp()


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Handshake(asyncio.Protocol):
    """A connection until TLS is spoken on it. Then a Connection takes its place.

    It counts as an open connection from its first moment, so that those who never finish are
    bounded like all others.
    """

    __slots__ = (
        "_context",
        "_early",
        "_ended",
        "_failed",
        "_listener",
        "_lost",
        "_since",
        "_spoke",
        "_task",
        "_transport",
    )  # fmt: skip

    def __init__(self, listener: Port, context: ssl.SSLContext, failed: Callable[[], None]) -> None:
        self._listener = listener
        self._context = context
        self._failed = failed
        self._early = b""
        self._ended = self._lost = False
        self._since = listener.monotonic()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Both for the bare connection, and for none beside it."""
        self._transport = cast("asyncio.Transport", transport)
        if self._listener.opened(self) is not None:  # the refusal could be read by nobody
            self._transport.abort()
            return
        self._transport.pause_reading()  # the first octets are TLS's
        self._task = self._listener.loop.create_task(self._shake())

    def data_received(self, data: bytes) -> None:
        """What is asked in the very moment that the hands are shaken."""
        self._early += data
        if len(self._early) > ENOUGH_BYTES:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """The client has left already."""
        self._ended = True

    def connection_lost(self, _exc: Exception | None) -> None:
        """Lost before it was opened."""
        self._lost = True
        self._listener.closed(self)

    def look(self, _now: float) -> None:
        """The handshake has a time limit of its own."""

    def end(self, reason: str) -> None:
        """Close it, counted under this reason."""
        self._listener.count_closed(reason)
        self._transport.abort()

    def leave(self) -> None:
        """The listener stops."""
        if self._task is not None:
            self._task.cancel()
        self._transport.abort()

    async def _shake(self) -> None:
        opened = None
        try:
            opened = await self._listener.loop.start_tls(
                self._transport,
                self,
                self._context,
                server_side=True,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=GOODBYE_SECONDS,
            )
        except OSError:  # ssl.SSLError and time-outs are such
            self._failed()
            self._transport.abort()
        finally:
            self._listener.closed(self)
        if opened is None or self._lost:
            return
        connection = Connection(self._listener)
        opened.set_protocol(connection)
        connection.connection_made(opened)
        if self._early:
            opened.resume_reading()
            connection.data_received(self._early)
        if self._ended:
            connection.eof_received()
