"""The click journal: append-only files that hold every click until it is in the database.

Owns the record format, the files, and who may finish with one. Must not know the database
(shortlinks/clicks.py moves the records there) or HTTP.

A click is written with one write(2) before its redirect is answered. So it outlives the process; a
power cut may take the last seconds.

Each process writes files of its own, and never appends to one it found. So the torn end that a
killed process leaves stays torn and is skipped. The writer holds a lock on its file. A file that
can be locked has no writer any more, and anyone may finish it.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from shortlinks.classify import RequestFacts

USER_AGENT_CHARACTERS_MAX = 512
HEADER_CHARACTERS_MAX = 128
BATCH_BYTES_MAX = 256 * 1024
RECORD_BYTES_MAX = 16 * 1024  # of bounded fields, at most four octets a character: 5 kB
FILE_BYTES_MAX = 16 * 1024 * 1024
FOLDER_BYTES_MAX = 512 * 1024 * 1024  # about 2 million clicks while the database is away
MEASURE_SECONDS = 1.0  # between looks at a full folder: other processes load files of it, too

_log = logging.getLogger("smsgate.shortlinks")

_SUFFIX = ".clicks"
_LOADED_SUFFIX = ".loaded"  # every record is in the database; so is the file's offset still
_NEWLINE = 10


class Click(msgspec.Struct, gc=False, array_like=True):
    """One request for an existing link: the raw facts. `id` holds the time. `link_id` 0: a
    recipient's link.
    """

    id: int
    link_seq: int
    slot: int
    message_id: int
    method: str
    ip_prefix: str
    user_agent: str
    facts: RequestFacts
    link_id: int = 0


class ClickGap(msgspec.Struct):
    """A time in which clicks were redirected and could not be kept. Ids hold the moments."""

    first_id: int
    last_id: int
    lost: int
    why: str


class ClickJournal:
    """Where this process writes its clicks. The first append opens it.

    Counts since start: appended, and lost (not written: disk full, or the folder at its bound).
    """

    def __init__(
        self,
        folder: Path,
        node: int,
        *,
        file_bytes_max: int = FILE_BYTES_MAX,
        folder_bytes_max: int = FOLDER_BYTES_MAX,
    ) -> None:
        """Makes `folder` (0700) if it is missing. `node` only names the files. Raises OSError."""
        self.appended = 0
        self.lost = 0
        self.last_error: OSError | None = None
        self.gap: ClickGap | None = None  # the running one, or one that is not yet stored
        self.losing = False
        self.on_append: Callable[[], object] = _nothing
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._node = node
        self._file_bytes_max = file_bytes_max
        self._folder_bytes_max = folder_bytes_max
        self._encode_into = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self._path: Path | None = None
        self._descriptor = -1
        self._size = 0
        self._bytes_elsewhere = self._measure()
        self._full_until = 0.0  # by the monotonic clock
        self._closed = False

    @property
    def active(self) -> tuple[Path, int] | None:
        """(the file being written, its size now), or None."""
        return None if self._path is None else (self._path, self._size)

    @property
    def bytes_held(self) -> int:
        """Octets of the folder, as far as this process knows."""
        return self._size + self._bytes_elsewhere

    def append(self, click: Click) -> bool:
        """Write one click. False, and counted as lost, if that failed. Never raises."""
        self._encode_into(click, self._buffer)
        self._buffer.append(_NEWLINE)
        why = "the folder is full"
        try:
            written = len(self._buffer) <= RECORD_BYTES_MAX and self._write(self._buffer)
        except OSError as error:
            self.last_error = error
            written, why = False, str(error.strerror)
        if written:
            self.appended += 1
            self.losing = False
        else:
            self._lose(click, why)
        self.on_append()
        return written

    def append_all(self, clicks: Sequence[Click]) -> list[bool]:
        """Write several clicks with one write(2). For each whether it is written, as append()."""
        lines = bytearray()
        for click in clicks:
            self._encode_into(click, self._buffer)
            lines += self._buffer
            lines.append(_NEWLINE)
        try:
            written = len(lines) <= BATCH_BYTES_MAX and self._write(lines)
        except OSError:
            written = False
        if not written:
            return [self.append(click) for click in clicks]  # as many as there is room for
        self.appended += len(clicks)
        self.losing = False
        self.on_append()
        return [True] * len(clicks)

    def take_gap(self) -> ClickGap | None:
        """The gap as it is now, to be stored. One that goes on is given again later, larger."""
        gap = self.gap
        if gap is not None and not self.losing:
            self.gap = None
        return gap

    def give_back(self, gap: ClickGap) -> None:
        """A gap could not be stored. It becomes part of one that has begun meanwhile, if any."""
        if self.gap is not None and self.gap is not gap:
            gap.last_id = self.gap.last_id
            gap.lost += self.gap.lost
        self.gap = gap

    def _lose(self, click: Click, why: str) -> None:
        self.lost += 1
        if self.gap is None:
            self.gap = ClickGap(click.id, click.id, 0, why)
        self.gap.last_id, self.gap.why = click.id, why
        self.gap.lost += 1
        if not self.losing:
            _log.error("clicks are redirected and not kept: %s", why)
        self.losing = True

    def close(self) -> None:
        """End the file, so the loader can finish it. Later clicks are lost."""
        self._closed = True
        self._end_file()

    def files(self) -> list[Path]:
        """Every journal file of the folder, oldest first per node."""
        return sorted(self.folder.glob(f"*{_SUFFIX}"))

    def loaded_files(self) -> list[Path]:
        """Files that retire_journal_file() renamed, and that a kill kept from being deleted."""
        return sorted(self.folder.glob(f"*{_LOADED_SUFFIX}"))

    def forget(self, size: int) -> None:
        """The loader retired a file of this size."""
        self._bytes_elsewhere = max(0, self._bytes_elsewhere - size)

    def _write(self, line: bytearray) -> bool:
        if self._closed:
            return False
        if self.bytes_held + len(line) > self._folder_bytes_max and not self._room(len(line)):
            return False
        if self._path is None or self._size + len(line) > self._file_bytes_max:
            self._start_file()
        written = os.write(self._descriptor, line)
        if written == len(line):
            self._size += written
            return True
        # The disk filled up within the record. Its beginning must not swallow the next record.
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._end_file()
            raise
        return False

    def _room(self, octets: int) -> bool:
        """Whether others have made room since a file was begun."""
        now = time.monotonic()
        if now < self._full_until:
            return False
        self._bytes_elsewhere = self._measure() - self._size
        if self.bytes_held + octets <= self._folder_bytes_max:
            return True
        self._full_until = now + MEASURE_SECONDS
        return False

    def _start_file(self) -> None:
        name = f"{self._node:03d}-{time.time_ns():020d}-{secrets.token_hex(4)}"
        path, unlocked = self.folder / (name + _SUFFIX), self.folder / (name + ".new")
        descriptor = os.open(
            unlocked, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            # Locked before it has its name: nobody finds it without its writer.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            unlocked.rename(path)
        except BaseException:
            os.close(descriptor)
            unlocked.unlink(missing_ok=True)
            raise
        self._end_file()
        self._path, self._descriptor, self._size = path, descriptor, 0
        self._bytes_elsewhere = self._measure()

    def _end_file(self) -> None:
        if self._path is not None:
            os.close(self._descriptor)
            self._bytes_elsewhere += self._size
            self._path, self._descriptor, self._size = None, -1, 0

    def _measure(self) -> int:
        total = 0
        for path in self.files():
            with contextlib.suppress(FileNotFoundError):  # another process finished with it
                total += path.stat().st_size
        return total


class JournalFile(msgspec.Struct, gc=False):
    """A journal file open for reading. `ended`: nobody writes to it any more."""

    path: Path
    descriptor: int
    size: int
    ended: bool

    def read(self, offset: int, records_max: int, bytes_max: int) -> tuple[list[bytes], int]:
        """(complete records from `offset` on, the offset behind them).

        A torn last record is left alone. In an ended file it is skipped, and so is a stretch
        without any record mark that is longer than a record can be.
        """
        wanted = min(bytes_max, self.size - offset)
        data = os.pread(self.descriptor, wanted, offset) if wanted > 0 else b""
        *lines, rest = data.split(b"\n", records_max)
        if lines:
            return lines, offset + sum(map(len, lines)) + len(lines)
        # Either the torn end; or, after a power cut, a stretch that no process of ours wrote.
        passed_over = len(rest) if self.ended or len(rest) > RECORD_BYTES_MAX else 0
        return [], offset + passed_over


@contextlib.contextmanager
def open_journal_file(path: Path, active: tuple[Path, int] | None) -> Iterator[JournalFile | None]:
    """The file for reading; None if it is gone, or another process writes or loads it.

    `active`: the caller's own file that is being written, and its size now.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        if active is not None and path == active[0]:
            yield JournalFile(path, descriptor, active[1], ended=False)
        elif _lock(descriptor) and path.exists():
            yield JournalFile(path, descriptor, os.fstat(descriptor).st_size, ended=True)
        else:
            yield None
    finally:
        os.close(descriptor)


def retire_journal_file(path: Path) -> Path:
    """Rename a loaded file so that nobody loads it, for good: no power cut undoes it.

    Only then may its offset leave the database. Without the offset, records that are still found
    would be loaded again.
    """
    retired = path.with_suffix(_LOADED_SUFFIX)
    path.rename(retired)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return retired


def delete_journal_file(retired: Path) -> None:
    """Delete a retired file whose offset is gone from the database."""
    retired.unlink(missing_ok=True)


def journal_name(path: Path) -> str:
    """The file's name in the table `click_journal`, the same before and after it is retired."""
    return path.stem


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _nothing() -> None:
    """Called until a loader listens."""
