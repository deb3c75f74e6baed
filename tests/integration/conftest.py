"""A folder that the embedded PostgreSQL's account can pass, also when the tests run as root.

Also the fork server that gateways and simulators come from.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(private_folder: Path) -> Iterator[Path]:
    """Short, since a Unix socket's path may have to lie in it; gone after the test."""
    path = Path(tempfile.mkdtemp(prefix="run-", dir=private_folder))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _forks(forks: None) -> None:
    """Each test here may start what it starts by a fork."""
