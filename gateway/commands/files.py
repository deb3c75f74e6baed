"""Files to and from a running gateway, in pieces, with progress on stderr.

Owns the sending and the receiving of octets over the API. Must not know what a file holds. No file
is ever held as a whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import aiohttp

from gateway.commands import CommandFailed
from gateway.commands.own_gateway import connector, url_of
from gateway.config import Config

PIECE_BYTES = 64 << 10
SILENT_SECONDS_MAX = 120  # a step of an import may wait for the database
TELL_SECONDS = 2.0
BAR_COLUMNS = 40

Told = Callable[[int], None]
Found = TypeVar("Found")


class Progress:
    """How many octets went, told every TELL_SECONDS; on a terminal in one line."""

    def __init__(self, verb: str, total: int | None) -> None:
        self._verb = verb
        self._total = total
        self._told_at: float | None = None

    def __call__(self, done: int) -> None:
        """So many octets went by now."""
        now = asyncio.get_running_loop().time()
        if self._told_at is None:
            self._told_at = now
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            line = f"{self._verb} {done / 1e6:.1f} MB{self._share(done)}"
            if sys.stderr.isatty():
                print(f"\r{line}", end="\n" if done == self._total else "", file=sys.stderr)
            else:
                print(line, file=sys.stderr)

    def _share(self, done: int) -> str:
        if not self._total:
            return ""
        full = BAR_COLUMNS * done // self._total
        bar = "#" * full + "." * (BAR_COLUMNS - full)
        return f" [{bar}] {100 * done // self._total} %"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def upload(
    config: Config, target: str, key: str, path: Path, headers: Mapping[str, str]
) -> tuple[dict[str, Any], bool]:
    """The answer to a file, and whether it is that of an earlier request. Raises CommandFailed."""
    told = Progress("sent", path.stat().st_size)
    return _run(config, _upload(config, target, key, path, headers, told))


def download(
    config: Config, target: str, key: str, into: IO[bytes], headers: Mapping[str, str]
) -> int:
    """Write what is answered; the octets. Raises CommandFailed, also where it breaks off."""
    told = Progress("received", None)
    return _run(config, _download(config, target, key, into, headers, told))


async def _upload(
    config: Config, target: str, key: str, path: Path, headers: Mapping[str, str], told: Told
) -> tuple[dict[str, Any], bool]:
    async with (
        _session(config, key) as session,
        session.post(url_of(config, target), data=_pieces(path, told), headers=headers) as response,
    ):
        answer = await _json(response)
        return answer, "Idempotency-Replayed" in response.headers


async def _download(
    config: Config, target: str, key: str, into: IO[bytes], headers: Mapping[str, str], told: Told
) -> int:
    url = url_of(config, target)
    async with _session(config, key) as session, session.get(url, headers=headers) as response:
        if response.status >= 400:
            await _json(response)
        done = 0
        async for piece in response.content.iter_chunked(PIECE_BYTES):
            into.write(piece)
            done += len(piece)
            told(done)
        return done


async def _pieces(path: Path, told: Told) -> AsyncIterator[bytes]:
    done = 0
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield piece
            done += len(piece)
            told(done)


async def _json(response: aiohttp.ClientResponse) -> dict[str, Any]:
    answer: object = json.loads(await response.read())
    if not isinstance(answer, dict):
        raise ValueError(f"status {response.status}, and no answer of smsgate's")
    if response.status >= 400:
        faults = [each["detail"] for each in answer.get("errors", ())] or [answer.get("detail")]
        raise CommandFailed(f"refused ({response.status}): {'; '.join(map(str, faults))}")
    return answer


def _session(config: Config, key: str) -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=SILENT_SECONDS_MAX)
    headers = {"Authorization": f"Bearer {key}"}
    return aiohttp.ClientSession(connector=connector(config), timeout=timeout, headers=headers)


def _run(config: Config, asking: Coroutine[Any, Any, Found]) -> Found:
    try:
        return asyncio.run(asking)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        said = f"the gateway at {config.http.listen} does not answer to the end: {error}"
        raise CommandFailed(said) from error
