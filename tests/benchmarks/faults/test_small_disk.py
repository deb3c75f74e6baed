"""A disk that is full takes nothing, and is as it was once it is freed."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults.small_disk import SmallDisk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    found = SmallDisk.mounted(tmp_path, mib=2)
    if found is None:  # no package brings that: a run of faults has its library for it then
        pytest.skip("mounting is not allowed here")
    yield found
    found.unmount()


def test_full_and_free_again(disk: SmallDisk) -> None:
    kept = disk.folder / "kept"
    kept.write_bytes(b"before")
    disk.fill()
    with pytest.raises(OSError) as full:
        (disk.folder / "more").write_bytes(bytes(4_096))
    assert full.value.errno == errno.ENOSPC
    assert kept.read_bytes() == b"before"
    disk.free()
    kept.write_bytes(bytes(100_000))


def test_where_nothing_can_be_mounted_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert SmallDisk.mounted(tmp_path, mib=2) is None
