"""Imports: no circle, and every module can be imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tidy.circles import circle
from tests.tidy.source import PACKAGES, ROOT

# Where no circle is, which lint-imports holds, a module that is imported behind others is one that
# can be imported alone. A process for each module would cost a minute and a half of processor.
TOGETHER = """
import importlib, sys
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except BaseException as error:
        print(f"{module}: {error!r}")
"""


@pytest.mark.parametrize("backwards", [False, True])
def test_each_module_can_be_imported(backwards: bool) -> None:
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if path.name not in ("__init__.py", "__main__.py")
    ]
    assert len(modules) > len(PACKAGES)
    run = subprocess.run(
        [sys.executable, "-c", TOGETHER, *sorted(modules, reverse=backwards)],
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
