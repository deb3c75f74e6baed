"""What the doctor says of a machine on which something is amiss."""

from __future__ import annotations

import os
import resource
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.commands import machine
from gateway.commands.findings import lines_of
from gateway.config import Config
from gateway.config.values import Address

Usage = namedtuple("Usage", "total used free")


def listening_at(address: str) -> Config:
    config = Config()
    http = replace(config.http, listen=Address(address))
    return replace(config, http=http, links=replace(config.links, listen=Address("127.0.0.1:0")))


def test_a_port_that_another_program_has_is_named_with_who_to_ask() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        api, links = machine.ports(listening_at(f"127.0.0.1:{port}"))
    assert not api.ok
    assert f"sport = :{port}" in api.remedy
    assert links.ok
    assert next(iter(lines_of(api))).startswith("BAD port of http.listen: ")


def test_the_ports_of_a_gateway_that_answers_are_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        config = listening_at(f"127.0.0.1:{own.getsockname()[1]}")
        config = replace(config, database=replace(config.database, data_dir=str(tmp_path / "no")))
        found = list(machine.machine(config, listening=True))
    assert [each.what for each in found] == ["disk", "disk sync", "open files"]
    assert str(tmp_path) in found[0].detail  # the nearest folder that is there
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("total", "free", "ok"),
    [(100 << 30, 50 << 30, True), (100 << 30, 4 << 30, False), (8 << 30, 1 << 29, False)],
)
def test_a_disk_that_is_nearly_full_is_bad(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, total: int, free: int, ok: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(total, total - free, free))
    assert machine.disk(tmp_path).ok is ok


def test_a_disk_that_syncs_slowly_gets_a_tip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    assert machine.sync(tmp_path).remedy == ""
    assert len(synced) == machine.SYNCS
    monkeypatch.setattr(machine, "_synced", lambda _: 2 * machine.SYNC_SECONDS_MAX)
    slow = machine.sync(tmp_path)
    assert (slow.ok, slow.detail) == (True, "40.0 ms, at worst 40.0 ms of 20")
    assert next(iter(lines_of(slow))).startswith("tip disk sync")
    assert machine.sync(tmp_path / "gone").remedy.startswith("run this as")
    assert list(tmp_path.iterdir()) == []


def test_too_few_files_are_told_with_how_many_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config()
    for limit, tip in ((100_000, False), (1_024, True), (resource.RLIM_INFINITY, False)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limit=limit: (limit, limit))
        found = machine.files(config)
        assert bool(found.remedy) is tip
        assert found.ok
