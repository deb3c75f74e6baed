"""pg_dump and pg_restore, told of a database without its password on their command line.

Owns their call and what their complaints mean. Must not decide what is dumped, or whether.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from storage.data_dir import Account
from storage.manifest import BackupUnusable
from storage.postgres_binaries import find_binaries

PROGRESS_SECONDS = 2.0
COMPLAINT_OCTETS_MAX = 8_000
# pg_restore 18 sets this, and a server before 17 does not know it.
_UNKNOWN_SETTING = 'unrecognized configuration parameter "transaction_timeout"'


def find_clients(named: Path | None, on_progress: Callable[[str], None]) -> Path:
    """The folder of pg_dump and pg_restore: the one named, else the embedded PostgreSQL's.

    Raises BackupUnusable, EmbeddedError.
    """
    if named is None:
        return find_binaries(Account(None, None), on_progress).folder
    for program in ("pg_dump", "pg_restore"):
        if not (named / program).is_file():
            raise BackupUnusable(f"{named} has no {program}")
    return named


def without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL that may be shown to other processes, and the environment with its password."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    query = parse_qsl(parts.query, keep_blank_values=True)
    given = dict(query).get("password", unquote(password) if colon else None)
    rest = urlencode([(key, value) for key, value in query if key != "password"])
    shown = urlunsplit(parts._replace(netloc=f"{name}{at}{host}", query=rest))
    return shown, {} if given is None else {"PGPASSWORD": given}


async def run_client(
    command: Sequence[str], url: str, told: Callable[[], None], *, stdin: bytes | None = None
) -> None:
    """Run one to its end; `told` is called every PROGRESS_SECONDS. Raises BackupUnusable."""
    shown, secret = without_password(url)
    process = await asyncio.create_subprocess_exec(
        *command,
        f"--dbname={shown}",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(secret),
    )
    waiting = asyncio.ensure_future(process.communicate(stdin))
    try:
        while not (await asyncio.wait([waiting], timeout=PROGRESS_SECONDS))[0]:
            told()
    except BaseException:
        process.kill()
        await waiting
        raise
    said = waiting.result()[1][-COMPLAINT_OCTETS_MAX:].decode(errors="replace")
    complaints = _complaints(said)
    if complaints or (process.returncode and _UNKNOWN_SETTING not in said):
        why = complaints[0] if complaints else said.strip() or f"exit code {process.returncode}"
        raise BackupUnusable(f"{Path(command[0]).name}: {_advised(why)}")


def _environment(secret: Mapping[str, str]) -> dict[str, str]:
    """No variable of the operator's may say which database is meant."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, **secret, "LC_ALL": "C"}


def _complaints(said: str) -> list[str]:
    found = re.findall(r"^pg_\w+: (?:error|fatal): (.*)$", said, re.M)
    return [each for each in found if _UNKNOWN_SETTING not in each]


def _advised(complaint: str) -> str:
    if "SSL support is not compiled in" in complaint or "server version mismatch" in complaint:
        return f"{complaint}: name the programs of your server's release with --programs DIR"
    return complaint
