"""A file system of its own for one folder, which can be filled to its last octet.

Owns the mount, a tmpfs, and what fills it. Must not know whose folder it is. Where mounting is not
allowed there is none, and the library between a program and libc stands in (interposed.py).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

MOUNT_SECONDS_MAX = 10.0
BALLAST = "ballast"
PIECE = bytes(1 << 20)


class SmallDisk:
    """A mounted folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / BALLAST

    @classmethod
    def mounted(cls, folder: Path, mib: int) -> SmallDisk | None:
        """Mount one of this size over the folder, which is empty. None: that is not allowed."""
        options = f"size={mib}m,mode={folder.stat().st_mode & 0o777:o}"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        return cls(folder) if _done(command) else None

    def fill(self) -> None:
        """Not one octet is left."""
        file = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            for piece in (PIECE, PIECE[: 1 << 12], PIECE[:1]):
                _write_until_full(file, piece)
        finally:
            os.close(file)

    def free(self) -> None:
        """As it was."""
        self._ballast.unlink(missing_ok=True)

    def unmount(self) -> None:
        """Gone, with everything in it, as soon as nobody uses it."""
        _done(["umount", "--lazy", str(self.folder)])


def _write_until_full(file: int, piece: bytes) -> None:
    try:
        while os.write(file, piece):
            pass
    except OSError:
        return


def _done(command: list[str]) -> bool:
    try:
        ran = subprocess.run(command, capture_output=True, check=False, timeout=MOUNT_SECONDS_MAX)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0
