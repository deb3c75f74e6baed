"""The click journal: what is written is found again, what is torn is skipped, nothing grows."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlinks.classify import RequestFacts
from shortlinks.journal import (
    RECORD_BYTES_MAX,
    Click,
    ClickJournal,
    journal_name,
    open_journal_file,
    retire_journal_file,
)
from tests.shortlinks.journal_files import click, recorded


def read_all(path: Path, records_max: int = 3, bytes_max: int = 1 << 16) -> list[bytes]:
    records: list[bytes] = []
    with open_journal_file(path, None) as file:
        assert file is not None
        offset = 0
        while offset < file.size:
            lines, behind = file.read(offset, records_max, bytes_max)
            assert behind > offset
            records += lines
            offset = behind
        assert offset == file.size
    return records


def test_records_come_back_in_order_from_private_files(tmp_path: Path) -> None:
    journal = ClickJournal(tmp_path / "clicks", node=3, file_bytes_max=500)
    clicks = [click(number) for number in range(20)]
    assert all(journal.append(item) for item in clicks)
    assert recorded(journal.folder) == clicks
    assert len(journal.files()) > 2
    assert all(path.stat().st_size <= 500 for path in journal.files())
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in journal.files()} == {0o600}
    assert {path.name[:4] for path in journal.files()} == {"003-"}
    journal.close()
    assert not journal.append(clicks[0])


def test_two_processes_of_one_node_number_never_share_a_file(tmp_path: Path) -> None:
    first, second = ClickJournal(tmp_path, node=3), ClickJournal(tmp_path, node=3)
    assert first.append(click(1)) and second.append(click(2))
    assert len(first.files()) == 2
    first.close()
    second.close()


def test_only_the_writer_reads_a_file_while_it_is_written(tmp_path: Path) -> None:
    journal = ClickJournal(tmp_path, node=3)
    journal.append(click(1))
    (path,) = journal.files()
    with open_journal_file(path, None) as file:
        assert file is None
    with open_journal_file(path, journal.active) as file:
        assert file is not None and not file.ended
    journal.close()
    with open_journal_file(path, journal.active) as file:
        assert file is not None and file.ended
        with open_journal_file(path, None) as second_loader:
            assert second_loader is None
    name = journal_name(path)
    retired = retire_journal_file(path)
    with open_journal_file(path, None) as file:
        assert file is None
    assert (journal.files(), journal.loaded_files()) == ([], [retired])
    assert journal_name(retired) == name


@given(count=st.integers(0, 8), cut=st.integers(0, 400), garbage=st.binary(max_size=20))
def test_a_torn_end_is_skipped_and_whole_records_are_not(
    tmp_path_factory: pytest.TempPathFactory, count: int, cut: int, garbage: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    journal = ClickJournal(folder, node=1)
    for number in range(count + 1):
        journal.append(click(number))
    journal.close()
    (path,) = journal.files()
    whole = path.read_bytes()
    kept = whole[: max(0, len(whole) - cut)] + garbage.replace(b"\n", b"")
    path.write_bytes(kept)
    assert read_all(path) == kept.split(b"\n")[:-1]


def test_a_record_is_left_alone_until_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "x.clicks"
    path.write_bytes(b"[1]\n[2")
    with open_journal_file(path, (path, 6)) as file:
        assert file is not None
        assert file.read(0, 10, 100) == ([b"[1]"], 4)
        assert file.read(4, 10, 100) == ([], 4)


def test_a_stretch_without_records_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "x.clicks"
    path.write_bytes(b"[1]\n" + b"\0" * (3 * RECORD_BYTES_MAX) + b"\n[2]\n")
    records = read_all(path, bytes_max=RECORD_BYTES_MAX + 1)
    assert records[0] == b"[1]" and records[-1] == b"[2]"


def test_room_that_another_process_made_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = ClickJournal(tmp_path, node=1)
    assert all(other.append(click(number)) for number in range(10))
    other.close()
    bound = sum(path.stat().st_size for path in other.files()) + 10
    journal = ClickJournal(tmp_path, node=2, folder_bytes_max=bound)
    retire_journal_file(other.files()[0])  # by the other one, which loaded it
    assert journal.append(click(10))
    assert all(journal.append(click(number)) for number in range(11, 19))
    assert not any([journal.append(click(number)) for number in range(100, 120)][3:])
    assert caplog.text.count("clicks are redirected and not kept") == 1


def test_the_folder_is_bounded_over_lives_and_opens_again_when_files_go(tmp_path: Path) -> None:
    size = ClickJournal(tmp_path / "probe", node=1)
    size.append(click(100))
    one = size.files()[0].stat().st_size
    size.close()
    first = ClickJournal(tmp_path / "clicks", node=1, folder_bytes_max=10 * one)
    assert [first.append(click(100)) for _ in range(6)] == [True] * 6
    first.close()
    second = ClickJournal(tmp_path / "clicks", node=1, folder_bytes_max=10 * one)
    assert [second.append(click(100)) for _ in range(6)] == [True] * 4 + [False] * 2
    assert (second.appended, second.lost) == (4, 2)
    oldest = second.files()[0]
    second.forget(oldest.stat().st_size)
    retire_journal_file(oldest)
    assert second.append(click(100))
    second.close()


def test_a_disk_that_fills_up_within_a_record_costs_that_record_only(tmp_path: Path) -> None:
    journal = ClickJournal(tmp_path, node=1)
    assert journal.append(click(1))
    size = journal.files()[0].stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        assert not journal.append(click(2))  # 10 octets fit: a short write
        assert journal.files()[0].stat().st_size == size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        assert not journal.append(click(3))  # none fits: EFBIG
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.append(click(4))
    assert [item.id for item in recorded(tmp_path)] == [1, 4]
    assert (journal.lost, journal.last_error is not None) == (2, True)
    first = journal.take_gap()
    journal._folder_bytes_max = 0
    assert not journal.append(click(5))
    reasons = [gap.why for gap in (first, journal.gap) if gap is not None]
    assert reasons == ["File too large", "the folder is full"], "each its own"
    journal.close()


def test_a_record_as_large_as_its_fields_may_be_fits(tmp_path: Path) -> None:
    journal = ClickJournal(tmp_path, node=1)
    wide = RequestFacts(*["\U0001f4a9" * 128] * 5)
    largest = Click(
        2**63 - 1, 2**43, 7, 2**63 - 1, "HEAD", "2001:db8:1::/48", "\U0001f4a9" * 512, wide
    )
    assert journal.append(largest)
    assert recorded(tmp_path) == [largest]
    too_large = Click(1, 1, 0, 1, "GET", "", "x" * RECORD_BYTES_MAX, RequestFacts())
    assert not journal.append(too_large)
    journal.close()


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = ClickJournal(tmp_path, node=1, file_bytes_max=200)
    for number in range(10):
        journal.append(click(number))
    journal.close()
    for path in journal.files():
        read_all(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_several_clicks_are_one_write_and_each_is_told_whether_it_is_kept(tmp_path: Path) -> None:
    journal = ClickJournal(tmp_path / "all", node=1)
    writes = 0

    def count() -> None:
        nonlocal writes
        writes += 1

    journal.on_append = count
    assert journal.append_all([click(1), click(2), click(3)]) == [True] * 3
    assert (writes, journal.appended) == (1, 3)
    assert [each.id for each in recorded(journal.folder)] == [1, 2, 3]
    size = journal.bytes_held // 3
    small = ClickJournal(tmp_path / "small", node=1, folder_bytes_max=2 * size)
    assert small.append_all([click(1), click(2), click(3)]) == [True, True, False]
    assert (small.appended, small.lost) == (2, 1)
    assert small.gap is not None and small.gap.lost == 1
    assert [each.id for each in recorded(small.folder)] == [1, 2]
