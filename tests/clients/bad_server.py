"""Owns a server that does what it is told with each request, also what no good one does."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

CUT = b""  # hang up without an answer
SILENT = None  # keep the connection and say nothing


@dataclass
class Request:
    """What came: the first line, the fields by their names in small letters, the body."""

    line: str
    fields: dict[str, str]
    body: bytes


@dataclass
class BadServer:
    """Where it listens, and what it was asked."""

    url: str
    requests: list[Request] = field(default_factory=list)


def answer(status: int, body: object, *fields: str) -> bytes:
    """A whole answer on the wire."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {len(content)}",
        "Connection: close", *fields, "", "",
    ]  # fmt: skip
    return "\r\n".join(head).encode() + content


@contextlib.contextmanager
def bad_server(*script: bytes | None) -> Iterator[BadServer]:
    """One connection for each line of the script; nobody listens behind its end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        server = BadServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        over = threading.Event()
        thread = threading.Thread(target=_serve, args=(listener, server, script, over))
        thread.start()
        try:
            yield server
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(
    listener: socket.socket, server: BadServer, script: Sequence[bytes | None],
    over: threading.Event,
) -> None:  # fmt: skip
    for line in script:
        try:
            connection, _ = listener.accept()
        except OSError:  # the test is over before its script is
            return
        with connection:
            server.requests.append(_read(connection))
            if line is None:
                over.wait(20)
            else:
                connection.sendall(line)
    listener.close()


def _read(connection: socket.socket) -> Request:
    with connection.makefile("rb") as stream:
        line = stream.readline().decode().strip()
        fields = {}
        while row := stream.readline().decode().strip():
            name, _, value = row.partition(":")
            fields[name.lower()] = value.strip()
        return Request(line, fields, stream.read(int(fields.get("content-length", 0))))
