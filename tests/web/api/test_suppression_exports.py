"""GET /v1/suppressions/export and POST /v1/suppressions/compare over a real database."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from dlr.reasons import Reason
from recipients.files import exporting
from storage import suppression
from storage.categories import Category
from storage.faults import StorageDown
from storage.suppression import Suppression
from tests.dispatch.world import VAULT
from tests.web.api.files import ACCOUNT, NDJSON, PARTNER, SCOPES, Desk, running_desk
from web.api import suppression_exports
from web.edge.reveals import REASON, REVEAL

NUMBER, OTHER = "+8613812345678", "+8613912345678"
MASKED = "+86138****5678"
EXPORT, COMPARE = "/v1/suppressions/export", "/v1/suppressions/compare"
KEY = bytes(range(32))


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with running_desk(database_url) as desk:
        yield desk


async def stands(desk: Desk, *found: str, **fields: Any) -> None:
    entries = [
        Suppression(
            **{
                "to_idx": VAULT.index(number), "reason": Reason.OPTED_OUT, "source": "api",
                "account": ACCOUNT, "category": int(Category.MARKETING),
                "to_enc": VAULT.seal(number), **fields,
            }
        )
        for number in found
    ]  # fmt: skip
    await suppression.add(desk.world.connection, entries)


async def compared(desk: Desk, body: str, query: str = "", **how: Any) -> list[Any]:
    headers = {**desk.api.headers, "Content-Type": how.pop("media", "text/csv")}
    url = f"{desk.api.url}{COMPARE}?partner=acme{query}"
    async with desk.api.session.post(url, data=body.encode(), headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Rows-Read"] == str(how.get("rows", body.count("\n") - 1))
        lines = (await response.read()).splitlines()
    return [msgspec.json.decode(line) for line in lines]


async def test_an_export_is_masked_in_pages_and_without_what_has_expired(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 3)
    await stands(desk, *(f"+86138{n:08}" for n in range(10)))
    await stands(desk, NUMBER, account=ACCOUNT + 1)
    await stands(desk, OTHER, account=0, category=-1, senders=["A", "B"])
    gone = datetime.now(UTC) - timedelta(days=1)
    await stands(desk, NUMBER, expires_at=gone)
    lines = await desk.lines(EXPORT)
    assert {each["number"] for each in lines} == {
        "+86139****5678", *(f"+86138****{n:04}" for n in range(10)),
    }  # fmt: skip
    [everyones] = [each for each in lines if each["every_account"]]
    assert (everyones["category"], everyones["senders"]) == ("all", ["A", "B"])
    assert desk.api.memory.revealed == []
    assert await desk.world.count("audit") == 0


async def test_g39_a_number_that_cannot_be_read_fails_no_export(desk: Desk) -> None:
    await stands(desk, NUMBER)
    await stands(desk, OTHER, to_enc=b"damaged")
    found = {each["number"]: each.get("number_unreadable") for each in await desk.lines(EXPORT)}
    assert found == {MASKED: None, None: True}
    hashed = await desk.lines(f"{EXPORT}?hash=acme")
    assert {each["number_hash"] for each in hashed} == {PARTNER.hash(NUMBER).hex(), None}


async def test_what_is_exported_in_clear_is_what_an_import_takes(desk: Desk) -> None:
    await stands(desk, NUMBER, detail="=cmd", senders=["SHOP", "10690001"])
    until = datetime(2099, 1, 1, tzinfo=UTC)
    await stands(desk, OTHER, category=-1, reason=Reason.NUMBER_UNKNOWN, expires_at=until)
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, REVEAL)
    ignored: dict[str, list[str]] = {}
    for form, media in (("csv", "text/csv"), ("ndjson", NDJSON)):
        asked = f"{EXPORT}?format={form}&reveal=true"
        file = await desk.octets(asked)
        assert NUMBER.encode() in file
        kept = await desk.entries()
        await desk.world.connection.execute("DELETE FROM suppression")
        answer = await desk.taken(file, media=media)
        assert (answer["added"], answer["refused"]) == (2, 0), await desk.verdicts(answer)
        assert [
            (each["to_idx"], each["category"], each["reason"], each["expires_at"],
             each["senders"] and sorted(each["senders"]))
            for each in await desk.entries()
        ] == [
            (each["to_idx"], each["category"], each["reason"], each["expires_at"],
             each["senders"] and sorted(each["senders"]))
            for each in kept
        ]  # fmt: skip
        ignored[form] = answer["columns_ignored"]
    assert ignored["ndjson"] == []  # of lines of JSON no columns are told


async def test_a_formula_leaves_as_text(desk: Desk) -> None:
    await stands(desk, NUMBER, detail='=HYPERLINK("http://x")', senders=["@A", "B"])
    file = (await desk.octets(f"{EXPORT}?format=csv")).decode()
    header, row, end = file.split("\r\n")
    assert header == (
        "number,category,reason,source,detail,senders,every_account,created_at,expires_at,"
        "number_unreadable"
    )
    assert row.startswith(
        f'\'{MASKED},marketing,opted_out,api,"\'=HYPERLINK(""http://x"")",\'@A|B,false,'
    )
    assert end == ""


async def test_numbers_in_clear_need_the_scope_and_a_reason_and_are_on_record(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAGE_ROWS", 2)
    await stands(desk, NUMBER, "+8613700000001", "+8613700000002")
    await stands(desk, OTHER, account=0)
    response, problem = await desk.api.get(f"{EXPORT}?reveal=true")
    assert (response.status, problem["code"]) == (403, "scope_missing")
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, REVEAL)
    reason = desk.api.headers.pop(REASON)
    response, problem = await desk.api.get(f"{EXPORT}?reveal=true")
    assert (response.status, problem["code"]) == (422, "reason_missing")
    assert desk.api.memory.revealed == []
    desk.api.headers[REASON] = reason
    lines = await desk.lines(f"{EXPORT}?reveal=true")
    own = {NUMBER, "+8613700000001", "+8613700000002"}
    assert {each["number"] for each in lines} == own | {"+86139****5678"}
    told = [revealed for _, _, revealed in desk.api.memory.revealed]
    assert [each.list for each in told] == ["suppressions.export"] * 2
    assert {number for each in told for number in each.numbers} == own
    assert {each.reason for each in told} == {reason}


async def test_nothing_in_clear_leaves_before_it_is_on_record(desk: Desk) -> None:
    await stands(desk, NUMBER)
    desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, REVEAL)
    await desk.lines(EXPORT)  # the key is known from now on
    desk.api.memory.failure = StorageDown(1)
    octets = await desk.octets(f"{EXPORT}?reveal=true", 503)
    assert NUMBER.encode() not in octets


async def test_hashes_are_the_partner_s_and_of_own_entries(desk: Desk) -> None:
    await stands(desk, NUMBER)
    await stands(desk, OTHER, account=0)
    [line] = await desk.lines(f"{EXPORT}?hash=acme")
    assert line["number_hash"] == hmac.digest(KEY, NUMBER.encode(), hashlib.sha256).hex()
    assert line["number_hash"].startswith("74f72ba305b51050")
    assert set(line) == {
        "number_hash", "category", "reason", "senders", "created_at", "expires_at",
    }  # fmt: skip
    row = await desk.world.connection.fetchrow("SELECT action, detail FROM audit")
    assert row is not None
    assert (row["action"], row["detail"]["partner"]) == ("suppression.export", "acme")
    for asked in ("hash=nobody", "hash=acme&reveal=true"):
        desk.api.headers = desk.api.new_key(ACCOUNT, *SCOPES, REVEAL)
        response, problem = await desk.api.get(f"{EXPORT}?{asked}")
        errors: Any = problem["errors"]
        assert (response.status, errors[0]["parameter"]) == (422, "hash")
    desk.api.headers = desk.api.new_key(ACCOUNT, "suppressions:read")
    response, _ = await desk.api.get(f"{EXPORT}?hash=acme")
    assert response.status == 403


async def test_two_systems_compare_lists_without_a_number(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one exports as hashes the other compares: each number of both, in either form."""
    monkeypatch.setattr(suppression_exports, "STEP_ROWS", 2)
    mexican = "+525512345678"
    await stands(desk, NUMBER, OTHER, mexican, *(f"+86137{n:08}" for n in range(5)))
    theirs = [NUMBER, "+8613700000003", "+5215512345678", "+447911123456"]
    body = "number_hash,category\n" + "".join(
        f"{hmac.digest(KEY, each.encode(), hashlib.sha256).hex().upper()},all\n" for each in theirs
    )
    found = await compared(desk, body)
    assert {(each["line"], each["number"]) for each in found} == {
        (2, MASKED), (3, "+86137****0003"), (4, "+5255****5678"),
    }  # fmt: skip
    assert {each["code"] for each in found} == {"match"}
    assert NUMBER not in str(found)
    detail = await desk.world.connection.fetchval("SELECT detail FROM audit")
    assert detail == {"partner": "acme", "rows": 4}
    left = await desk.world.connection.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE '%:compare'"
        " AND datname = current_database()"
    )
    assert left == 0


