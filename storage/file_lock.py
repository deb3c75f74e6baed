"""Advisory file locks (flock): the kernel knows who holds what, even after a kill -9.

Owns nothing but the descriptors it hands out. Must not wait: that would hold the event loop, so
callers poll.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FileLock:
    """One locked file. The lock lasts until `release`, or until all who inherited `descriptor` are
    gone.
    """

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def try_exclusive(cls, path: Path) -> FileLock | None:
        """The lock, or None when anyone else holds the file."""
        return cls._try(path, fcntl.LOCK_EX)

    @classmethod
    def try_shared(cls, path: Path) -> FileLock | None:
        """The lock, or None when someone holds the file exclusively."""
        return cls._try(path, fcntl.LOCK_SH)

    @classmethod
    def _try(cls, path: Path, kind: int) -> FileLock | None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        os.close(self.descriptor)
