"""The locks hold what pyproject.toml asks for, and this environment holds what the locks say."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.tidy import locks
from tests.tidy.rules_imports import read_project
from tests.tidy.source import ROOT

REQUIREMENTS = ROOT / "requirements"
ONE_HASH = f"    --hash=sha256:{'0a' * 32}\n"


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
