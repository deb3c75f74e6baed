"""Imports: no circle, and every module can be the first that is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tidy.circles import circle
from tests.tidy.source import PACKAGES, ROOT

# What comes from elsewhere is imported once; each module of ours then in a process of its own.
ALONE = """
import importlib, os, sys
import aiohttp.web, asyncpg, cryptography.hazmat.primitives.ciphers.aead, msgspec, phonenumbers
import prometheus_client, rich.console, structlog, uvloop
for module in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
        except BaseException as error:
            print(f"{module}: {error!r}", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_can_be_imported_alone(package: str) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py")
    ]
    assert modules
    run = subprocess.run(
        [sys.executable, "-c", ALONE, *modules],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == ""


def test_a_circle_is_found_and_named() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) is None
    found = circle({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    assert found is not None
    assert (found[0], set(found)) == (found[-1], {"b", "c"})
