"""PostgreSQL servers as an operator runs them: over TCP, with a password. The wheel's 18, and
Debian's where it is installed.

As a program it runs tests on such a server instead of the embedded one: `python -m
tests.external_servers debian tests/storage tests/integration`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from gateway.rehearsal.processes import free_port
from storage.data_dir import Account
from storage.embedded import EmbeddedServer
from tests.shared_memory import parent_folder

NOT_INSTALLED = Path("/usr/lib/postgresql/none/bin")
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [NOT_INSTALLED]
URL_VARIABLE = "TEST_DATABASE_URL"
NOTHING_TO_RUN = 0


@contextlib.asynccontextmanager
async def wheel_server(folder: Path) -> AsyncIterator[str]:
    """The wheel's programs as a separate cluster; its URL."""
    port = free_port()
    settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "port": str(port)}
    server = EmbeddedServer(folder / "data", settings=settings)
    target = await server.start()
    try:
        yield f"postgresql://{target.user}:{target.password}@127.0.0.1:{port}/postgres"
    finally:
        await server.stop()


@contextlib.contextmanager
def debian_server(programs: Path) -> Iterator[str]:
    """A cluster made with Debian's own programs; its URL."""
    account, port, password = Account.choose(), free_port(), secrets.token_hex(8)
    folder = Path(tempfile.mkdtemp(prefix="smsgate-debian-", dir=parent_folder()))
    folder.chmod(0o711)
    password_file = folder / "password"
    password_file.write_text(password)
    cluster = folder / "cluster"
    account.make_folder(cluster)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs / program), f"--pgdata={cluster}", *arguments]
        finished = account.run(command, cwd=folder)
        assert finished.returncode == 0, finished.stdout

    initdb = ("--username=operator", f"--pwfile={password_file}", "--auth=scram-sha-256")
    run("initdb", *initdb, "--no-sync", "--encoding=UTF8", "--locale=C")
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c fsync=off -c unix_socket_directories="
    )
    run("pg_ctl", "start", "--wait", f"--log={cluster}/log.txt", f"--options={options}")
    try:
        yield f"postgresql://operator:{password}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(folder)


def _pytest(url: str, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env={**os.environ, URL_VARIABLE: url}, check=False).returncode


async def _on_the_wheels(folder: Path, arguments: list[str]) -> int:
    async with wheel_server(folder) as url:
        return await asyncio.to_thread(_pytest, url, arguments)


def main() -> int:
    which, *arguments = sys.argv[1:]
    if which == "wheel":
        with tempfile.TemporaryDirectory(prefix="smsgate-external-", dir=parent_folder()) as name:
            folder = Path(name)
            folder.chmod(0o711)  # the account that PostgreSQL runs as must be able to pass
            return asyncio.run(_on_the_wheels(folder, arguments))
    if DEBIAN == [NOT_INSTALLED]:
        sys.stdout.write("SKIPPED: no PostgreSQL in /usr/lib/postgresql\n")
        return NOTHING_TO_RUN
    with debian_server(DEBIAN[-1]) as url:
        return _pytest(url, arguments)


if __name__ == "__main__":
    sys.exit(main())
