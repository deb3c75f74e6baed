"""Files of contacts over a real database: what they make, and what becomes of them when we die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.desk import ContactDesk
from campaigns.contacts.files.importing import ImportWorker
from campaigns.contacts.files.jobs import ContactImports
from campaigns.contacts.files.mapping import COLUMNS_KNOWN_MAX, RowReader
from recipients import consent
from recipients.consent import Consent
from recipients.numbers.plan import NumberPlan
from storage.pool import Connection
from storage.suppression import Suppression, add_new
from storage.terms import HostIdentity, OwnerTerm
from tests.campaigns.contacts.files.books import book
from tests.dispatch.world import VAULT, World, running, wall_ms
from tests.web.nobody import NoEvents
from tests.web.served import Api, running_api
from web.api.contact_imports import SHEET
from web.contact_services import ContactRooms

PATH = "/v1/contacts/import"
NUMBER, OTHER = "+8613812345678", "+8613912345678"


@dataclass
class Shop:
    """An account with attributes, and a worker that works when it is told to."""

    api: Api
    world: World
    worker: ImportWorker

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def send(
        self, octets: bytes | str, query: str = "", kind: str = "text/csv"
    ) -> tuple[int, Any]:
        data = octets.encode() if isinstance(octets, str) else octets
        headers = {"Content-Type": kind}
        response, body = await self.api.call("POST", f"{PATH}{query}", data, headers)
        return response.status, body

    async def take(self, octets: bytes | str, query: str = "", kind: str = "text/csv") -> Any:
        """The import once it has ended."""
        status, body = await self.send(octets, query, kind)
        assert status == 202, body
        await self.worker.turn()
        return (await self.api.get(f"{PATH}/{body['id']}"))[1]

    async def rows(self, job: Mapping[str, Any]) -> Sequence[tuple[int, str, Sequence[str]]]:
        _, page = await self.api.get(f"{PATH}/{job['id']}/rows")
        data: Any = page["data"]
        return [(row["line"], row["verdict"], row["codes"]) for row in data]

    async def contacts(self) -> Sequence[Any]:
        _, page = await self.api.get("/v1/contacts")
        data: Any = page["data"]
        return list(reversed(data))


def worker_of(world: World, term: int, step_rows: int = 2) -> ImportWorker:
    return ImportWorker(
        world.database.dedicated(f"worker {term}"), term=term, vault=VAULT, ids=world.ids,
        wall_ms=wall_ms, ended=lambda _: None, step_rows=step_rows,
    )  # fmt: skip


@pytest.fixture
async def shop(database_url: str) -> AsyncIterator[Shop]:
    async with running(database_url) as world:
        term = (await OwnerTerm.acquire(world.connection, HostIdentity.current())).term
        read, dedicated = world.database.read, world.database.dedicated
        desk = ContactDesk(read, dedicated("contacts"), vault=VAULT, ids=world.ids)
        files = ContactImports(
            read, dedicated("files"), term=term, vault=VAULT, ids=world.ids, wall_ms=wall_ms,
            wake=lambda: None,
        )  # fmt: skip
        await world.connection.execute(
            "INSERT INTO attribute_def (account, name, type, label)"
            " VALUES (1, 'city', 'text', '城市'), (1, 'birthday', 'date', '生日'),"
            " (1, 'vip', 'bool', NULL)"
        )
        async with running_api(contacts=ContactRooms(desk, files, NoEvents())) as api:
            api.headers = api.new_key(1, "contacts:read", "contacts:write")
            yield Shop(api, world, worker_of(world, term))


async def test_c31_each_row_has_its_verdict_and_a_bad_one_sinks_no_other(shop: Shop) -> None:
    job = await shop.take(
        "手机号;城市;生日;标签;未知\n"
        "13812345678;广州;1990/4/2;会员,老客;x\n"
        "1.38E+10;广州;;;\n"
        "'139-1234-5678;北京;03/04/1991;;\n"
        "010-62345678;;;;\n"
        "138123456;;;;\n"
        "+86 138 1234 5678;深圳;;;\n"
        "13700137001;;1990-02-30;;\n"
    )
    assert (job["state"], job["encoding"], job["rows"]) == ("done", "utf-8", 7)
    assert job["columns_ignored"] == ["未知"]
    assert await shop.rows(job) == [
        (2, "created", []),
        (3, "invalid", ["number_scientific"]),
        (4, "created", ["date_ambiguous"]),
        (5, "invalid", ["number_landline"]),
        (6, "invalid", ["number_truncated"]),
        (7, "duplicate_in_file", []),
        (8, "created", ["attr_type"]),
    ]
    assert job["counts"]["created"] == 3
    first, second, _ = await shop.contacts()
    assert first["attrs"] == {"city": "广州", "birthday": "1990-04-02"}
    assert (first["tags"], second["attrs"]) == (["会员", "老客"], {"city": "北京"})
    assert await shop.connection.fetchval("SELECT count(*) FROM import_piece") == 0
    status, again = await shop.send("手机号;城市\n")
    assert (status, again["rows"]) == (202, 0)


async def test_c27_c28_files_of_every_encoding_are_read_alike(shop: Shop) -> None:
    text = "手机号,城市\n13812345678,广州\n"
    found = []
    for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16"):
        job = await shop.take(text.encode(encoding), "?mode=overwrite")
        found.append((job["encoding"], job["rows"], job["counts"].keys() & {"invalid"}))
        assert [each["attrs"] for each in await shop.contacts()] == [{"city": "广州"}]
    encodings = [each[0] for each in found]
    assert encodings == ["utf-8", "utf-8", "gb18030", "utf-16"]
    assert all(rows == 1 and not invalid for _, rows, invalid in found)


async def test_c30_serials_of_both_epochs_are_the_same_day(shop: Shop) -> None:
    """2026-11-11 is 46337 where days count from 1900, and 44875 where they count from 1904."""
    for date1904, serial, number in ((False, 46337, 13812345678), (True, 44875, 13912345678)):
        octets = book(
            [["手机号", "生日", "城市"], [number, serial, "广州"]], dates=[1], date1904=date1904
        )
        job = await shop.take(octets, kind=SHEET)
        assert (job["state"], job["format"]) == ("done", "xlsx")
    assert [each["attrs"]["birthday"] for each in await shop.contacts()] == ["2026-11-11"] * 2


async def test_c35_a_formula_is_text_and_a_guarded_one_too(shop: Shop) -> None:
    await shop.take("手机号,城市\n13812345678,=1+1\n13912345678,'=1+1\n")
    assert [each["attrs"]["city"] for each in await shop.contacts()] == ["=1+1", "=1+1"]


async def test_modes_fill_overwrite_and_skip(shop: Shop) -> None:
    await shop.take("external_id,number,city\na,13812345678,广州\n")
    head = "external_id,number,city,vip\n"
    job = await shop.take(f"{head}a,13812345678,北京,yes\n", "?mode=skip")
    assert await shop.rows(job) == [(2, "unchanged", [])]
    job = await shop.take(f"{head}a,13812345678,北京,yes\n")
    assert await shop.rows(job) == [(2, "updated", [])]
    assert (await shop.contacts())[0]["attrs"] == {"city": "广州", "vip": True}
    job = await shop.take(f"{head}a,13912345678,北京,\n", "?mode=overwrite")
    [contact] = await shop.contacts()
    assert contact["attrs"] == {"city": "北京", "vip": True}
    assert contact["numbers"] == ["+86139****5678", "+86138****5678"], "the given one is texted"
    job = await shop.take("external_id,number\nb,13812345678\nc,13700137000\n")
    assert await shop.rows(job) == [(2, "invalid", ["number_of_another"]), (3, "created", [])]
    await shop.take("number\n13600136000\n")
    job = await shop.take("external_id,number\nd,13600136000\n")
    assert await shop.rows(job) == [(2, "merged", [])]


async def test_a_rehearsal_has_every_verdict_and_touches_nobody(shop: Shop) -> None:
    text = "number,tags\n13812345678,a\n13912345678,b\n13700137000,c\n13812345678,d\n1,e\n"
    job = await shop.take(text, "?dry_run=true")
    verdicts = [verdict for _, verdict, _ in await shop.rows(job)]
    assert verdicts == ["created", "created", "created", "duplicate_in_file", "invalid"]
    for table in ("contact", "contact_number", "tag_def", "audit"):
        assert await shop.connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
    assert [verdict for _, verdict, _ in await shop.rows(await shop.take(text))] == verdicts


async def test_c37_the_same_file_is_answered_with_its_first_report(shop: Shop) -> None:
    text = "number\n13812345678\n"
    first = await shop.take(text)
    response, again = await shop.api.call("POST", PATH, text.encode(), {"Content-Type": "text/csv"})
    assert (again, response.headers["Idempotency-Replayed"]) == (first, "true")
    assert (await shop.take(text, "?mode=overwrite"))["id"] != first["id"]
    assert await shop.connection.fetchval("SELECT count(*) FROM import_job") == 2


@pytest.mark.parametrize(
    ("octets", "query", "kind", "code"),
    [
        ("城市\n广州\n", "", "text/csv", "columns_invalid"),
        ("", "", "text/csv", "columns_invalid"),
        ("number,number\n1,2\n", "", "text/csv", "columns_invalid"),
        ("13812345678,13812345678\n", "", "text/csv", "columns_invalid"),
        ("number\n1\n", '?mapping={"tel":"number"}', "text/csv", "columns_invalid"),
        ("number\n1\n", '?mapping={"number":"age"}', "text/csv", "parameter_invalid"),
        ("number\n1\n", "?mapping=[]", "text/csv", "parameter_invalid"),
        ("a\n1\n", '?mapping={"a\\u0000":"number"}', "text/csv", "parameter_invalid"),
        ("number\n1\n", "?delimiter=x", "text/csv", "parameter_invalid"),
        ("number\n1\n", "", "text/plain", "format_unsupported"),
        ("number\n1\n", "", SHEET, "row_malformed"),
        (book([["number"]], parts={"a.xml": bytes(3 << 20)}), "", SHEET, "body_too_large"),
        (
            book([], parts={"xl/workbook.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><a/>'}),
            "", SHEET, "row_malformed",
        ),
    ],
)  # fmt: skip
async def test_a_file_that_names_nobody_is_refused_and_nothing_is_stored(
    shop: Shop, octets: bytes | str, query: str, kind: str, code: str
) -> None:
    status, body = await shop.send(octets, query, kind)
    assert (body["code"], 400 <= status < 500) == (code, True)
    assert "13812345678" not in str(body)
    for table in ("import_job", "import_piece"):
        assert await shop.connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_c25_no_mode_undoes_an_opt_out_or_makes_a_consent_up(shop: Shop) -> None:
    """Whatever a file says of consent: who withdrew it, or opted out, is not asked again."""
    index = VAULT.index(NUMBER)
    withdrawn = Consent(
        account=1, to_idx=index, to_enc=VAULT.seal(NUMBER), category=3, granted=False,
        source="web", text_version=None, evidence=None, at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    await consent.record(shop.connection, withdrawn)
    stopped = Suppression(VAULT.index(OTHER), 9, "keyword", 1, 3, to_enc=VAULT.seal(OTHER))
    await add_new(shop.connection, [stopped])
    before = await shop.connection.fetch("SELECT * FROM suppression")
    head = "number,consent,consent_at,consent_source\n"
    said = "yes,2026-06-01T00:00:00Z,form"
    for mode in ("fill", "overwrite", "skip"):
        text = f"{head}13812345678,{said}\n13912345678,{said}\n13700137000,yes,,\n"
        job = await shop.take(text, f"?mode={mode}")
        assert [codes for _, _, codes in await shop.rows(job)] == [
            [], ["suppressed"], ["consent_missing"],
        ]  # fmt: skip
    assert await shop.connection.fetchval("SELECT count(*) FROM consent") == 1
    assert await shop.connection.fetch("SELECT * FROM suppression") == before
    await shop.take(f"{head}13600136000,{said}\n")
    row = await shop.connection.fetchrow("SELECT * FROM consent ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row["to_idx"], row["source"]) == (VAULT.index("+8613600136000"), "form")


async def test_c19_an_unknown_zone_is_a_code_and_no_lost_person(shop: Shop) -> None:
    job = await shop.take("number,time_zone\n13812345678,Asia/Beijing\n13912345678,Asia/Tokyo\n")
    assert await shop.rows(job) == [(2, "created", ["tz_unknown"]), (3, "created", [])]
    assert [each["time_zone"] for each in await shop.contacts()] == [None, "Asia/Tokyo"]


async def test_ndjson_has_values_of_their_types(shop: Shop) -> None:
    lines = [
        {"number": 13812345678, "attrs": {"city": "广州", "vip": True}, "tags": ["a"]},
        {"numbers": ["13912345678", "13700137000"], "attrs": {"vip": 7}},
    ]
    text = "\n".join(msgspec.json.encode(line).decode() for line in lines) + "\n[]\n"
    job = await shop.take(text, kind="application/x-ndjson")
    assert await shop.rows(job) == [
        (1, "created", []), (2, "created", ["attr_type"]), (3, "invalid", ["row_malformed"]),
    ]  # fmt: skip
    assert [len(each["numbers"]) for each in await shop.contacts()] == [1, 2]


async def test_lists_in_lists_sink_their_row_alone_and_names_of_columns_are_not_hoarded(
    shop: Shop,
) -> None:
    deep = "[" * 450 + "]" * 450
    fields = ("consent", "tags", "number", "vip", "city", "source")
    lines = [f'{{"{field}":{deep},"external_id":"{field}"}}' for field in fields]
    lines += [f'{{"number":"{NUMBER}","c{n}":1}}' for n in range(COLUMNS_KNOWN_MAX + 9)]
    job = await shop.take("\n".join(lines), kind="application/x-ndjson")
    assert (job["state"], job["rows"]) == ("done", len(lines))
    assert await shop.rows(job) != []
    reader = RowReader(None, {}, NumberCleaner(NumberPlan()), datetime.now(UTC))
    for n in range(2 * COLUMNS_KNOWN_MAX):
        assert reader.field(f"c{n}") is None
    assert reader.field("手机号") == "number"
    assert len(reader.ignored) <= COLUMNS_KNOWN_MAX
    assert sum(name.startswith("c") for name in vars(reader)["_fields"]) <= COLUMNS_KNOWN_MAX


async def test_who_imported_and_who_took_it_back_stands_in_the_audit(shop: Shop) -> None:
    job = await shop.take("number\n13812345678\n")
    await shop.api.call("POST", f"{PATH}/{job['id']}/undo", None, {})
    rows = await shop.connection.fetch("SELECT action, actor FROM audit ORDER BY id")
    assert [(row["action"], row["actor"]) for row in rows] == [
        ("contacts.import", "key 1"), ("contacts.import_done", "job"),
        ("contacts.import_undo", "key 1"),
    ]  # fmt: skip


async def test_what_an_import_did_is_taken_back_but_what_changed_since(shop: Shop) -> None:
    await shop.take("external_id,number,city\na,13812345678,广州\nb,13912345678,上海\n")
    before = await shop.contacts()
    job = await shop.take(
        "external_id,number,city,tags\na,13700137000,北京,x\nb,13912345678,北京,\nc,,深圳,\n",
        "?mode=overwrite",
    )
    changed = msgspec.json.encode({"external_id": "b", "attrs": {"vip": True}})
    await shop.api.call("POST", "/v1/contacts", changed, {"Content-Type": "application/json"})
    response, body = await shop.api.call("POST", f"{PATH}/{job['id']}/undo", None, {})
    assert (response.status, body["state"]) == (202, "undoing")
    await shop.worker.turn()
    after = await shop.contacts()
    kept = ("numbers", "attrs", "tags", "external_id")
    assert [[each[name] for name in kept] for each in after] == [
        [before[0][name] for name in kept],
        [before[1]["numbers"], {"city": "北京", "vip": True}, [], "b"],
    ]
    _, view = await shop.api.get(f"{PATH}/{job['id']}")
    counts: Any = view["counts"]
    assert (view["state"], counts["undone"], counts["kept"]) == ("undone", 2, 1)
    response, body = await shop.api.call("POST", f"{PATH}/{job['id']}/undo", None, {})
    assert (response.status, body["code"]) == (409, "import_not_done")


async def test_a_file_whose_import_failed_is_taken_when_it_is_sent_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what the first one did before it failed can be taken back."""
    text = "number\n" + "\n".join(f"1381234{place:04d}" for place in range(5)) + "\n"
    with monkeypatch.context() as patched:
        patched.setattr("campaigns.contacts.files.importing.ROWS_MAX", 3)
        patched.setattr("campaigns.contacts.files.importing.SLICE_ROWS", 1)
        failed = await shop.take(text)
    assert (failed["state"], failed["rows"]) == ("failed", 2)
    response, body = await shop.api.call("POST", f"{PATH}/{failed['id']}/undo", None, {})
    assert (response.status, body["state"]) == (202, "undoing")
    await shop.worker.turn()
    assert await shop.contacts() == []
    again = await shop.take(text)
    assert (again["state"], again["rows"], again["id"] != failed["id"]) == ("done", 5, True)
    assert (await shop.send(text))[1]["id"] == again["id"]


