"""POST /v1/suppressions/import over a real database: verdicts, resumption, what never changes."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.reasons import Reason
from recipients.files.importing import ImportDesk
from storage import audit, sql, suppression
from storage.audit import AuditEntry
from storage.categories import Category
from storage.crypto import NumberVault
from storage.ids import ID_MAX
from storage.suppression import Suppression
from tests.dispatch.world import VAULT, wall_ms
from tests.web.api.files import ACCOUNT, NDJSON, Desk, running_desk
from web.api import suppression_imports

NUMBER, OTHER = "+8613812345678", "+8613912345678"
MARKETING = int(Category.MARKETING)


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with running_desk(database_url) as desk:
        yield desk


def numbers(count: int) -> list[str]:
    return [f"+86138{n:08}" for n in range(count)]


def file_of(wanted: list[str]) -> str:
    return "number\r\n" + "".join(f"{number}\r\n" for number in wanted)


async def stands(desk: Desk, **fields: Any) -> None:
    """An entry that is there before the import."""
    entry = Suppression(
        **{
            "to_idx": VAULT.index(NUMBER), "reason": Reason.OPTED_OUT, "source": "keyword",
            "account": ACCOUNT, "category": MARKETING, "to_enc": VAULT.seal(NUMBER), **fields,
        }
    )  # fmt: skip
    await suppression.add(desk.world.connection, [entry])


async def taken_back(desk: Desk, actor: str = "keyword") -> None:
    entry = AuditEntry(
        desk.world.ids.next(), ACCOUNT, actor, "suppression.remove", VAULT.index(NUMBER), {}
    )
    async with desk.world.connection.transaction():
        await audit.append(desk.world.connection, [entry])


async def test_each_row_has_a_verdict_and_a_bad_one_sinks_no_other(desk: Desk) -> None:
    await stands(desk)
    answer = await desk.taken(
        "\ufeffNumber,category,reason,expires_at,senders\r\n"
        f"{NUMBER},,,,\r\n"
        f"{OTHER},all,recipient_blocked,2099-01-01T00:00:00Z,SHOP|10690001\r\n"
        "13812345678,,,,\r\n"
        f"{OTHER},promo,,,\r\n"
        f"{OTHER},,,2001-01-01T00:00:00Z,\r\n"
        f"{OTHER},,\r\n"
        f"{OTHER},,,,TWELVE CHARS X\r\n"
        f'"{OTHER}"x,,,,\r\n'
        f"{OTHER},all,,,\r\n"
    )
    assert (answer["state"], answer["rows"]) == ("done", 9)
    assert (answer["added"], answer["existing"], answer["refused"]) == (2, 1, 6)
    assert answer["refused_by"] == {
        "number_invalid": 1, "field_type": 1, "out_of_range": 1, "row_malformed": 2,
        "sender_invalid": 1,
    }  # fmt: skip
    assert await desk.verdicts(answer) == [
        (4, "number_invalid"), (5, "field_type"), (6, "out_of_range"), (7, "row_malformed"),
        (8, "sender_invalid"), (9, "row_malformed"), (2, "exists"), (3, "added"), (10, "added"),
    ]  # fmt: skip
    shown = await desk.lines(f"/v1/suppressions/imports/{answer['id']}/verdicts")
    assert shown[0] == {
        "line": 4, "code": "number_invalid", "number": "138****5678", "field": "number",
        "detail": "number has no +; write + and the country code first, as in +8613812345678",
    }  # fmt: skip
    csv = await desk.octets(f"/v1/suppressions/imports/{answer['id']}/verdicts?format=csv&rows=all")
    assert csv.startswith(b"line,code,number,detail,field\r\n4,number_invalid,138****5678,")
    assert b"\r\n3,added,'+86139****5678,,\r\n" in csv
    stored = {each["category"]: each for each in await desk.entries() if each["source"] == "import"}
    assert (stored[-1]["reason"], stored[-1]["expires_at"]) == (Reason.OPTED_OUT, None)
    reason = desk.stopped.reason(VAULT.index(OTHER), ACCOUNT, MARKETING, wall_ms())
    assert reason == Reason.OPTED_OUT  # at once
    assert desk.imports.opted_out == 1


async def test_lines_of_json_are_taken_too(desk: Desk) -> None:
    answer = await desk.taken(
        f'{{"number":"{NUMBER}","senders":["SHOP"]}}\n\n{{"number":"{OTHER}","categori":"all"}}\n'
        f'{{"number":"{OTHER}","number":"{OTHER}"}}\n[]\n{{"number":null}}\nx\n',
        media=NDJSON,
    )
    assert (answer["added"], answer["existing"]) == (1, 0)
    assert await desk.verdicts(answer, "refused") == [
        (3, "field_unknown"), (4, "field_repeated"), (5, "field_type"), (6, "field_type"),
        (7, "malformed_json"),
    ]  # fmt: skip
    (entry,) = await desk.entries()
    assert (entry["senders"], VAULT.open(entry["to_enc"])) == (["SHOP"], NUMBER)


async def test_a_number_in_the_place_of_a_fields_name_is_not_kept(desk: Desk) -> None:
    answer = await desk.taken(
        f'{{"{NUMBER}":"all"}}\n{{"number":"{OTHER}","{NUMBER}":1,"{NUMBER}":2}}\n', media=NDJSON
    )
    assert answer["refused"] == 2
    rows = await desk.world.connection.fetch("SELECT refused FROM suppression_import_step")
    assert rows and all(NUMBER[1:].encode() not in row["refused"] for row in rows)


WRONG: list[tuple[bytes, str, str]] = [
    (b"phone,category\n1,2\n", "columns_invalid", "/1"),
    (b"number;category\n1;2\n", "columns_invalid", "/1"),
    (b"category\nall\n", "columns_invalid", "/1"),
    (b"number,number\n1,2\n", "columns_invalid", "/1/number"),
    (b"+8613812345678\n", "columns_invalid", "/1"),
    (b"", "columns_invalid", "/1"),
    (b'\n"number\n', "row_malformed", "/2"),
    ("number\n+8613812345678\n".encode("utf-16"), "encoding_invalid", "/1"),
    ("number\n+8613812345678\n".encode("utf-16-le"), "encoding_invalid", "/1"),
    (b"num\xe9ro\n", "encoding_invalid", "/1"),
    (b"PK\x03\x04", "encoding_invalid", "/1"),
    (gzip.compress(b"number\n", mtime=0), "encoding_invalid", "/1"),
]


@pytest.mark.parametrize(("body", "code", "pointer"), WRONG)
async def test_a_wrong_header_stores_nothing_and_says_where(
    desk: Desk, body: bytes, code: str, pointer: str
) -> None:
    response, problem = await desk.send(body)
    assert (response.status, problem["code"]) == (422, code)
    assert problem["errors"][0]["pointer"] == pointer
    assert "13812345678" not in str(problem)
    assert await desk.world.count("suppression_import") == 0
    assert await desk.world.count("suppression") == 0


async def test_all_that_is_wrong_with_a_header_is_told_with_what_is_known(desk: Desk) -> None:
    _, problem = await desk.send("nummer,categry,category,category\n")
    said = " ".join(each["detail"] for each in problem["errors"])
    assert "did you mean 'category'" in said
    assert "category is given twice" in said
    assert "the column number is missing" in said


@pytest.mark.parametrize("media", ["application/json", "text/plain", "text/csv; charset=gbk"])
async def test_a_form_that_is_not_known_is_refused(desk: Desk, media: str) -> None:
    response, problem = await desk.send(file_of([NUMBER]), media=media)
    assert (response.status, problem["code"]) == (415, "format_unsupported")
    assert "utf-8" in problem["detail"] or "application/x-ndjson" in problem["detail"]


async def test_a_packed_file_is_unpacked(desk: Desk) -> None:
    packed = gzip.compress(file_of(numbers(5_000)).encode())
    answer = await desk.taken(packed, Content_Encoding="gzip")
    assert answer["added"] == 5_000
    response, problem = await desk.send(packed[:-9], Content_Encoding="gzip")
    assert (response.status, problem["code"]) == (400, "malformed_request")


async def test_g29_an_import_never_ends_shortens_or_narrows_an_opt_out(desk: Desk) -> None:
    await stands(desk)
    before = await desk.entries()
    answer = await desk.taken(
        "number,reason,expires_at,senders\n"
        f"{NUMBER},number_unknown,2099-01-01T00:00:00Z,\n"
        f"{NUMBER},opted_out,2099-01-01T00:00:00Z,SHOP\n"
    )
    assert (answer["added"], answer["existing"]) == (0, 2)
    assert await desk.entries() == before


async def test_g29_an_opt_out_takes_the_place_of_what_would_have_ended(desk: Desk) -> None:
    """Else a delivery, or time, would lift the entry, and the opt-out with it."""
    soon = datetime.now(UTC) + timedelta(days=30)
    await stands(desk, reason=Reason.NUMBER_UNKNOWN, source="api", expires_at=soon)
    answer = await desk.taken(file_of([NUMBER]))
    assert answer["added"] == 1
    (entry,) = await desk.entries()
    assert (entry["reason"], entry["expires_at"]) == (Reason.OPTED_OUT, None)
    assert (entry["source"], entry["detail"]) == ("import", answer["id"])


async def test_g29_what_was_taken_back_is_not_brought_back_unless_asked(desk: Desk) -> None:
    await taken_back(desk)
    answer = await desk.taken(file_of([NUMBER]))
    assert await desk.verdicts(answer) == [(2, "undone_since")]
    assert await desk.entries() == []
    old = "2020-01-01T00:00:00Z"
    answer = await desk.taken(f"number,created_at\n{NUMBER},{old}\n")
    assert await desk.verdicts(answer) == [(2, "undone_since")]
    now = datetime.fromtimestamp(wall_ms() / 1000, UTC).isoformat()
    answer = await desk.taken(f"number,created_at\n{NUMBER},{now}\n")
    assert await desk.verdicts(answer) == [(2, "added")]
    await desk.world.connection.execute("DELETE FROM suppression")
    answer = await desk.taken(file_of([NUMBER]), "?taken_back=add")
    assert answer["added"] == 1


async def test_g29_what_was_taken_back_under_an_earlier_number_key_is_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await taken_back(desk)
    earlier = VAULT.index(NUMBER)
    await desk.world.connection.execute("UPDATE audit SET subject = $1", bytes(16))
    monkeypatch.setattr(NumberVault, "indexes_ever", lambda *_: (earlier, bytes(16)))
    answer = await desk.taken(file_of([NUMBER]))
    assert await desk.verdicts(answer) == [(2, "undone_since")]


async def test_g29_an_older_opt_out_does_not_outdo_a_later_consent(desk: Desk) -> None:
    await desk.world.connection.execute(
        "INSERT INTO consent (account, category, to_idx, to_enc, granted, source, at)"
        " VALUES ($1, $2, $3, $4, true, 'form', $5)",
        ACCOUNT, MARKETING, VAULT.index(NUMBER), VAULT.seal(NUMBER),
        datetime(2026, 6, 1, tzinfo=UTC),
    )  # fmt: skip
    rows = "number,created_at\n{0},2026-05-01T00:00:00Z\n{0},2026-07-01T00:00:00Z\n"
    answer = await desk.taken(rows.format(NUMBER))
    assert await desk.verdicts(answer) == [(2, "opted_in_since"), (3, "added")]


async def test_g30_what_a_list_does_not_name_stays(desk: Desk) -> None:
    await desk.taken(file_of([NUMBER, OTHER]))
    before = await desk.entries()
    for body in (file_of([]), file_of([OTHER])):
        answer = await desk.taken(body)
        assert (answer["state"], answer["added"]) == ("done", 0)
    for purge in ("import_steps_purge", "imports_purge"):
        statement = sql.load("recipients")[purge]
        await desk.world.connection.execute(statement, ID_MAX, 100)
    assert await desk.world.count("suppression_import") == 0
    assert await desk.world.count("suppression_import_step") == 0
    assert await desk.entries() == before


async def test_g38_an_import_gives_an_erased_person_no_number_back(desk: Desk) -> None:
    """What is left of an erased person is the entry by its hash: it stands, and stays as it is."""
    await stands(desk, to_enc=None)
    before = await desk.entries()
    answer = await desk.taken(file_of([NUMBER]))
    assert await desk.verdicts(answer) == [(2, "exists")]
    assert await desk.entries() == before


async def test_a_dry_run_says_what_an_import_would_and_changes_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_imports, "STEP_ROWS", 100)
    await stands(desk)
    # A number twice in a step and twice in steps far apart.
    wanted = [NUMBER, OTHER, OTHER, *numbers(500), OTHER, "1"]
    rehearsed = await desk.taken(file_of(wanted), "?dry_run=true")
    assert (rehearsed["dry_run"], await desk.world.count("suppression")) == (True, 1)
    assert await desk.world.count("audit") == 0
    assert not desk.stopped.reason(VAULT.index(OTHER), ACCOUNT, MARKETING, wall_ms())
    real = await desk.taken(file_of(wanted))
    for name in ("rows", "added", "existing", "refused", "refused_by"):
        assert rehearsed[name] == real[name], name
    assert await desk.verdicts(rehearsed) == await desk.verdicts(real)
    assert real["added"] == await desk.world.count("suppression") - 1


async def test_an_import_is_on_record_with_its_counts_and_no_number(desk: Desk) -> None:
    answer = await desk.taken(file_of([NUMBER, "1"]))
    rows = await desk.world.connection.fetch(
        "SELECT actor, action, subject, detail FROM audit ORDER BY id"
    )
    assert [row["action"] for row in rows] == ["suppression.import"] * 2
    assert {row["subject"] for row in rows} == {None}
    assert rows[0]["actor"].startswith("key ")
    assert rows[1]["detail"]["import"] == answer["id"]
    assert (rows[1]["detail"]["added"], rows[1]["detail"]["refused"]) == (1, 1)
    (entry,) = await desk.entries()
    assert entry["detail"] == answer["id"]


async def cut(desk: Desk, wanted: list[str], sent: int, key: str | None) -> None:
    """Send so many numbers of a file, wait until they are committed, and hang up."""
    seen = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield file_of(wanted[:sent]).encode()
        await seen.wait()

    headers = {**desk.api.headers, "Content-Type": "text/csv"}
    if key is not None:
        headers["Idempotency-Key"] = key
    posting = asyncio.ensure_future(
        desk.api.session.post(
            f"{desk.api.url}/v1/suppressions/import", data=body(), headers=headers
        )
    )
    while await desk.world.count("suppression") < sent:
        await asyncio.sleep(0)
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)


async def only_import(desk: Desk) -> Any:
    _, page = await desk.api.get("/v1/suppressions/imports")
    [found] = list(page["data"])
    return found


async def test_an_import_that_is_cut_off_says_so_and_goes_on_where_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_imports, "STEP_ROWS", 100)
    wanted = numbers(1_000)
    await cut(desk, wanted, 300, "list-1")
    while (found := await only_import(desk))["state"] == "running":
        await asyncio.sleep(0)
    assert (found["state"], found["rows"], found["added"]) == ("interrupted", 300, 300)
    assert found["detail"] == "cut_off"
    response, problem = await desk.send(file_of(numbers(999)[::-1]), key="list-1")
    assert (response.status, problem["code"]) == (422, "idempotency_key_reused")
    response, problem = await desk.send(file_of(wanted), "?reason=number_unknown", key="list-1")
    assert (response.status, problem["code"]) == (422, "idempotency_key_reused")
    answer = await desk.taken(file_of(wanted), key="list-1")
    assert (answer["id"], answer["state"]) == (found["id"], "done")
    assert (answer["rows"], answer["added"], answer["existing"]) == (1_000, 1_000, 0)
    assert await desk.verdicts(answer) == [(n + 2, "added") for n in range(1_000)]
    response, again = await desk.send(file_of(wanted), key="list-1")
    assert (response.status, again) == (202, answer)
    assert response.headers["Idempotency-Replayed"] == "true"
    response, problem = await desk.send(file_of(numbers(1_001)), key="list-1")
    assert problem["code"] == "idempotency_key_reused"


async def test_an_import_of_a_process_that_is_gone_is_interrupted(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is left to say so: its term has ended."""
    monkeypatch.setattr(suppression_imports, "STEP_ROWS", 100)

    async def nothing(*_asked: object) -> None:
        return None

    with monkeypatch.context() as dead:
        dead.setattr(ImportDesk, "end", nothing)
        await cut(desk, numbers(300), 300, "list-1")
        while desk.imports.running:
            await asyncio.sleep(0)
    assert (await only_import(desk))["state"] == "running"
    await desk.world.connection.execute("UPDATE suppression_import SET term = 0")
    found = await only_import(desk)
    assert (found["state"], found["detail"], found["rows"]) == ("interrupted", "gone", 300)
    answer = await desk.taken(file_of(numbers(400)), key="list-1")
    assert (answer["id"], answer["rows"], answer["added"]) == (found["id"], 400, 400)


