"""Owns what pyproject.toml and the locks in requirements/ owe each other.

Reads no file and asks no registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    # pyproject.toml, and the client's [project] as `client`.
    Project = Mapping[str, Any]

# Each lock by its name, and the dependency groups in it. `run` is [project] dependencies, `client`
# those of the Python client.
LOCKS: dict[str, tuple[str, ...]] = {
    "run": ("run",),
    "dev": ("run", "client", "dev"),
    "build": ("build",),
    "pip": ("pip",),
    "oracle": ("oracle",),
    "lock": ("lock",),
    "audit": ("audit",),
}
# What is in these as well is the same there: the image runs and is built with what was tested.
AS_IN_DEV = ("run", "build")

PIN = re.compile(r"([a-z0-9][a-z0-9.-]*==[^\s;\\]+(?: ; [^\\]+)?) \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")
VIA = re.compile(r"    # +(?:via )?(?P<who>(?!via$).+)")
OURSELVES = re.compile(r"smsgate(?:-client)? \((?:clients/python/)?pyproject\.toml(?::[a-z]+)?\)")


@dataclass
class Pin:
    """One locked package: what is installed, how many files of it are known, who asked for it."""

    requirement: Requirement
    hashes: int = 0
    via: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return canonicalize_name(self.requirement.name)

    @property
    def version(self) -> str:
        (specifier,) = self.requirement.specifier
        return specifier.version


def pins(lock: str) -> Iterator[Pin | str]:
    """The packages of a lock, and each line that has no place in one."""
    pin: Pin | None = None
    for line in lock.splitlines():
        if found := PIN.fullmatch(line):
            if pin:
                yield pin
            pin = Pin(Requirement(found.group(1)))
        elif pin and HASH.fullmatch(line):
            pin.hashes += 1
        elif pin and (found := VIA.fullmatch(line)):
            pin.via.append(found["who"])
        elif not line.startswith("#") and line != "    # via":
            yield f"not a locked package: {line}"
    if pin:
        yield pin


def required(project: Project, group: str) -> Iterator[Requirement]:
    """What pyproject.toml names for a group, included groups with it."""
    if group in ("run", "client"):
        found = project["project"] if group == "run" else project["client"]
        yield from map(Requirement, found["dependencies"])
        return
    for each in project["dependency-groups"][group]:
        if isinstance(each, str):
            yield Requirement(each)
        else:
            yield from required(project, each["include-group"])


def faults(project: Project, locks: Mapping[str, str]) -> Iterator[str]:
    """Everything in which they disagree, as `lock: fault`."""
    yield from (f"{name}: no such lock" for name in sorted(LOCKS.keys() - locks.keys()))
    yield from (f"{name}: locks no group" for name in sorted(locks.keys() - LOCKS.keys()))
    versions: dict[str, dict[str, str]] = {}
    for lock in sorted(LOCKS.keys() & locks.keys()):
        read = list(pins(locks[lock]))
        yield from (f"{lock}: {each}" for each in read if isinstance(each, str))
        packages = {each.name: each for each in read if isinstance(each, Pin)}
        versions[lock] = {name: pin.version for name, pin in packages.items()}
        roots = [each for group in LOCKS[lock] for each in required(project, group)]
        yield from (f"{lock}: {fault}" for fault in disagreements(roots, packages))
    for lock in AS_IN_DEV:
        for name, version in versions.get(lock, {}).items():
            if versions.get("dev", {}).get(name) != version:
                yield f"{lock}: {name} {version} is not what dev has"


def disagreements(roots: list[Requirement], packages: Mapping[str, Pin]) -> Iterator[str]:
    names = {canonicalize_name(each.name) for each in roots}
    for each in roots:
        pin = packages.get(canonicalize_name(each.name))
        if pin is None:
            yield f"{each} has no version"
        elif not each.specifier.contains(pin.version, prereleases=True):
            yield f"{each} is not met by {pin.version}"
    for name, pin in packages.items():
        if not pin.hashes:
            yield f"{name} has no hash"
        if name not in names and not any(each in packages for each in pin.via):
            yield f"{name} is needed by nothing"
        if name not in names and any(OURSELVES.fullmatch(each) for each in pin.via):
            yield f"{name} is no longer named in pyproject.toml"
