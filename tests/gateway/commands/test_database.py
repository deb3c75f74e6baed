"""`smsgate database backup` and `restore`: every table comes back, and nothing is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from campaigns.running.stopping import RESTORED
from gateway.cli import main
from storage import backup, partitions
from storage.backup import BackupAge
from storage.key_rotation import open_vault
from storage.keys import FILE_NAME, load_keys, make_next
from storage.manifest import read
from storage.partitions import drop_partitions
from storage.pool import Connection, close_connection, connect
from storage.restoring import NotAccepted, accept, prepare, refuse_unfinished, unaccepted


class Place:
    """A data folder, the configuration of a database, and what was printed."""

    def __init__(self, capture: pytest.CaptureFixture[str], folder: Path, url: str) -> None:
        self.folder = folder
        self.capture = capture
        self.said = ""
        self.file = folder / "smsgate.toml"
        folder.mkdir(exist_ok=True)
        self.file.write_text(
            f"[database]\nurl = {json.dumps(url)}\ndata_dir = {json.dumps(str(folder))}\n",
            encoding="utf-8",
        )

    async def __call__(self, *arguments: str, code: int = 0) -> Any:
        """The command has an event loop of its own; its answer in JSON."""
        self.capture.readouterr()
        typed = ["database", *arguments, "--json", "--config", str(self.file)]
        assert await asyncio.to_thread(main, typed) == code
        captured = self.capture.readouterr()
        self.said = captured.err
        return json.loads(captured.out) if captured.out else None


@pytest.fixture
def old(capsys: pytest.CaptureFixture[str], tmp_path: Path, database_url: str) -> Place:
    place = Place(capsys, tmp_path / "old", database_url)
    load_keys(place.folder, {})
    (place.folder / "audit.anchors").write_text("anchors\n")
    journal = place.folder / "clicks"
    journal.mkdir()
    (journal / "1-a.clicks").write_text("clicks\n")
    return place


@pytest.fixture
def new(capsys: pytest.CaptureFixture[str], tmp_path: Path, empty_database_url: str) -> Place:
    return Place(capsys, tmp_path / "new", empty_database_url)


async def contents(connection: Connection) -> dict[str, str]:
    """A hash of every row of every table."""
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind IN ('r', 'p') AND NOT relispartition"
    )
    sequences = await connection.fetch("SELECT sequencename, last_value FROM pg_sequences")
    return {name: str(value) for name, value in sequences} | {
        table: await connection.fetchval(
            f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t'
        )
        for (table,) in tables
    }


async def definition(connection: Connection) -> list[Any]:
    """Columns, indexes and constraints."""
    columns = await connection.fetch(
        "SELECT table_name, column_name, data_type, column_default, is_nullable"
        " FROM information_schema.columns WHERE table_schema = 'public'"
        " ORDER BY table_name, ordinal_position"
    )
    indexes = await connection.fetch(
        "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2"
    )
    return [tuple(row) for row in (*columns, *indexes)]


async def fill(connection: Connection) -> None:
    """A row in every table that takes one made from its columns' types alone."""
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(
        """
        DO $$
        DECLARE wanted record;
        BEGIN
          FOR wanted IN
            SELECT table_name, string_agg(quote_ident(column_name), ', ') AS names, string_agg(
                CASE WHEN udt_name = 'bytea' THEN '''\\x00ff27'''
                     WHEN udt_name LIKE '\\_%' THEN '''{}'''
                     WHEN udt_name IN ('text', 'bpchar') THEN '''a''''b\\n''||chr(233)'
                     WHEN udt_name = 'bool' THEN 'true'
                     WHEN udt_name LIKE 'timestamp%' THEN 'now()'
                     WHEN udt_name = 'date' THEN 'current_date'
                     WHEN udt_name IN ('json', 'jsonb') THEN '''{"a": "\\u00e9"}'''
                     WHEN udt_name = 'interval' THEN '''1 hour'''
                     WHEN udt_name = 'int8' AND column_name = 'id'
                       THEN '((extract(epoch from now())::bigint * 1000 - 1704067200000) << 22)'
                     ELSE '1' END, ', ') AS made
            FROM information_schema.columns
            WHERE table_schema = 'public' AND is_generated = 'NEVER' AND is_identity = 'NO'
              AND table_name NOT IN ('schema_migration', 'installation', 'restoration', 'audit',
                                     'audit_head', 'audit_batch', 'number_rotation')
            GROUP BY table_name
          LOOP
            BEGIN
              EXECUTE format('INSERT INTO %I (%s) VALUES (%s)',
                             wanted.table_name, wanted.names, wanted.made);
            EXCEPTION WHEN others THEN NULL;
            END;
          END LOOP;
        END $$
        """
    )
    await connection.execute("DELETE FROM outbox")
    await connection.execute("DELETE FROM submit_intent")
    for orphans in (
        "segment_member",
        "group_cap_member",
        "group_cap",
    ):  # of no segment, contact, tag
        await connection.execute(f"DELETE FROM {orphans}")
    await connection.execute("UPDATE campaign SET state = 3, next_seq = 1")  # it is being fed
    await connection.execute("RESET session_replication_role")


