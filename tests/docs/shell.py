"""A shell in which the commands of pages are typed, one after the other, as on a fresh machine.

Owns the folder, the environment, the ports and the clocks of the world in it; ends everything that
was started. Must not judge what is printed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import IO, Literal

from gateway.rehearsal.processes import free_port
from tests.fork_server import serving

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = "smsgate.example.toml"
PORTS = ("8080", "8081", "2775", "9090")  # which every document names
TimeOfDay = Literal["noon", "midnight"]
HOURS: dict[TimeOfDay, int] = {"noon": 12, "midnight": 0}
STOP_SECONDS_MAX = 30


class Shell:
    """`type` returns the exit code and what was printed, with the ports that documents name."""

    def __init__(self, process: subprocess.Popen[str], ports: dict[str, str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._input: IO[str] = process.stdin
        self._output: IO[str] = process.stdout
        self._ports = ports

    def type(self, command: str) -> tuple[int, list[str]]:
        mark = secrets.token_hex(8)
        self._input.write(f"{with_ports(command, self._ports)}\necho; echo {mark} $?\n")
        self._input.flush()
        printed: list[str] = []
        for line in self._output:
            if line.startswith(mark):
                back = {own: named for named, own in self._ports.items()}
                return int(line.split()[1]), [with_ports(each, back) for each in printed]
            printed.append(line.rstrip("\n"))
        raise AssertionError(f"the shell has ended: {printed}")


def with_ports(text: str, ports: dict[str, str]) -> str:
    """With other ports, wherever one is named as a port."""
    for named, own in ports.items():
        for before in (":", "--port ", "port = "):
            text = text.replace(before + named, before + own)
    return text


@contextlib.contextmanager
def shell(folder: Path, time_of_day: TimeOfDay, *, forks: bool = False) -> Iterator[Shell]:
    """In this folder, made as a checkout is; it is this time of day everywhere in the world.

    With `forks`, each `smsgate` is forked from a process that has imported it in this world.
    """
    ports = {named: str(free_port()) for named in PORTS}
    folder.mkdir()
    if not forks:
        (folder / ".venv").symlink_to(ROOT / ".venv")
    example = with_ports((ROOT / EXAMPLE).read_text(encoding="utf-8"), ports)
    (folder / EXAMPLE).write_text(example, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    shutil.copytree(ROOT / "docker", folder / "docker")
    watched = folder / "docker" / "prometheus" / "local.yml"
    watched.write_text(with_ports(watched.read_text(encoding="utf-8"), ports), encoding="utf-8")
    zones = folder.with_name(f"{folder.name}-zones")
    make_zones(zones, HOURS[time_of_day])
    kept = {name: text for name, text in os.environ.items() if not name.startswith("SMSGATE")}
    environment = kept | {
        "PYTHONTZPATH": str(zones), "LC_ALL": "C.UTF-8", "NO_PROXY": "*", "no_proxy": "*",
        "HOME": str(folder), "PYTHONUNBUFFERED": "1",
    }  # fmt: skip
    with contextlib.ExitStack() as servers:
        if forks:
            socket = folder.with_name(f"{folder.name}-forks")
            servers.enter_context(serving(socket, environment))
            borrow_environment(folder / ".venv", socket)
        yield servers.enter_context(typing_in(folder, environment, ports))


@contextlib.contextmanager
def typing_in(
    folder: Path, environment: Mapping[str, str], ports: dict[str, str]
) -> Iterator[Shell]:
    """A shell that runs in this folder; ends all that it has started."""
    with subprocess.Popen(
        ["bash", "--norc"],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    ) as process:
        try:
            typing = Shell(process, ports)
            typing.type('echo; trap "kill $(jobs -p)" EXIT')
            yield typing
            code, printed = typing.type("kill $(jobs -p) && wait")
            assert code in (0, 128 + signal.SIGTERM), printed
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def borrow_environment(venv: Path, socket: Path) -> None:
    """The checkout's .venv, with an `smsgate` that is forked."""
    (venv / "bin").mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (venv / name).symlink_to(ROOT / ".venv" / name)
    for program in (ROOT / ".venv" / "bin").iterdir():
        (venv / "bin" / program.name).symlink_to(program)
    smsgate = venv / "bin" / "smsgate"
    smsgate.unlink()
    client = Path(__file__).with_name("forked_command.py")
    smsgate.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {client} {socket} "$@"\n')
    smsgate.chmod(0o755)


def make_zones(folder: Path, hour: int) -> None:
    """Time zones for PYTHONTZPATH, by which it is this hour everywhere.

    What depends on the hour depends on the recipient's zone, so no clock has to be set.
    """
    ahead = (hour - datetime.now(UTC).hour + 12) % 24 - 12
    name = f"GMT{'-' if ahead >= 0 else '+'}{abs(ahead)}"  # the IANA counts these backwards
    tables = resources.files("tzdata").joinpath("zoneinfo")
    made = tables.joinpath("Etc", name).read_bytes()
    country = tables.joinpath("zone.tab").read_text("utf-8").splitlines()
    zones = [line.split("\t")[2] for line in country if line and not line.startswith("#")]
    for zone in ("UTC", *zones):
        path = folder / zone
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made)
