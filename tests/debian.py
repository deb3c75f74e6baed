"""Programs that Debian packages bring. Where one is missing its tests skip; the whole check
installs them and insists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest


def whole_check_only() -> None:
    """Skips what takes minutes, and a machine to itself, but in the whole check's own turn."""
    if "WHOLE_CHECK" not in os.environ:
        pytest.skip("takes minutes: .ci/run runs it by itself")


def needs(program: str, package: str) -> str:
    """The program's path."""
    found = shutil.which(program)
    return found or lacking(f"{program} is not installed: apt-get install {package}")


def lacking(what: str) -> NoReturn:
    """Skips for want of this, and fails in the whole check."""
    if "DEBIAN_TOOLS" in os.environ:
        pytest.fail(what)
    pytest.skip(what)


def promtool(*arguments: str | Path) -> str:
    """Its output."""
    command = [needs("promtool", "prometheus"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