async def test_c9_each_table_is_restored_as_it_was_and_campaigns_are_paused(
    old: Place, new: Place, connection: Connection, tmp_path: Path
) -> None:
    await fill(connection)
    await open_vault(connection, load_keys(old.folder, {}), None)
    before = await contents(connection)
    taken = await old("backup", "--to", str(tmp_path / "backups"))
    folder = Path(taken["folder"])
    manifest = read(folder)
    filled = [table for table, rows in manifest.tables.items() if rows]
    assert len(filled) > 40, sorted(manifest.tables.keys() - set(filled))
    assert not any(FILE_NAME in name for name in manifest.files), "the number key is never in it"

    assert await new("restore", str(folder), code=1) is None
    assert "there is no number key" in new.said
    told = await new("restore", str(folder), "--key", str(old.folder / FILE_NAME))
    assert (told["messages"], told["campaigns"]) == (0, 1)
    restored = await connect(_url(new), application_name="test")
    try:
        assert await definition(restored) == await definition(connection)
        after = await contents(restored)
        campaign = await connection.fetchrow("SELECT * FROM campaign")
        paused = await restored.fetchrow("SELECT * FROM campaign")
        assert campaign is not None
        assert paused is not None
    finally:
        await close_connection(restored)
    differ = {
        table for table in before.keys() | after.keys() if before.get(table) != after.get(table)
    }
    # What a restore itself writes, and what noting the backup wrote after it.
    assert differ <= {
        "owner_term", "restoration", "audit", "audit_head", "restoration_id_seq",
        "owner_term_term_seq", "link_block", "audit_batch_batch_seq", "campaign",
    }, differ  # fmt: skip
    stopped = {"state": 4, "resumes_as": 3, "reason": RESTORED, "cause": "restored", "revision": 2}
    assert dict(paused) == {**dict(campaign), **stopped}
    assert (new.folder / "audit.anchors").read_text() == "anchors\n"
    assert (new.folder / "clicks" / "1-a.clicks").read_text() == "clicks\n"


def _url(place: Place) -> str:
    return str(json.loads(place.file.read_text().splitlines()[1].partition(" = ")[2]))


