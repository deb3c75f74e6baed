"""What a process appends to a file, a line at a time, read as it comes.

Owns the place up to which it was read. Must not know what a line means.
"""

from __future__ import annotations

from pathlib import Path


class Lines:
    """Of one file, which may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[bytes]:
        """Whole lines since the last call."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _rest = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        return whole.splitlines()
