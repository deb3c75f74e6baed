"""/v1/caps over a real database: made, refused with its mistake, changed, ended, and on record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from campaigns.caps.desk import CAPS_MAX, CapDesk
from campaigns.segments.desk import SegmentDesk
from storage.ids import IdSource
from storage.pool import Connection, Database
from tests.web.nobody import NoSegments
from tests.web.rooms.messages import NOW_MS
from tests.web.served import Api, running_api
from web.segment_services import SegmentRooms

PATH = "/v1/caps"


@pytest.fixture
async def database(database_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(
        database_url, tmp_path, application_name="caps", read_connections=2
    )
    yield database
    await database.close()


@pytest.fixture
async def told() -> list[int]:
    return []


@pytest.fixture
async def api(database: Database, connection: Connection, told: list[int]) -> AsyncIterator[Api]:
    await connection.execute(
        "INSERT INTO account (id, name) OVERRIDING SYSTEM VALUE VALUES (1, 'shop'), (2, 'other')"
    )
    await connection.execute("INSERT INTO tag_def (account, name) VALUES (1, 'vip'), (2, 'theirs')")
    ids = IdSource(7, lambda: NOW_MS)
    desk = CapDesk(database.read, database.dedicated("caps"), ids, told.append)
    segments = SegmentDesk(database.read, database.dedicated("segments"), ids)
    async with running_api(caps=desk, segments=SegmentRooms(segments, NoSegments())) as api:
        yield api
    await segments.close()


async def made(api: Api, status: int = 201, **body: object) -> Any:
    response, answer = await api.post(PATH, body)
    assert response.status == status, answer
    return answer


async def patched(api: Api, cap: Any, status: int, **given: object) -> Any:
    headers = {"If-Match": f'"{cap["version"]}"', "Content-Type": "application/json"}
    body = msgspec.json.encode(given)
    response, answer = await api.call("PATCH", f"{PATH}/{cap['id']}", body, headers)
    assert response.status == status, answer
    return answer


async def test_a_cap_is_made_shown_changed_and_ended(
    api: Api, connection: Connection, told: list[int]
) -> None:
    cap = await made(api, tag="vip", week=3, month=8)
    assert (cap["tag"], cap["segment"], cap["day"], cap["week"]) == ("vip", None, None, 3)
    response, shown = await api.get(f"{PATH}/{cap['id']}")
    assert (shown, response.headers["ETag"]) == (cap, '"1"')
    changed = await patched(api, cap, 200, week=None, day=0)
    assert (changed["day"], changed["week"], changed["month"], changed["version"]) == (
        0,
        None,
        8,
        2,
    )
    assert (await patched(api, changed, 200, day=0))["version"] == 2, "nothing is different"
    assert (await patched(api, cap, 412, week=1))["type"].endswith("#version_conflict")
    _, page = await api.get(PATH)
    assert page["data"] == [changed]
    response, _ = await api.call("DELETE", f"{PATH}/{cap['id']}", None, {})
    assert response.status == 204
    response, _ = await api.get(f"{PATH}/{cap['id']}")
    assert response.status == 404
    rows = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == ["cap.create", "cap.change", "cap.delete"]
    assert rows[0]["detail"] == {"cap": cap["id"], "day": None, "week": 3, "month": 8}
    assert set(told) == {1}


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"week": 1}, 422, "cap_invalid", "/tag"),
        ({"tag": "vip", "segment": "x", "week": 1}, 422, "cap_invalid", "/tag"),
        ({"tag": "vip"}, 422, "cap_invalid", "/week"),
        ({"tag": "theirs", "week": 1}, 422, "group_unknown", "/tag"),
        ({"segment": "none", "week": 1}, 422, "group_unknown", "/segment"),
        ({"tag": "vip", "week": -1}, 422, "field_type", "/week"),
        ({"tag": "vip", "week": 1001}, 422, "field_type", "/week"),
        ({"tag": "vip", "week": "1"}, 422, "field_type", "/week"),
        ({"tag": "vip", "week": 1, "hour": 1}, 422, "field_unknown", "/hour"),
        ({"tag": "a\0b", "week": 1}, 422, "field_type", "/tag"),
    ],
)
async def test_what_is_no_cap_is_refused(
    api: Api, connection: Connection, body: dict[str, object], status: int, code: str, pointer: str
) -> None:
    problem = await made(api, status, **body)
    assert [(each["code"], each["pointer"]) for each in problem["errors"]] == [(code, pointer)]
    assert await connection.fetchval("SELECT count(*) FROM group_cap") == 0
    assert await connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_a_group_has_one_cap_and_an_account_so_many(api: Api, connection: Connection) -> None:
    body = {"tag": "vip", "week": 3}
    answers = await asyncio.gather(*(api.post(PATH, body) for _ in range(3)))
    assert sorted(response.status for response, _ in answers) == [201, 409, 409]
    headers = {"Idempotency-Key": "once"}
    await connection.execute(
        "INSERT INTO tag_def (account, name) SELECT 1, 't' || n FROM generate_series(1, 60) AS n"
    )
    twice = [await api.post(PATH, {"tag": "t1", "day": 1}, headers) for _ in range(2)]
    assert [response.status for response, _ in twice] == [201, 201]
    assert twice[0][1] == twice[1][1]
    for n in range(2, CAPS_MAX):
        await made(api, tag=f"t{n}", day=1)
    assert (await made(api, 409, tag="t60", day=1))["type"].endswith("#caps_max")
    page: Any = (await api.get(PATH))[1]
    vip = next(each for each in page["data"] if each["tag"] == "vip")
    await patched(api, vip, 422, week=None)


async def test_a_segment_with_a_cap_stays(api: Api) -> None:
    _, segment = await api.post("/v1/segments", {"name": "picked"})
    cap = await made(api, segment="picked", month=0)
    assert (cap["segment"], cap["members"], cap["fault"]) == ("picked", None, None)
    response, problem = await api.call("DELETE", f"/v1/segments/{segment['id']}", None, {})
    assert (response.status, problem["detail"]) == (409, 'a cap is for "picked"')
    await api.call("DELETE", f"{PATH}/{cap['id']}", None, {})
    response, _ = await api.call("DELETE", f"/v1/segments/{segment['id']}", None, {})
    assert response.status == 204


async def test_another_accounts_cap_is_not_there(api: Api, connection: Connection) -> None:
    cap = await connection.fetchval(
        "INSERT INTO group_cap (id, account, tag, week)"
        " SELECT 77, 2, id, 1 FROM tag_def WHERE account = 2 RETURNING id"
    )
    assert cap == 77
    _, page = await api.get(PATH)
    assert page["data"] == []
    path = f"{PATH}/cap_000000000002D"
    assert (await api.get(path))[0].status == 404
    assert (await api.call("DELETE", path, None, {}))[0].status == 404
    assert await connection.fetchval("SELECT count(*) FROM group_cap") == 1