async def test_numbers_beyond_ten_are_left_out_and_told(shop: Shop) -> None:
    numbers = [f"+861381234{place:04d}" for place in range(14)]
    lines = [
        {"external_id": "a", "numbers": numbers[:11]},
        {"external_id": "b", "numbers": numbers[11:13]},
    ]
    job = await shop.take(b"\n".join(map(msgspec.json.encode, lines)), "", "application/x-ndjson")
    assert await shop.rows(job) == [(1, "created", ["numbers_max"]), (2, "created", [])]
    job = await shop.take(f"external_id,number,city\na,{numbers[13]},广州\n", "?mode=overwrite")
    assert await shop.rows(job) == [(2, "updated", ["numbers_max"])]
    assert job["counts"] == {"updated": 1, "numbers_max": 1}
    assert [len(each["numbers"]) for each in await shop.contacts()] == [10, 2]


async def test_c32_a_step_asks_as_often_however_many_rows_it_has(shop: Shop) -> None:
    """C32: who asks for each row takes twenty a second."""
    worker = worker_of(shop.world, shop.world.term.term, 5_000)
    connection = await worker._dedicated.connection()
    asked: list[int] = []
    for count in (1, 10, 1_000):  # the first one makes the tag
        rows = "".join(f"{count}-{n},138{count:04d}{n:04d},x\n" for n in range(1, count + 1))
        await shop.send("external_id,number,tags\n" + rows)
        statements: list[object] = []
        with connection.query_logger(statements.append):
            await worker.turn()
        asked.append(len(statements))
    assert await shop.connection.fetchval("SELECT count(*) FROM contact") == 1_011
    assert asked[1] == asked[2] > 0


