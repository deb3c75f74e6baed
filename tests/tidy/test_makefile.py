"""The Makefile: it lists itself, passes options on, says what failed, and refuses clearly.

Each test runs in a small tree of its own that borrows this interpreter's environment as its .venv.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.source import CLIENT, CLIENT_FOLDER, CODE, ROOT

MAKE = shutil.which("make")
ENVIRONMENT = Path(sys.prefix)

pytestmark = [
    pytest.mark.skipif(MAKE is None, reason="make is not installed"),
    pytest.mark.skipif(not (ENVIRONMENT / "pyvenv.cfg").exists(), reason="not run from a venv"),
]

CLIENT_PROJECT = CLIENT_FOLDER / "pyproject.toml"
ONE_PROCESS = "PYTEST_ARGS=-n0"  # workers would take longer to start than the test takes
MODULE = '"""A module."""\n\n\ndef work() -> list[int]:\n    found = []\n'


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout with one module in each package, one test, and a .venv that is ready."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / CLIENT_FOLDER).mkdir(parents=True)
    shutil.copy(ROOT / CLIENT_PROJECT, tmp_path / CLIENT_PROJECT)
    for number, package in enumerate(CODE):
        write_module(tmp_path, package, number)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_one() -> None:\n    pass\n")
    (tmp_path / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (tmp_path / ".venv" / name).symlink_to(ENVIRONMENT / name)
    projects = [tmp_path / "pyproject.toml", tmp_path / CLIENT_PROJECT]
    made_from = [*projects, *sorted((tmp_path / "requirements").iterdir())]
    text = b"".join(path.read_bytes() for path in made_from)
    checksum = subprocess.run(["cksum"], input=text, capture_output=True, check=True).stdout
    (tmp_path / ".venv" / ".setup").write_text(f"{tmp_path} {checksum.decode()}")
    return tmp_path


def write_module(tree: Path, package: str, first: int) -> None:
    body = "".join(f"    found.append({first + 1}{number})\n" for number in range(10))
    folder = tree / CLIENT_FOLDER / package if package == CLIENT else tree / package
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / "module.py").write_text(f"{MODULE}{body}    return found\n")


def make(tree: Path, *arguments: str, first: str = "") -> subprocess.CompletedProcess[str]:
    """`first`: what the PATH begins with."""
    assert MAKE is not None
    # What an outer `make test` exports (its flags, its level) is not this make's business.
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    environ["PATH"] = first + environ["PATH"]
    return subprocess.run(
        [MAKE, "--no-print-directory", *arguments],
        cwd=tree, env=environ, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_make_alone_lists_the_targets(tree: Path) -> None:
    listed = {line.split()[1] for line in make(tree).stdout.splitlines()}
    assert {"setup", "demo", "test", "lint", "bench", "format", "lock", "clean"} <= listed


@pytest.mark.parametrize("name", ["pyproject.toml", str(CLIENT_PROJECT), "requirements/dev.txt"])
def test_setup_is_done_once(tree: Path, name: str) -> None:
    assert make(tree, "--question", "setup").returncode == 0
    os.utime(tree / name)
    assert make(tree, "--question", "setup").returncode == 0, "nothing in it has changed"
    with (tree / name).open("a") as file:
        file.write("# one dependency more\n")
    assert make(tree, "--question", "setup").returncode == 1


def test_setup_without_a_usable_python_says_so_in_one_line(tree: Path) -> None:
    shutil.rmtree(tree / ".venv")
    for target in ("setup", "demo", "test"):
        outcome = make(tree, target, f"PYTHON={tree}/python3.10")
        said = [line for line in outcome.stderr.splitlines() if not line.startswith("make")]
        assert outcome.returncode != 0
        assert len(said) == 1
        assert said[0].startswith(f"{tree}/python3.10 is no usable Python: 3.11 or newer is needed")


def test_setup_prefers_an_optimised_python_wherever_on_the_path(tree: Path) -> None:
    shutil.rmtree(tree / ".venv")
    for name, optimised in (("plain", "false"), ("quick", "true")):
        folder = tree / name
        folder.mkdir()
        python = folder / "python3.11"
        python.write_text(f"""\
#!/bin/sh
case "$1 $2" in
    *enable-optimizations*) {optimised} ;;
    --version*) echo "Python 3.11, {name}" ;;
    *venv*--*) exit 7 ;;
esac
""")
        python.chmod(0o755)
    chosen = {
        names: make(tree, "setup", first="".join(f"{tree}/{name}:" for name in names)).stdout
        for names in (("plain", "quick"), ("quick", "plain"))
    }
    for said in chosen.values():
        assert said.startswith(f"Making .venv with Python 3.11, quick ({tree}/quick/python3.11)")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ((), "smsgate demo"),
        (("ONCE=1",), "smsgate demo --once"),
        (("ONCE=0", "MESSAGES=70"), "smsgate demo --messages 70"),
        (("ONCE=1", "MESSAGES=70"), "smsgate demo --once --messages 70"),
        (("CAMPAIGN=1", "PEOPLE=70", "ONCE=1"), "smsgate demo --campaign --people 70 --once"),
    ],
)
def test_demo_passes_its_options_on(tree: Path, arguments: tuple[str, ...], command: str) -> None:
    printed = make(tree, "--dry-run", "demo", *arguments).stdout.split()
    assert printed == f".venv/bin/{command}".split()


def test_code_that_is_there_twice_fails_the_run(tree: Path) -> None:
    once = make(tree, "test", "CHECKS=lint-duplicates", ONE_PROCESS)
    assert once.returncode == 0, once.stdout + once.stderr
    assert once.stdout.splitlines()[-1].startswith("1 passed")

    write_module(tree, "smpp", CODE.index("storage"))
    twice = make(tree, "test", "CHECKS=lint-duplicates", ONE_PROCESS)
    assert twice.returncode != 0
    assert "duplicate-code" in twice.stdout
    assert "1 passed" in twice.stdout, "the tests run all the same"
    assert "FAILED: lint-duplicates" in twice.stderr


def test_a_failing_test_fails_the_run(tree: Path) -> None:
    (tree / "tests" / "test_two.py").write_text("def test_two() -> None:\n    assert False\n")
    outcome = make(tree, "test", "CHECKS=", ONE_PROCESS)
    assert outcome.returncode != 0
    assert outcome.stdout.splitlines()[-1].startswith("1 failed, 1 passed")
