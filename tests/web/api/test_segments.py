"""/v1/segments over a real database: made, refused with every mistake, changed, counted, ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from campaigns.segments.checking import checked
from campaigns.segments.desk import SegmentDesk
from campaigns.segments.names import Names
from campaigns.segments.previews import WAITING_MAX, Previews
from campaigns.segments.typed import Typed
from storage.crypto import NumberVault
from storage.faults import Overloaded
from storage.ids import IdSource, format_id
from storage.keys import NumberKeys
from storage.pool import Connection, Database
from tests.campaigns.segments.people import ACCOUNT, MOMENT, people, store
from tests.web.nobody import NoSegments
from tests.web.served import Api, running_api
from web.segment_services import SegmentRooms

PATH = "/v1/segments"
NOW_MS = int(MOMENT.now.timestamp() * 1000)
PEOPLE = people(60, seed=7)
NUMBER = "+8613812345678"


@pytest.fixture
def vault() -> NumberVault:
    return NumberVault(NumberKeys(bytes(range(64))))


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, tmp_path, application_name="segments", read_connections=2
    )
    yield database
    await database.close()


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[SegmentDesk]:
    desk = SegmentDesk(database.read, database.dedicated("segments"), IdSource(7, lambda: NOW_MS))
    yield desk
    await desk.close()


@pytest.fixture
async def api(
    desk: SegmentDesk, database: Database, vault: NumberVault, connection: Connection
) -> AsyncIterator[Api]:
    await store(connection, PEOPLE)
    await connection.execute(
        "INSERT INTO attribute_def (account, name, type, personal) VALUES"
        " (1, 'city', 'text', false), (1, 'level', 'number', true), (1, 'expires', 'date', true)"
    )
    await connection.execute("INSERT INTO tag_def (account, name) VALUES (1, 'VIP')")
    counter = counting(database, vault)
    async with running_api(segments=SegmentRooms(desk, counter)) as api:
        yield api


def counting(database: Database, vault: NumberVault, seconds_max: float = 30) -> Previews:
    return Previews(
        database.read,
        vault,
        zone_of=lambda account: MOMENT.zone,
        wall_ms=lambda: NOW_MS,
        seconds_max=seconds_max,
    )


async def made(api: Api, name: str, source: str | None, status: int = 201) -> Any:
    body = {"name": name} if source is None else {"name": name, "source": source}
    response, answer = await api.post(PATH, body)
    assert response.status == status, answer
    return answer


async def patched(api: Api, segment: Any, status: int, **given: object) -> Any:
    headers = {"If-Match": f'"{segment["version"]}"', "Content-Type": "application/json"}
    response, answer = await api.call("PATCH", f"{PATH}/{segment['id']}", encoded(given), headers)
    assert response.status == status, answer
    return answer


def encoded(body: object) -> bytes:
    return msgspec.json.encode(body)


def columns(problem: Any) -> list[tuple[int, str]]:
    assert {each["pointer"] for each in problem["errors"]} == {"/source"}
    return [(each["column"], each["code"]) for each in problem["errors"]]


async def test_a_segment_is_made_listed_changed_and_ended(api: Api, connection: Connection) -> None:
    segment = await made(api, "北京", 'city = "北京"')
    assert (segment["kind"], segment["version"], segment["counted"]) == ("dynamic", 1, None)
    response, shown = await api.get(f"{PATH}/{segment['id']}")
    assert (shown, response.headers["ETag"]) == (segment, '"1"')
    wider = await made(api, "wider", 'segment("北京") or city = "广州"')
    assert wider["refers_to"] == ["北京"]
    changed = await patched(api, wider, 200, source='segment("北京") or level > 1', note="for May")
    assert (changed["version"], changed["note"]) == (2, "for May")
    _, page = await api.get(f"{PATH}?limit=2")
    data: Any = page["data"]
    assert [each["name"] for each in data] == ["picked", "北京"]
    _, page = await api.get(f"{PATH}?limit=2&cursor={page['next_cursor']}")
    assert page == {"data": [changed], "next_cursor": None}
    _, named = await api.get(f"{PATH}?name=北京")
    assert named["data"] == [segment]
    response, _ = await api.call("DELETE", f"{PATH}/{wider['id']}", None, {"If-Match": '"1"'})
    assert response.status == 412
    for status in (204, 404):
        response, _ = await api.call("DELETE", f"{PATH}/{wider['id']}", None, {})
        assert response.status == status
    rows = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == [
        "segment.create", "segment.create", "segment.change", "segment.delete",
    ]  # fmt: skip
    assert rows[2]["detail"] == {"segment": wider["id"], "changed": ["note", "source"]}


async def test_every_mistake_is_told_with_its_column_and_nothing_is_stored(
    api: Api, connection: Connection
) -> None:
    source = 'city = 1 and citi = 2 or tag("VOP") and level > 2026-11-11'
    problem = await made(api, "x", source, 422)
    assert columns(problem) == [
        (8, "segment_invalid"), (14, "segment_invalid"), (26, "segment_invalid"),
        (49, "segment_invalid"),
    ]  # fmt: skip
    assert "is it city?" in problem["errors"][1]["detail"]
    problem = await made(api, "x", "(" * 17 + "has city" + ")" * 17, 422)
    assert columns(problem) == [(17, "segment_too_complex")]
    response, problem = await api.post(f"{PATH}/preview", {"source": "city ="})
    assert (response.status, columns(problem)) == (422, [(7, "segment_invalid")])
    assert await connection.fetchval("SELECT count(*) FROM segment") == 1
    assert await connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_a_nul_in_a_name_is_told_with_its_column(api: Api) -> None:
    for path, name in ((f"{PATH}/preview", {}), (PATH, {"name": "x"})):
        response, problem = await api.post(path, {"source": 'segment("a\0b")', **name})
        errors: Any = problem["errors"]
        assert (response.status, problem["code"]) == (422, "segment_invalid")
        assert 9 in [each["column"] for each in errors]


async def test_a_change_wants_the_version_that_was_seen(api: Api) -> None:
    segment = await made(api, "a", "has city")
    changed = await patched(api, segment, 200, source="has level")
    problem = await patched(api, segment, 412, source="has expires")
    assert problem["code"] == "version_conflict"
    body = encoded({"note": "x"})
    for tag, status in ((None, 428), ("3", 412), ("*", 412)):
        headers = {"Content-Type": "application/json"} | ({"If-Match": tag} if tag else {})
        response, _ = await api.call("PATCH", f"{PATH}/{segment['id']}", body, headers)
        assert response.status == status
    assert (await patched(api, changed, 200, source="has level"))["version"] == 2


async def test_a_repeated_request_makes_one(api: Api) -> None:
    key = {"Idempotency-Key": "segment-1"}
    body = {"name": "once", "source": "has city"}
    response, first = await api.post(PATH, body, key)
    assert response.status == 201
    response, again = await api.post(PATH, body, key)
    assert (response.headers["Idempotency-Replayed"], again) == ("true", first)
    assert (await made(api, "once", "has city", 409))["code"] == "segment_name_taken"


async def test_c39_no_change_makes_a_circle_or_breaks_who_refers_to_it(api: Api) -> None:
    base = await made(api, "base", "has city")
    middle = await made(api, "middle", 'segment("base") and has level')
    await made(api, "top", 'not segment("middle")')
    problem = await patched(api, base, 422, source='segment("top")')
    assert "base -> top -> middle -> base" in problem["detail"]
    itself = await patched(api, base, 422, source='segment("base")')
    assert "base -> base" in itself["detail"]
    renamed = await patched(api, base, 409, name="other")
    assert "middle" in renamed["detail"]
    response, problem = await api.call("DELETE", f"{PATH}/{middle['id']}", None, {})
    assert (response.status, problem["code"]) == (409, "segment_in_use")
    # With `or`, `and has level` and `not` of the others these are 200.
    many = " or ".join(["has level"] * 196)
    wide = await patched(api, base, 200, source=many)
    await patched(api, wide, 409, source=f"{many} or has city")
    assert (await patched(api, wide, 200, note="kept"))["version"] == 3


async def test_others_have_their_turn_while_a_change_looks_at_all_that_lead_to_it(
    api: Api, connection: Connection
) -> None:
    base, count = await made(api, "base", "has city"), 60
    await connection.executemany(
        "INSERT INTO segment (id, account, name, source, refers_to)"
        " VALUES ($1, 1, $2, 'segment(\"base\") or has level', '{base}')",
        [(n, f"over {n}") for n in range(1, count + 1)],
    )
    turns, seen = 0, []

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def looked_at(source: str, names: Names) -> Typed:
        seen.append(turns)
        return checked(source, names)

    beside = asyncio.create_task(others())
    with pytest.MonkeyPatch.context() as desk_module:
        desk_module.setattr("campaigns.segments.desk.checked", looked_at)
        await patched(api, base, 200, source="has level")
    beside.cancel()
    assert len(seen) == count + 1
    assert len(set(seen)) == len(seen), "two of them fell into one turn"


async def test_a_preview_counts_shows_some_masked_and_says_who_lacks_what(
    api: Api, connection: Connection, vault: NumberVault
) -> None:
    here = [person for person in PEOPLE if person.attributes.get("city") == "北京"]
    await connection.execute(
        "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
        " VALUES ($1, $2, $3, $4, 0)",
        ACCOUNT, vault.index(NUMBER), vault.seal(NUMBER), here[0].id,
    )  # fmt: skip
    source = 'city = "北京" and (level >= -100 or not has level or days_until(expires) < 3)'
    response, preview = await api.post(f"{PATH}/preview", {"source": source, "sample": 100})
    assert response.status == 200
    assert (preview["contacts"], preview["inside"]) == (len(PEOPLE), len(here))
    sample: Any = preview["sample"]
    assert [each["contact"] for each in sample] == [format_id("con", each.id) for each in here]
    assert (sample[0]["to"], sample[1]["to"]) == ("+86138****5678", None)
    assert {tuple(each["attributes"].items()) for each in sample} == {(("city", "北京"),)}
    assert preview["lacking"] == [
        {"value": name, "contacts": sum(name not in each.attributes for each in PEOPLE)}
        for name in ("city", "level", "expires")
    ]
    assert (preview["today"], preview["zone"]) == ("2027-02-28", "Asia/Shanghai")
    assert preview["now"] == "2027-02-27T16:30:00Z"


async def test_the_preview_of_a_segment_is_kept_with_its_moment(api: Api) -> None:
    segment = await made(api, "a", "has city")
    _, preview = await api.call("POST", f"{PATH}/{segment['id']}/preview", None, {})
    _, shown = await api.get(f"{PATH}/{segment['id']}")
    kept = ("contacts", "inside", "now", "today", "zone")
    assert shown["counted"] == {"version": 1, **{name: preview[name] for name in kept}}
    _, named = await api.get(f"{PATH}?name=picked")
    static: Any = named["data"]
    _, preview = await api.post(f"{PATH}/{static[0]['id']}/preview", {"sample": 0})
    assert (preview["inside"], preview["sample"]) == (20, [])


async def test_members_of_a_static_segment_come_and_go(api: Api, connection: Connection) -> None:
    await connection.execute("UPDATE contact SET external_id = 'u-' || id")
    await connection.execute("UPDATE contact SET merged_into = 3 WHERE id = 9")
    segment = await made(api, "hand-picked", None)
    path = f"{PATH}/{segment['id']}/members"
    _, refused = await api.post(path, {"add": [{"external_id": "a\0"}]})
    assert refused["errors"][0]["pointer"] == "/add/0/external_id"
    asked = [{"external_id": "u-1"}, {"contact": format_id("con", 2)}, {"external_id": "gone"},
             {"contact": "msg_1"}, {"external_id": "u-9"}]  # fmt: skip
    response, done = await api.post(path, {"add": asked})
    assert (response.status, done) == (
        200, {"added": 3, "removed": 0, "unknown": ["/add/2", "/add/3"]},
    )  # fmt: skip
    _, page = await api.get(f"{path}?limit=2")
    data: Any = page["data"]
    assert [each["external_id"] for each in data] == ["u-1", "u-2"]
    _, page = await api.get(f"{path}?limit=2&cursor={page['next_cursor']}")
    data = page["data"]
    assert [each["external_id"] for each in data] == ["u-3"]
    _, done = await api.post(path, {"add": [{"external_id": "u-1"}], "remove": asked[1:2]})
    assert done == {"added": 0, "removed": 1, "unknown": []}
    response, problem = await api.post(path, {"add": [{}, {"contact": "a", "external_id": "b"}]})
    assert [each["pointer"] for each in problem["errors"]] == ["/add/0", "/add/1"]
    dynamic = await made(api, "dynamic", "has city")
    response, _ = await api.post(f"{PATH}/{dynamic['id']}/members", {"add": asked})
    assert response.status == 409
    assert (await patched(api, segment, 409, source="has city"))["code"] == "segment_wrong_kind"


async def test_what_is_anothers_is_not_there(api: Api) -> None:
    segment = await made(api, "mine", "has city")
    other = api.new_key(2, "segments:read", "segments:write")
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("POST", "/preview"), ("GET", "/members"),
    ):  # fmt: skip
        response, _ = await api.call(method, f"{PATH}/{segment['id']}{path}", None, other)
        assert response.status == 404
    response, _ = await api.post(f"{PATH}/preview", {"source": 'segment("mine")'}, other)
    assert response.status == 422


async def test_a_segment_that_takes_too_long_is_given_up(
    database: Database, vault: NumberVault, connection: Connection
) -> None:
    async with connection.transaction():
        await connection.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
        rooms = SegmentRooms(NoSegments(), counting(database, vault, 0.05))
        async with running_api(segments=rooms) as api:
            response, problem = await api.post(f"{PATH}/preview", {"source": 'source("x")'})
    assert (response.status, problem["code"]) == (503, "segment_too_slow")


async def test_previews_that_wait_are_bounded(
    database: Database, vault: NumberVault, connection: Connection
) -> None:
    counter = counting(database, vault)
    async with connection.transaction():
        await connection.execute("LOCK TABLE contact IN ACCESS EXCLUSIVE MODE")
        asked = [
            asyncio.create_task(counter.preview(1, 'source("x")', sample=0))
            for _ in range(WAITING_MAX)
        ]
        await asyncio.sleep(0)  # each is in
        with pytest.raises(Overloaded):
            await counter.preview(1, 'source("x")', sample=0)
    found = await asyncio.gather(*asked)
    assert {each.inside for each in found} == {0}


async def test_every_preset_is_a_segment_once_the_account_has_what_it_needs(
    api: Api, connection: Connection
) -> None:
    _, presets = await api.get(f"{PATH}/presets")
    data: Any = presets["data"]
    assert len(data) >= 5
    needed = {name: kind for each in data for name, kind in each["attributes"].items()}
    await connection.executemany(
        "INSERT INTO attribute_def (account, name, type) VALUES (1, $1, $2)", needed.items()
    )
    for name in {name for each in data for name in each["segments"]}:
        await made(api, name, None)
    for each in data:
        response, answer = await api.post(f"{PATH}/preview", {"source": each["source"]})
        assert response.status == 200, answer


async def test_c41_segments_are_shown_without_looking_at_anybody(
    api: Api, connection: Connection
) -> None:
    segment = await made(api, "a", "count(login, 90d) > 1")
    await api.call("POST", f"{PATH}/{segment['id']}/preview", None, {})
    async with connection.transaction():
        for table in ("contact", "contact_event", "engagement"):
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        _, page = await api.get(PATH)
        _, one = await api.get(f"{PATH}/{segment['id']}")
    data: Any = page["data"]
    assert one == data[-1]
    assert data[-1]["counted"]["contacts"] == len(PEOPLE)


async def test_c42_a_send_an_event_or_a_contact_changes_no_segment(connection: Connection) -> None:
    """Nothing is kept up to date by a trigger: a segment is counted when somebody asks."""
    triggers = await connection.fetchval(
        "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY($1::regclass[])",
        ["message", "submission", "contact", "contact_event", "engagement", "segment_member"],
    )
    assert triggers == 0