async def test_an_import_goes_on_where_a_process_died(shop: Shop) -> None:
    """At every statement of every step: each row has one verdict, and each person is there once."""
    numbers = [f"1381234{place:04d}" for place in range(9)]
    for at in range(1, 80, 5):
        await shop.connection.execute(
            "TRUNCATE contact, contact_number, segment_member, import_row, import_job"
        )
        status, body = await shop.send("number\n" + "\n".join(numbers) + f"\n{at}\n")
        assert status == 202
        host = HostIdentity.current()
        dying = await OwnerTerm.acquire(shop.connection, host)
        died = await die_after(worker_of(shop.world, dying.term, 4), at, shop.connection)
        await shop.connection.execute(
            "UPDATE owner_term SET ended_at = now() WHERE term = $1", dying.term
        )
        await shop.worker.turn()
        _, view = await shop.api.get(f"{PATH}/{body['id']}")
        counts: Any = view["counts"]
        assert (view["state"], view["rows"], counts["created"]) == ("done", 10, 9), at
        assert await shop.connection.fetchval("SELECT count(*) FROM contact") == 9
        assert await shop.connection.fetchval("SELECT count(*) FROM import_row") == 10
        if not died:
            return
    raise AssertionError("it never came to its end")


async def die_after(worker: ImportWorker, statements: int, beside: Connection) -> bool:
    """Let it run until so many statements were sent, then cut its connection, and see its locks
    gone. Whether it died.
    """
    connection = await worker._dedicated.connection()
    pid = connection.get_server_pid()
    left = statements

    def count(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            connection.terminate()

    with connection.query_logger(count):
        try:
            await worker.turn()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - it is dead
            while await beside.fetchval("SELECT pid FROM pg_stat_activity WHERE pid = $1", pid):
                await asyncio.sleep(0.01)
            return True
    return False


async def test_whatever_a_file_holds_it_stops_no_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "application/x-ndjson"
    nul = (
        f'{{"number":"{NUMBER}","tags":["a\\u0000b"],"consent":"yes",'
        '"consent_at":"2026-01-01T00:00:00Z","consent_source":"c\\u0000d"}\n'
    )
    assert (await shop.take(nul, kind=kind))["counts"] == {"created": 1}
    assert (await shop.contacts())[0]["tags"] == ["a b"]
    await shop.send(f"number\n{NUMBER}\n")
    with monkeypatch.context() as patched:
        patched.setattr(RowReader, "draft", lambda *_: [][1])  # a mistake of ours
        await shop.worker.turn()
    _, page = await shop.api.get(PATH)
    assert (page["data"][0]["state"], NUMBER in str(page)) == ("failed", False)
    assert (await shop.take(f"number\n{OTHER}\n"))["state"] == "done"