async def test_a_backup_is_on_record_and_older_ones_go(
    old: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    place = tmp_path / "backups"
    cut_short = place / "smsgate-20200101T000000Z"
    cut_short.mkdir(parents=True)
    whole = place / "smsgate-20200102T000000Z"
    shutil.move(await _backup(old, place), whole)  # two of one second would be one
    taken = await old("backup", "--to", str(place), "--keep", "1")
    assert str(whole) in taken["removed"]
    assert cut_short.exists(), "somebody may be at work there"
    newest = await connection.fetchval("SELECT max(taken_at) FROM backup")
    assert newest.isoformat() == taken["taken_at"]
    age = BackupAge()
    await age.turn(connection, newest)
    assert age.timestamp == newest.timestamp()

    await old("backup", "--taken-elsewhere")
    await age.turn(connection, newest)
    assert age.timestamp > newest.timestamp()
    actions = await connection.fetch("SELECT action, actor FROM audit ORDER BY id")
    assert {tuple(row) for row in actions} == {("database.backup", "operator")}


async def test_the_key_goes_elsewhere_and_opens_what_is_restored(
    old: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    place = tmp_path / "backups"
    beside = str(place / "number.key")
    assert await old("backup", "--to", str(place), "--key-to", beside, code=1) is None
    assert "apart" in old.said
    key = tmp_path / "number.key"
    await old("backup", "--to", str(place), "--key-to", str(key))
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_bytes() == (old.folder / FILE_NAME).read_bytes()
    assert await old("backup", "--to", str(place), "--key-to", str(key), code=1) is None


async def test_a_backup_that_fails_leaves_nothing(
    old: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pg_dump", "pg_restore"):
        program = programs / name
        program.write_text("#!/bin/sh\necho 'pg_dump: error: the disk is full' >&2\nexit 1\n")
        program.chmod(0o700)
    place = tmp_path / "backups"
    given = ("--to", str(place), "--programs", str(programs))
    assert await old("backup", *given, code=1) is None
    assert "the disk is full" in old.said
    assert list(place.iterdir()) == []


async def test_a_key_that_is_being_changed_is_two(
    old: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    make_next(old.folder)
    await _backup(old, tmp_path / "backups")
    assert "number.key.next is needed as well" in old.said


async def test_what_is_no_whole_backup_is_refused(
    old: Place, new: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    folder = await _backup(old, tmp_path / "backups")
    key = ("--key", str(old.folder / FILE_NAME))
    (old.folder / "clicks" / "1-a.clicks").unlink()
    assert await old("restore", str(folder), code=1) is None
    assert "not empty" in old.said
    assert not list((old.folder / "clicks").iterdir()), "clicks that are in it come no second time"

    def refused(how: str) -> Path:
        return Path(shutil.copytree(folder, tmp_path / how))

    changed = refused("changed")
    (changed / "files" / "audit.anchors").write_text("others\n")
    assert await new("restore", str(changed), *key, code=1) is None
    assert "is not as it was written" in new.said
    lacking = refused("lacking")
    (lacking / "manifest.json").unlink()
    assert await new("restore", str(lacking), *key, code=1) is None
    assert "is no backup" in new.said
    newer = refused("newer")
    text = (newer / "manifest.json").read_text()
    migration = read(folder).migration
    (newer / "manifest.json").write_text(text.replace(migration, "9999_later.sql"))
    assert await new("restore", str(newer), *key, code=1) is None
    assert "newer" in new.said
    load_keys(new.folder, {})
    assert await new("restore", str(folder), code=1) is None
    assert "the number key here is" in new.said


async def test_a_restore_that_died_begins_anew_and_is_no_database_until_then(
    old: Place, new: Place, connection: Connection, tmp_path: Path
) -> None:
    await open_vault(connection, load_keys(old.folder, {}), None)
    folder = await _backup(old, tmp_path / "backups")
    target = await connect(_url(new), application_name="test")
    try:
        await prepare(target)
        await target.execute("CREATE TABLE message (half integer)")
        with pytest.raises(NotAccepted, match="run it again"):
            await refuse_unfinished(target)
        key = ("--key", str(old.folder / FILE_NAME))
        assert await new("restore", str(folder), *key, code=1) is None
        assert "another restore is at work" in new.said
        await close_connection(target)
        target = await connect(_url(new), application_name="test")
        await new("restore", str(folder), *key)
        await refuse_unfinished(target)
        found = await unaccepted(target)
        assert found is not None
        assert (found.outbox, found.messages) == ("hold", 0)
        await accept(target)
        assert await unaccepted(target) is None
    finally:
        await close_connection(target)


async def test_no_day_is_dropped_between_the_dump_and_its_counts(
    old: Place,
    new: Place,
    connection: Connection,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(connection)
    await open_vault(connection, load_keys(old.folder, {}), None)
    tomorrow, dump = datetime.now(UTC).date() + timedelta(days=1), backup._dump

    async def dump_and_forget(*given: Any) -> None:
        await dump(*given)
        retention = await connect(database_url, application_name="test")
        with contextlib.suppress(asyncpg.LockNotAvailableError):
            await drop_partitions(retention, "event", tomorrow)
        await close_connection(retention)

    monkeypatch.setattr(partitions, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(backup, "_dump", dump_and_forget)
    assert await connection.fetchval("SELECT count(*) FROM event") > 0
    folder = await _backup(old, tmp_path / "backups")
    await new("restore", str(folder), "--key", str(old.folder / FILE_NAME))


async def _backup(place: Place, folder: Path) -> Path:
    return Path((await place("backup", "--to", str(folder)))["folder"])
