"""Clicks reach the table exactly once: after kill -9, a lost connection, with two loaders."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shortlinks.classify import RULES, ClickClass, RequestFacts
from shortlinks.clicks import COLUMNS, ClickLoader, Row
from shortlinks.journal import Click, ClickJournal, retire_journal_file
from shortlinks.report import ClassCount, click_counts, clicks_of_message, gaps_since
from storage.ids import IdSource, id_at, time_of
from storage.pool import Connection, Database, Dedicated
from tests.integration.database_proxy import database_proxy
from tests.shortlinks.journal_files import click

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.01
ROOT = Path(__file__).parents[2]
BROWSER = "Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
PERSON = RequestFacts("text/html", "zh-CN")


async def ids_stored(connection: Connection) -> list[int]:
    return [row[0] for row in await connection.fetch("SELECT id FROM click ORDER BY id")]


async def until_stored(connection: Connection, wanted: list[int]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await ids_stored(connection) != wanted:
            await asyncio.sleep(POLL_SECONDS)


def fill(journal: ClickJournal, ids: IdSource, count: int) -> list[int]:
    numbers = ids.take(count)
    assert all(journal.append(click(number)) for number in numbers)
    return numbers


async def test_clicks_are_loaded_once_with_class_and_reasons(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    loader = ClickLoader(journal, loads)
    first, second = ids.take(2)
    prefix = "192.0.2.0/24"
    journal.append(Click(first, 5, 1, 77, "GET", prefix, BROWSER, PERSON))
    journal.append(Click(second, 5, 1, 77, "HEAD", prefix, "GoogleMessages", PERSON))
    assert [await loader.load(), await loader.load()] == [2, 0]
    rows = await connection.fetch(f"SELECT {', '.join(COLUMNS[:9])} FROM click ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (first, 5, 1, 77, ClickClass.HUMAN, [], "GET", BROWSER, prefix),
        (second, 5, 1, 77, ClickClass.PREVIEW, ["ua_preview", "method_head"], "HEAD",
         "GoogleMessages", prefix),
    ]  # fmt: skip
    kept = await connection.fetch("SELECT facts, rules, link_id FROM click")
    assert [tuple(row) for row in kept] == [(["text/html", "zh-CN", "", "", ""], RULES, None)] * 2
    timeline = await clicks_of_message(connection, 77, clicks_max=10)
    assert [(item.id, item.click_class, item.slot) for item in timeline] == [
        (first, ClickClass.HUMAN, 1),
        (second, ClickClass.PREVIEW, 1),
    ]
    assert abs(timeline[0].at - datetime.now(UTC)) < timedelta(minutes=1)
    assert timeline[1].reasons == ("ua_preview", "method_head")


async def test_what_is_loaded_is_told_in_its_transaction(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    heard: list[list[int]] = []

    async def told(session: Connection, rows: Sequence[Row]) -> None:
        seen = [row[0] for row in await session.fetch("SELECT id FROM click ORDER BY id")]
        assert seen == [row[0] for row in rows]
        assert await ids_stored(connection) == []  # not committed yet
        heard.append(seen)

    numbers = fill(journal, ids, 3)
    assert await ClickLoader(journal, loads, told=told).load() == 3
    assert heard == [numbers]


async def test_counts_by_class_tell_clicks_and_messages(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    for message_id, agent in ((5, BROWSER), (5, BROWSER), (6, BROWSER), (6, "curl/8"), (9, "")):
        journal.append(Click(ids.next(), 1, 0, message_id, "GET", "", agent, PERSON))
    await ClickLoader(journal, loads).load()
    counts = await click_counts(connection, since_id=5, until_id=9)
    assert counts == {
        ClickClass.HUMAN: ClassCount(clicks=3, messages=2),
        ClickClass.PREVIEW: ClassCount(0, 0),
        ClickClass.PREFETCH: ClassCount(0, 0),
        ClickClass.SCANNER: ClassCount(1, 1),
        ClickClass.UNKNOWN: ClassCount(0, 0),
        ClickClass.MONITOR: ClassCount(0, 0),
    }


async def test_files_are_deleted_once_they_are_ended_and_loaded(
    tmp_path: Path, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    journal = ClickJournal(tmp_path, node=1, file_bytes_max=1_000)
    loader = ClickLoader(journal, loads, rows_per_load_max=3)
    numbers = fill(journal, ids, 40)
    assert await loader.load() == 40
    assert journal.active is not None
    assert journal.files() == [journal.active[0]]
    numbers += fill(journal, ids, 1)
    journal.close()
    await loader.close()
    assert journal.files() == []
    assert await ids_stored(connection) == numbers
    assert await connection.fetchval("SELECT count(*) FROM click_journal") == 0


async def test_the_loop_wakes_for_a_click_and_finishes_at_close(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    await connection.execute("LISTEN nothing")  # a session of its own beside the loader's
    left_before = fill(journal, ids, 3)
    loader = ClickLoader(journal, loads, gather_seconds=0.0)
    loader.start()
    await until_stored(connection, left_before)
    more = fill(journal, ids, 5)
    await until_stored(connection, left_before + more)
    last = fill(journal, ids, 2)
    journal.close()
    await loader.close()
    assert await ids_stored(connection) == left_before + more + last
    assert (loader.loaded, loader.failures) == (10, 0)


async def test_two_loaders_of_one_folder_load_each_click_once(
    tmp_path: Path, database: Database, ids: IdSource, connection: Connection
) -> None:
    dead = ClickJournal(tmp_path, node=1, file_bytes_max=2_000)
    numbers = fill(dead, ids, 200)
    dead.close()
    journals = [ClickJournal(tmp_path, node=node) for node in (2, 3)]
    loaders = [
        ClickLoader(journal, database.dedicated(f"clicks{n}"), rows_per_load_max=5)
        for n, journal in enumerate(journals)
    ]
    loaded = await asyncio.gather(*(loader.load() for loader in loaders))
    loaded += [await loader.load() for loader in loaders]
    assert sum(loaded) == 200
    assert await ids_stored(connection) == numbers
    assert journals[0].files() == []


async def test_a_session_that_commits_late_makes_the_loader_give_way(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    numbers = fill(journal, ids, 3)
    (path,) = journal.files()
    late = connection.transaction()
    await late.start()
    size = path.stat().st_size
    await connection.execute("INSERT INTO click_journal VALUES ($1, $2)", path.stem, size)
    loader = ClickLoader(journal, loads)
    loading_pid = (await loads.connection()).get_server_pid()
    loading = asyncio.create_task(loader.load())
    blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1"
    while not await connection.fetchval(blocked, loading_pid):
        assert not loading.done()
    await late.commit()
    assert await loading == 0
    assert await loader.load() == 0
    numbers = fill(journal, ids, 1)
    assert await loader.load() == 1
    assert await ids_stored(connection) == numbers


async def test_o10_what_is_lost_is_told_once_with_its_stretch(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    loader = ClickLoader(journal, loads)
    before = datetime.now(UTC) - timedelta(seconds=5)
    lost = ids.take(5)
    with full_disk():
        assert not any(journal.append(click(number)) for number in lost[:3])
        ours = journal.gap
        assert (journal.losing, ours is not None and "large" in ours.why) == (True, True)
        await loader.load()
        assert [gap.clicks_lost for gap in await gaps_since(connection, before)] == [3]
        assert not any(journal.append(click(number)) for number in lost[3:])
    assert journal.append(click(ids.next()))
    assert not journal.losing
    for _ in range(2):
        await loader.load()
        [gap] = await gaps_since(connection, before)
        assert (gap.clicks_lost, gap.since, gap.until) == (5, time_of(lost[0]), time_of(lost[-1]))
    with full_disk():
        assert not journal.append(click(ids.next()))
    await loader.load()
    assert [gap.clicks_lost for gap in await gaps_since(connection, before)] == [5, 1]
    assert await gaps_since(connection, datetime.now(UTC) + timedelta(seconds=5)) == []


async def test_o10_a_gap_that_could_not_be_stored_is_part_of_the_next(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    loader = ClickLoader(journal, loads)
    with full_disk():
        journal.append(click(ids.next()))
    assert journal.append(click(ids.next()))
    gap = journal.take_gap()
    assert gap is not None and journal.gap is None
    with full_disk():
        journal.append(click(ids.next()))
    journal.give_back(gap)
    await loader.load()
    [told] = await gaps_since(connection, datetime.now(UTC) - timedelta(seconds=5))
    assert told.clicks_lost == 2


async def test_f1_more_gaps_than_are_told_are_told_together(connection: Connection) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(5):
        since = begin + timedelta(hours=number)
        await connection.execute(
            "INSERT INTO click_gap (id, since, until, lost) VALUES ($1, $2, $3, 10)",
            number, since, since + timedelta(minutes=1),
        )  # fmt: skip
    whole = await gaps_since(connection, begin, gaps_max=5)
    assert [gap.clicks_lost for gap in whole] == [10] * 5
    *first, last = await gaps_since(connection, begin, gaps_max=3)
    assert first == whole[:2]
    assert (last.since, last.until, last.clicks_lost) == (whole[2].since, whole[4].until, 30)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process grows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_lost_connection_repeats_nothing_and_loses_nothing(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    loader = ClickLoader(journal, loads, gather_seconds=0.0, rows_per_load_max=10)
    numbers = fill(journal, ids, 30)
    loader.start()
    for _ in range(3):
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE '%:clicks' AND datname = current_database()"
        )
        numbers += fill(journal, ids, 30)
    await until_stored(connection, numbers)
    journal.close()
    await loader.close()
    assert await ids_stored(connection) == numbers


async def test_a_session_that_was_told_to_end_does_not_end_the_loader(
    journal: ClickJournal, database_url: str, tmp_path: Path, ids: IdSource, connection: Connection
) -> None:
    """Between that word and the end of the stream asyncpg raises an error of another kind."""
    async with database_proxy(database_url) as proxy:
        database = await Database.open(
            proxy.url, tmp_path, application_name="shortlinks tests", read_connections=1
        )
        loader = ClickLoader(journal, database.dedicated("clicks"), gather_seconds=0.0)
        loader.start()
        numbers = fill(journal, ids, 3)
        await until_stored(connection, numbers)
        proxy.announce_the_end("clicks")
        numbers += fill(journal, ids, 3)
        await until_stored(connection, numbers)
        journal.close()
        await loader.close()
        await database.close()
    assert loader.failures >= 1


async def test_bad_records_do_not_hold_up_the_others(
    journal: ClickJournal, loads: Dedicated, ids: IdSource, connection: Connection
) -> None:
    good = fill(journal, ids, 2)
    journal.append(click(good[0]))  # an id that is taken: it gets the next that is free
    journal.append(click(2**62))  # a day no partition will ever have
    journal.append(click(2**63))  # no bigint
    journal.append(click(5, agent="\0"))  # no text of PostgreSQL
    good += fill(journal, ids, 1)
    journal.close()
    (path,) = journal.files()
    path.write_bytes(b"no record\n" + path.read_bytes() + b'[1,"torn')
    loader = ClickLoader(journal, loads)
    assert await loader.load() == 4
    assert (loader.corrupt, loader.rejected, loader.loaded) == (1, 3, 4)
    stored = await ids_stored(connection)
    assert stored[:3] == [good[0], good[1], good[0] + 2]
    assert len(stored) == 4
    assert journal.files() == []


async def test_clicks_of_a_day_without_partition_get_one(
    journal: ClickJournal, loads: Dedicated, connection: Connection
) -> None:
    while_away = [id_at(datetime.now(UTC) - timedelta(days=days)) + days for days in (4, 9)]
    for number in while_away:
        journal.append(click(number))
    loader = ClickLoader(journal, loads)
    assert await loader.load() == 2
    assert await ids_stored(connection) == sorted(while_away)


async def test_with_the_database_away_close_keeps_the_clicks_for_the_next_start(
    journal: ClickJournal, loads: Dedicated, database: Database, ids: IdSource
) -> None:
    numbers = fill(journal, ids, 4)
    loader = ClickLoader(journal, loads)
    await loads.close()
    loader.start()
    journal.close()
    await loader.close()
    again = ClickJournal(journal.folder, node=7)
    assert await ClickLoader(again, database.dedicated("again")).load() == len(numbers)


def start(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def kill_while_loading(folder: Path, url: str, first_id: int, clicks: int) -> list[int]:
    """The ids that a child had written when it was killed with SIGKILL."""
    child = start(["-m", "tests.shortlinks.journal_child", str(folder), url, str(first_id)])
    assert child.stdin is not None
    child.stdin.close()
    assert child.stdout is not None
    written = [int(child.stdout.readline()) for _ in range(clicks)]
    child.send_signal(signal.SIGKILL)
    written += [int(line) for line in child.stdout.read().split("\n")[:-1]]
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    return written


@pytest.mark.parametrize("clicks", [60, 700])
async def test_after_kill_9_the_rest_is_loaded_exactly_once(
    clicks: int,
    tmp_path: Path,
    database_url: str,
    loads: Dedicated,
    ids: IdSource,
    connection: Connection,
) -> None:
    folder = tmp_path / "clicks"
    folder.mkdir()
    written: list[int] = []
    for _ in range(2):  # the second child first finishes what the first has left
        written += kill_while_loading(folder, database_url, ids.next(), clicks)
    journal = ClickJournal(folder, node=1)
    loader = ClickLoader(journal, loads)
    while journal.files() or journal.loaded_files():
        await loader.load()
    stored = await ids_stored(connection)
    # Nothing printed is missing; a click written but not yet printed at the kill may be there too.
    assert set(written) <= set(stored)
    assert len(stored) - len(written) <= 2
    assert len(set(stored)) == len(stored)
    assert await connection.fetchval("SELECT count(*) FROM click_journal") == 0


async def test_a_file_retired_before_a_kill_is_deleted_with_its_offset(
    journal: ClickJournal, loads: Dedicated, connection: Connection, ids: IdSource
) -> None:
    fill(journal, ids, 2)
    (path,) = journal.files()
    await ClickLoader(journal, loads).load()
    journal.close()
    retire_journal_file(path)  # and here the process was killed
    assert await connection.fetchval("SELECT count(*) FROM click_journal") == 1
    assert await ClickLoader(journal, loads).load() == 0
    assert await connection.fetchval("SELECT count(*) FROM click_journal") == 0
    assert list(journal.folder.iterdir()) == []


async def test_a_living_process_keeps_its_file_and_a_killed_one_leaves_it(
    tmp_path: Path, loads: Dedicated, connection: Connection, ids: IdSource
) -> None:
    other = start(
        [
            "-c",
            "import sys, pathlib\n"
            "from shortlinks.journal import ClickJournal\n"
            "from tests.shortlinks.journal_files import click\n"
            f"journal = ClickJournal(pathlib.Path({str(tmp_path)!r}), node=4)\n"
            f"journal.append(click({ids.next()}))\n"
            "print('written', flush=True)\n"
            "sys.stdin.read()\n",
        ]
    )
    assert other.stdin is not None and other.stdout is not None
    with contextlib.closing(other.stdin), contextlib.closing(other.stdout):
        assert other.stdout.readline() == "written\n"
        loader = ClickLoader(ClickJournal(tmp_path, node=1), loads)
        assert await loader.load() == 0
        other.kill()
        other.wait()
    assert await loader.load() == 1
    assert len(await ids_stored(connection)) == 1
