"""The locks hold what pyproject.toml asks for, and this environment holds what the locks say."""

from __future__ import annotations

import ast
import sys
import tomllib
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.tidy import locks
from tests.tidy.source import CLIENT, CLIENT_FOLDER, CODE, PACKAGES, ROOT, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.tidy.source import Source

REQUIREMENTS = ROOT / "requirements"
ONE_HASH = f"    --hash=sha256:{'0a' * 32}\n"
OURS = {*CODE, "tests"}


def read_project() -> Any:
    project, client = (
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
        for folder in (".", CLIENT_FOLDER)
    )
    return project | {"client": client["project"]}


def read_locks() -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in REQUIREMENTS.iterdir()}


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    assert list(locks.faults(read_project(), read_locks())) == []


def test_what_builds_the_wheel_is_locked() -> None:
    project = read_project()
    named = {str(each) for each in locks.required(project, "build")}
    assert set(project["build-system"]["requires"]) <= named


def locked(name: str, *, version: str = "1.2", via: str, hashes: str = ONE_HASH) -> str:
    return f"{name}=={version} \\\n{hashes}    # via {via}\n"


GOOD = {
    "run": locked("aiohttp", via="smsgate (pyproject.toml)") + locked("yarl", via="aiohttp"),
    "dev": locked("aiohttp", via="smsgate (pyproject.toml)")
    + locked("hatchling", via="smsgate (pyproject.toml:dev)")
    + locked("httpx2", via="smsgate-client (clients/python/pyproject.toml)")
    + locked("yarl", via="\n    #   aiohttp\n    #   ruff").replace("via \n", "via\n")
    + locked("ruff", via="smsgate (pyproject.toml:dev)"),
    "build": locked("hatchling", via="smsgate (pyproject.toml:build)"),
    "pip": locked("pip", via="smsgate (pyproject.toml:pip)"),
    "oracle": locked("smpp-pdu3", version="0.6", via="smsgate (pyproject.toml:oracle)"),
    "lock": locked("uv", via="smsgate (pyproject.toml:lock)"),
    "audit": locked("pip-audit", via="smsgate (pyproject.toml:audit)"),
}
PROJECT = {
    "project": {"dependencies": ["aiohttp>=1"]},
    "client": {"dependencies": ["httpx2>=1"]},
    "dependency-groups": {
        "build": ["hatchling>=1"],
        "dev": [{"include-group": "build"}, "ruff>=1,<2"],
        "pip": ["pip"],
        "oracle": ["smpp.pdu3==0.6"],
        "lock": ["uv"],
        "audit": ["pip-audit"],
    },
}


def test_good_locks_pass() -> None:
    assert list(locks.faults(PROJECT, GOOD)) == []


@pytest.mark.parametrize(
    ("lock", "before", "after", "faults"),
    [
        (
            "lock",
            "uv==",
            "uvx==",
            ["uv has no version", "uvx is no longer named in pyproject.toml"],
        ),
        ("dev", "ruff==1.2", "ruff==2.0", ["ruff<2,>=1 is not met by 2.0"]),
        ("pip", ONE_HASH, "", ["pip has no hash"]),
        ("pip", "sha256:0a", "md5:0a", ["not a locked package", "pip has no hash"]),
        ("pip", "pip==1.2 \\", "--index-url https://x.example", ["not a locked package"]),
        ("pip", "pip==1.2", "pip>=1.2", ["not a locked package"]),
        ("run", "via aiohttp", "via requests", ["yarl is needed by nothing"]),
        ("run", "yarl==1.2", "yarl==1.3", ["yarl 1.3 is not what dev has"]),
        ("build", "hatchling==1.2", "hatchling==1.3", ["hatchling 1.3 is not what dev has"]),
    ],
)
def test_what_is_wrong_is_said(lock: str, before: str, after: str, faults: list[str]) -> None:
    assert before in GOOD[lock]
    said = "\n".join(locks.faults(PROJECT, GOOD | {lock: GOOD[lock].replace(before, after)}))
    for fault in faults:
        assert f"{lock}: {fault}" in said


def test_a_lock_too_many_or_too_few_is_said() -> None:
    other = {"docs" if name == "pip" else name: text for name, text in GOOD.items()}
    assert list(locks.faults(PROJECT, other)) == ["pip: no such lock", "docs: locks no group"]


@pytest.mark.skipif(
    sys.prefix != str(ROOT / ".venv"), reason="not run from the .venv that make setup built"
)
def test_this_environment_is_the_locked_one() -> None:
    wrong = [
        f"{pin.name} {pin.version}, here {metadata.version(pin.name)}"
        for lock in ("dev", "pip")
        for pin in locks.pins(read_locks()[lock])
        if isinstance(pin, locks.Pin) and applies(pin.requirement)
        if metadata.version(pin.name) != pin.version
    ]
    assert wrong == []


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def test_what_is_imported_is_named() -> None:
    """What comes along with another package may stay away with its next version."""
    project = read_project()
    named = {
        group: {canonicalize_name(each.name) for each in locks.required(project, group)}
        for group in ("run", "client", "dev")
    }
    may_import = {**dict.fromkeys(PACKAGES, named["run"]), CLIENT: named["client"]}
    everything = set().union(*named.values())
    homes = metadata.packages_distributions()
    unnamed = [
        f"{source.path}: {module}"
        for source in sources()
        if source.is_python and source.package in OURS and source.path.name != "pdu3_oracle.py"
        for module in imported(source)
        if not {canonicalize_name(home) for home in homes.get(module, ())}
        & may_import.get(source.package, everything)
    ]
    assert unnamed == []


def imported(source: Source) -> Iterator[str]:
    """The first words of a file's imports, but for ours and the standard library's."""
    found = set()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    yield from sorted({name.partition(".")[0] for name in found} - OURS - sys.stdlib_module_names)
