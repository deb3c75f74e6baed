"""The library between a program and libc: full disk, slow fsync, clock steps, for one process each.

Owns compiling it (interposed.c) and the file by which a process is told. Must not start the
process.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import msgspec

SOURCE = Path(__file__).with_name("interposed.c")
COMPILE_SECONDS_MAX = 60.0
_NUMBERS = struct.Struct("=qqq")


class Wanted(msgspec.Struct, frozen=True):
    """What a process meets: so far is its clock set off, so long does an fsync take longer."""

    clock_seconds: float = 0.0
    fsync_seconds: float = 0.0
    disk_full: bool = False


class Control:
    """One process's file. `environment` is what it has to be started with."""

    def __init__(self, library: Path, file: Path) -> None:
        self._file = file
        file.write_bytes(bytes(_NUMBERS.size))
        file.chmod(0o644)  # PostgreSQL runs as another account
        self.environment = {"LD_PRELOAD": str(library), "INTERPOSED_FAULTS": str(file)}

    def want(self, wanted: Wanted) -> None:
        """From now on, also of a process that is started later."""
        numbers = _NUMBERS.pack(
            round(wanted.clock_seconds * 1e9), round(wanted.fsync_seconds * 1e6), wanted.disk_full
        )
        with self._file.open("r+b") as file:  # in place: the process has it mapped
            file.write(numbers)


def compiled(folder: Path) -> Path | None:
    """The library, made there. None: there is no compiler, or not this kind of system."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library = folder / "interposed.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=COMPILE_SECONDS_MAX
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    library.chmod(0o755)
    return library
