"""A process that has imported `smsgate` once, and forks each command that a test starts from
itself.

That spares every gateway, simulator and key of a run more than a second of importing. Owns the
server (this module run as a program) and how a test asks it. A forked command is a process of its
own like any other, with its own session, signals, environment, log and exit code. What has to be
shown of a fresh interpreter is started without it.

One connection to the server's Unix socket is one process, whose standard output it is, unless three
files of its own came with the request. The request is a line of JSON. The server's own lines are
the process's id and, behind NUL, how it ended. When the asker hangs up before that, the process is
killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gateway import cli

SOCKET_VARIABLE = "TEST_FORK_SERVER"
IMPORTED = ("serve", "simulate", "keys")
READY = "ready\n"
NO_CHANGES: Mapping[str, float] = MappingProxyType({})


@contextlib.contextmanager
def fork_server(path: Path) -> Iterator[None]:
    """A server that listens at `path` and that `forked` finds, for as long as this is entered."""
    with serving(path, os.environ):
        os.environ[SOCKET_VARIABLE] = str(path)
        try:
            yield
        finally:
            del os.environ[SOCKET_VARIABLE]


@contextlib.contextmanager
def serving(path: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A server that listens at `path`, started in this environment."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fork_server", str(path)],
        cwd=Path(__file__).parents[1],
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == READY
        try:
            yield
        finally:
            server.kill()


# --- the tests' side ------------------------------------------------------------------------------


async def forked(
    arguments: Sequence[str], log: Path, constants: Mapping[str, float] = NO_CHANGES
) -> ForkedProcess:
    """`smsgate <arguments>`, with `log` for its standard error. `constants` are other values for
    what is no setting, such as how often another's term is looked at, as `module.NAME`.
    """
    reader, writer = await asyncio.open_unix_connection(os.environ[SOCKET_VARIABLE])
    asked = {
        "arguments": arguments,
        "log": str(log),
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "constants": dict(constants),
    }
    writer.write(json.dumps(asked).encode() + b"\n")
    return ForkedProcess(reader, writer, int(await reader.readline()))


class ForkedProcess(asyncio.subprocess.Process):
    """What asyncio.create_subprocess_exec would have returned."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int
    ) -> None:
        self.pid = pid
        self.stdin = self.stderr = None
        self.stdout = asyncio.StreamReader()
        self._code: int | None = None
        self._followed = asyncio.create_task(self._follow(reader, writer))

    @property
    def returncode(self) -> int | None:
        return self._code

    async def wait(self) -> int:
        await asyncio.shield(self._followed)
        assert self._code is not None
        return self._code

    def send_signal(self, signal: int) -> None:
        if self._code is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, signal)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def _follow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.stdout is not None
        try:
            while line := await reader.readline():
                output, end, code = line.rpartition(b"\0")
                if end:
                    self.stdout.feed_data(output)
                    self._code = int(code)
                    break
                self.stdout.feed_data(line)
            assert self._code is not None, "the fork server is gone"
        finally:
            self.stdout.feed_eof()
            writer.close()


# --- the server -----------------------------------------------------------------------------------


class Server:
    """Forks what is asked for, and says how each ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._askers: dict[int, tuple[socket.socket, int]] = {}  # process id -> and its pidfd
        self._events = selectors.DefaultSelector()
        self._events.register(listener, selectors.EVENT_READ)
        self._events.register(sys.stdin, selectors.EVENT_READ)

    def serve(self) -> list[str]:
        """Until the tests are gone; in a forked process, returns what it is to run."""
        while True:
            for key, _ in self._events.select():
                if key.fileobj is sys.stdin:
                    self._kill(*self._askers)
                    return []
                if key.fileobj is self._listener:
                    arguments = self._fork(self._listener.accept()[0])
                    if arguments:
                        return arguments
                elif isinstance(key.fileobj, socket.socket):  # its asker hung up
                    self._events.unregister(key.fileobj)
                    self._kill(key.data)
                else:
                    self._ended(key.data)

    def _fork(self, asker: socket.socket) -> list[str]:
        asked, files = _request(asker)
        pid = os.fork()
        if pid == 0:
            self._become(asker, asked, files)
            return list(asked["arguments"])
        for file in files:
            os.close(file)
        pidfd = os.pidfd_open(pid)
        self._askers[pid] = (asker, pidfd)
        self._events.register(asker, selectors.EVENT_READ, pid)
        self._events.register(pidfd, selectors.EVENT_READ, pid)
        return []

    def _become(self, asker: socket.socket, asked: dict[str, Any], files: list[int]) -> None:
        """In the forked process: nothing of the server's stays open, all that was asked is set."""
        self._events.close()
        self._listener.close()
        for other, pidfd in self._askers.values():
            other.close()
            os.close(pidfd)
        os.setsid()
        asker.sendall(b"%d\n" % os.getpid())
        if not files:
            nothing = os.open(os.devnull, os.O_RDONLY)
            log = os.open(asked["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            files = [nothing, os.dup(asker.fileno()), log]
        for standard, own in enumerate(files):
            os.dup2(own, standard)
            os.close(own)
        asker.close()
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        for constant, value in asked.get("constants", NO_CHANGES).items():
            module, _, name = constant.rpartition(".")
            found = importlib.import_module(module)
            assert hasattr(found, name), constant
            setattr(found, name, value)

    def _ended(self, pid: int) -> None:
        asker, pidfd = self._askers.pop(pid)
        self._events.unregister(pidfd)
        os.close(pidfd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with contextlib.suppress(KeyError):
            self._events.unregister(asker)
        with contextlib.suppress(OSError):
            asker.sendall(b"\0%d\n" % code)
        asker.close()

    def _kill(self, *pids: int) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


def _request(asker: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What is asked for, and the standard files that came with it."""
    line, files = b"", []
    while not line.endswith(b"\n"):
        data, came, _, _ = socket.recv_fds(asker, 1 << 16, 3)
        assert data, "the asker hung up before it had asked"
        line += data
        files += came
    return json.loads(line), files


def main(path: str) -> int:
    """Serve at this path; in a forked process, be `smsgate`."""
    for name in IMPORTED:
        importlib.import_module(f"gateway.commands.{name}")
    assert threading.active_count() == 1, "a thread would not live on in a forked process"
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write(READY)
        arguments = Server(listener).serve()
    return cli.main(arguments) if arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
