"""What stands between a program and libc does what it says, and only while it is asked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.faults.interposed import Control, Wanted, compiled
from tests.debian import lacking

HOUR = 3_600
PROGRAM = """
import datetime, os, sys, time
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
for line in sys.stdin:
    began = time.monotonic()
    os.fsync(file)
    took = time.monotonic() - began
    over = os.pwrite(file, b"x", 0)
    try:
        grown = os.pwrite(file, b"x", 100_000)
    except OSError as error:
        grown = error.strerror
    now = datetime.datetime.now(datetime.timezone.utc).timestamp()
    print(round(time.time()), round(now), took >= 0.2, over, grown, sep="|", flush=True)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = compiled(tmp_path_factory.mktemp("library"))
    return found or lacking("nothing compiles interposed.c: apt-get install gcc libc6-dev")


def test_clock_disk_and_fsync_of_a_running_process_change_and_change_back(
    library: Path, tmp_path: Path
) -> None:
    control = Control(library, tmp_path / "control")
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def look() -> tuple[int, int, bool, int, str]:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        time, now, slow, over, grown = process.stdout.readline().strip().split("|")
        return int(time), int(now), slow == "True", int(over), grown

    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(file)],
        env=os.environ | control.environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        control.want(Wanted(clock_seconds=-HOUR, fsync_seconds=0.2, disk_full=True))
        early, early_too, slow, over, grown = look()
        assert abs(early - early_too) <= 1
        assert (slow, over, grown) == (True, 1, "No space left on device")
        control.want(Wanted())
        time, now, _, over, grown = look()
        assert abs(time - now) <= 1
        assert HOUR <= time - early < HOUR + 600
        assert (over, grown) == (1, "1")
