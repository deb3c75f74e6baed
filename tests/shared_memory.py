"""Where the tests' PostgreSQL servers keep their files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

FREE_BYTES_MIN = 2 << 30


def parent_folder() -> Path:
    """Shared memory where there is room: a database takes 20 ms there, 500 ms on a slow disk."""
    memory = Path("/dev/shm")
    if os.access(memory, os.W_OK | os.X_OK) and shutil.disk_usage(memory).free > FREE_BYTES_MIN:
        return memory
    return Path(tempfile.gettempdir())