async def test_a_line_that_is_no_hash_is_told_and_sinks_no_other(desk: Desk) -> None:
    await stands(desk, NUMBER)
    body = f"number_hash\n{NUMBER}\n{PARTNER.hash(NUMBER).hex()}\n{'0' * 63}\n"
    found = await compared(desk, body)
    assert [(each["line"], each["code"]) for each in found] == [
        (2, "hash_invalid"), (4, "hash_invalid"), (3, "match"),
    ]  # fmt: skip
    assert NUMBER not in str(found)
    lines = f'{{"number_hash":"{PARTNER.hash(NUMBER).hex()}"}}\n'
    [match] = await compared(desk, lines, media=NDJSON, rows=1)
    assert match["reason"] == "opted_out"


async def test_a_comparison_is_refused_whole_where_it_cannot_be_made(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    response, problem = await desk.send("x", "?partner=nobody", path=COMPARE)
    assert (response.status, problem["errors"][0]["parameter"]) == (422, "partner")
    response, problem = await desk.send("phone\n1\n", "?partner=acme", path=COMPARE)
    assert (response.status, problem["code"]) == (422, "columns_invalid")
    monkeypatch.setattr(suppression_exports, "ROWS_MAX", 1)
    response, problem = await desk.send("number_hash\n1\n2\n", "?partner=acme", path=COMPARE)
    assert (response.status, problem["code"]) == (422, "rows_max")
    monkeypatch.setattr(suppression_exports, "COMPARISONS_MAX", 0)
    response, problem = await desk.send("number_hash\n1\n", "?partner=acme", path=COMPARE)
    assert (response.status, problem["code"]) == (503, "overloaded")
    assert await desk.world.count("audit") == 0


async def test_exports_at_the_same_time_are_all_on_record(desk: Desk) -> None:
    notes = [desk.exports.note(ACCOUNT, "key 7", "suppression.export", {}) for _ in range(20)]
    await asyncio.gather(*notes)
    rows = await desk.world.connection.fetch(
        "SELECT id FROM audit WHERE action = 'suppression.export'"
    )
    assert len(rows) == 20