async def test_one_key_is_imported_once_at_a_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_imports, "STEP_ROWS", 100)
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield file_of(numbers(200)).encode()
        arrived.set()
        await go_on.wait()

    headers = {**desk.api.headers, "Content-Type": "text/csv", "Idempotency-Key": "one"}
    url = f"{desk.api.url}/v1/suppressions/import"
    posting = asyncio.ensure_future(desk.api.session.post(url, data=body(), headers=headers))
    await arrived.wait()
    while await desk.world.count("suppression_import") == 0:
        await asyncio.sleep(0)
    assert (await only_import(desk))["state"] == "running"
    response, problem = await desk.send(file_of(numbers(200)), key="one")
    assert (response.status, problem["code"]) == (409, "idempotency_in_progress")
    go_on.set()
    response = await posting
    assert response.status == 202


async def test_rows_beyond_the_bound_are_told_with_what_was_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suppression_imports, "ROWS_MAX", 250)
    monkeypatch.setattr(suppression_imports, "STEP_ROWS", 100)
    response, problem = await desk.send(file_of(numbers(300)))
    assert (response.status, problem["code"]) == (422, "rows_max")
    found = await only_import(desk)
    assert found["id"] in problem["detail"]
    assert (found["state"], found["detail"]) == ("interrupted", "too_many_rows")
    assert found["added"] == await desk.world.count("suppression")


async def test_another_account_has_no_such_import(desk: Desk) -> None:
    answer = await desk.taken(file_of([NUMBER]))
    desk.api.headers = desk.api.new_key(ACCOUNT + 1, "suppressions:read")
    for path in (answer["id"], f"{answer['id']}/verdicts"):
        response, _ = await desk.api.get(f"/v1/suppressions/imports/{path}")
        assert response.status == 404
    _, page = await desk.api.get("/v1/suppressions/imports")
    assert page["data"] == []
