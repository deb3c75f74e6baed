"""Owns how the tests read the container files: the Dockerfile's instructions, the settings."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from gateway.config import load_config
from tests.tidy.source import ROOT

if TYPE_CHECKING:
    from gateway.config import Config

DOCKER = ROOT / "docker"
SETTINGS = DOCKER / "smsgate.toml"
SIMULATOR_PROFILE = DOCKER / "simulator.toml"
# python:3.11-slim and prom/prometheus:v3.5.0 are pinned; python and python:latest are not.
PINNED_IMAGE = re.compile(r"[a-z0-9./_-]+:v?[0-9][a-z0-9.-]*")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's (instruction, arguments), continued lines joined and comments left out."""
    text = re.sub(r"^#.*\n", "", (DOCKER / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    joined = re.sub(r"\\\n\s*", "", text)
    lines = [line.split(maxsplit=1) for line in joined.split("\n") if line.strip()]
    return [(name, arguments) for name, arguments in lines]


def bases() -> list[str]:
    """What each FROM names, with the default of the argument in its place."""
    arguments = dict(each.split("=", 1) for each in of("ARG"))
    return [arguments.get(base.split()[0].strip("${}"), base) for base in of("FROM")]


def of(instruction: str) -> list[str]:
    return [arguments for name, arguments in instructions() if name == instruction]


def health_command() -> list[str]:
    """The command of HEALTHCHECK, as the engine would run it."""
    _, _, command = of("HEALTHCHECK")[-1].partition(" CMD ")
    return [str(word) for word in json.loads(command)]


def health_port() -> int:
    """The port that HEALTHCHECK asks."""
    found = re.search(r"//127\.0\.0\.1:(\d+)/readyz", health_command()[-1])
    assert found, "HEALTHCHECK does not ask /readyz"
    return int(found.group(1))


def simulator_health_code() -> str:
    """The Python of the simulator's health check in compose.yaml, read without a YAML parser."""
    found = re.search(r'"(import socket;[^"]*)"', (DOCKER / "compose.yaml").read_text("utf-8"))
    assert found, "the simulator has no health check of its own"
    return found.group(1)


def settings() -> Config:
    return load_config(SETTINGS, {})
