"""Anchors of the audit chain: where it ended at some moment, signed, and kept elsewhere.

Owns their form, the file `audit.anchors` in the data folder, and its hour. Must not judge the
chain (audit_check.py).

An anchor helps where whoever changed the database cannot reach it. So each is logged, too.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from storage import sql
from storage.data_dir import EmbeddedError, make_data_dir
from storage.pool import Connection

_SQL = sql.load("storage")
_log = structlog.get_logger(__name__)

FILE_NAME = "audit.anchors"
KEY_PURPOSE, KEY_BYTES = "audit anchor", 32
EVERY = timedelta(hours=1)
ANCHORS_MAX = 1_000_000
_MARK = b"smsgate.audit.anchor.1\n"


class AnchorUnreadable(Exception):
    """A line that should be an anchor is none. One line for the operator."""


class Line(msgspec.Struct, kw_only=True):
    """An anchor as it is written and logged. `hash` and `mac` are 64 hexadecimal digits."""

    anchored_at: str
    seq: int
    hash: str
    mac: str


class Anchor(msgspec.Struct, frozen=True):
    """The row at `seq` had this hash. `proved`: our key signed that."""

    seq: int
    hash: bytes
    proved: bool


def line_of(key: bytes, seq: int, chained: bytes, at: datetime) -> Line:
    """A signed anchor. `at` is aware."""
    anchored_at = at.astimezone(UTC).isoformat(timespec="seconds")
    return Line(
        anchored_at=anchored_at,
        seq=seq,
        hash=chained.hex(),
        mac=_mac(key, seq, chained, anchored_at).hex(),
    )


def read_anchors(key: bytes, lines: Iterable[str]) -> list[Anchor]:
    """The anchors of a file or of a log in JSON; lines about something else are passed over.

    Raises AnchorUnreadable for an anchor that is cut or malformed, or more than ANCHORS_MAX.
    """
    found: list[Anchor] = []
    for number, text in enumerate(lines, 1):
        if '"mac"' not in text:
            continue
        try:
            line = msgspec.json.decode(text, type=Line)
            chained, mac = bytes.fromhex(line.hash), bytes.fromhex(line.mac)
        except (msgspec.MsgspecError, ValueError) as error:
            raise AnchorUnreadable(f"line {number} is no anchor: {error}") from None
        if len(found) >= ANCHORS_MAX:
            raise AnchorUnreadable(f"more than {ANCHORS_MAX} anchors")
        wanted = _mac(key, line.seq, chained, line.anchored_at)
        found.append(Anchor(line.seq, chained, hmac.compare_digest(mac, wanted)))
    return found


class Anchors:
    """Writes an anchor an hour where the chain has grown, and where it is cut. Others may write
    elsewhere.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._path = folder / FILE_NAME
        self._key = key
        self._last: Line | None = None
        self._read = False

    async def turn(self, connection: Connection, now: datetime) -> Line | None:
        """Write an anchor if it is time. Returns it."""
        if not self._read:
            self._last = await asyncio.to_thread(_last_line, self._path)
            self._read = True
        last = self._last
        if last is not None and now - datetime.fromisoformat(last.anchored_at) < EVERY:
            return None
        head = await connection.fetchrow(_SQL["audit_head"])
        if head is None or head["seq"] == (last.seq if last else 0):
            return None
        self._last = await self.write(head["seq"], head["hash"], now)
        return self._last

    async def write(self, seq: int, chained: bytes, now: datetime) -> Line:
        """Log and write that the row at `seq` has this hash. What cannot be written is in the
        log all the same.
        """
        line = line_of(self._key, seq, chained, now)
        _log.info("audit_anchor", **msgspec.to_builtins(line))
        try:
            await asyncio.to_thread(_append, self._path, line)
        except (OSError, EmbeddedError) as error:
            _log.warning("audit_anchor_not_written", path=str(self._path), error=str(error))
        return line


def _mac(key: bytes, seq: int, chained: bytes, at: str) -> bytes:
    said = b"%b%d\n%b\n%b" % (_MARK, seq, chained, at.encode())
    return hmac.digest(key, said, hashlib.sha256)


def _append(path: Path, line: Line) -> None:
    """One write of one line, so that two processes in one folder cannot mix theirs."""
    make_data_dir(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"  # else cut by a crash
        os.write(descriptor, (b"" if whole else b"\n") + msgspec.json.encode(line) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_line(path: Path) -> Line | None:
    """The newest anchor; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 1_000))
            lines = file.read().splitlines()
    except OSError:
        return None  # none is there; or writing fails, too, and says so
    for text in reversed(lines):
        try:
            line = msgspec.json.decode(text, type=Line)
            aware = datetime.fromisoformat(line.anchored_at).utcoffset() is not None
        except (msgspec.MsgspecError, ValueError):
            continue
        if aware:
            return line
    return None
