"""/v1/persons: all of one person handed out as lines, or erased, for a reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from dispatch.inbound.reading import InboundMessages
from gateway.wiring.persons import steps
from messages.person_steps import waiting
from messages.reading.reader import Messages
from recipients.erasing import Erasing
from recipients.persons import Persons
from storage.ids import IdSource, format_id
from storage.names import Registry
from tests.dispatch.world import VAULT, World, running, wall_ms
from tests.gateway.wiring.person import Life
from tests.web.served import Api, running_api
from web.api.persons import ERASE, EXPORT

NUMBER, MARKER = "+8613812345678", "Wang-Xiaoming"
ASKED = {"number": NUMBER, "reason": "letter 4711"}


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as made:
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    persons = Persons(
        world.database.read,
        world.database.dedicated("persons"),
        vault=VAULT,
        ids=IdSource(3, lambda: wall_ms() + 60_000),
        steps=steps(VAULT),
        waits=waiting,
    )
    registry = Registry({"shop": 1}, {"carrier-a": 1})
    async with running_api(
        persons=persons,
        messages=Messages(world.database.read, registry, VAULT),
        inbound=InboundMessages(world.database.read, registry, VAULT),
    ) as made:
        yield made


async def test_an_export_is_lines_of_json(api: Api, world: World) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    async with api.session.post(
        f"{api.url}/v1/persons/export", json=ASKED, headers=api.headers
    ) as response:
        assert response.status == 200
        assert response.content_type == "application/x-ndjson"
        assert response.headers["Cache-Control"] == "no-store"
        first, *rows, last = [json.loads(line) async for line in response.content]
    assert first["number"] == NUMBER
    assert all("table" in row for row in rows)
    assert "id" in next(row for row in rows if row["table"] == "message")
    assert last == {"rows": len(rows), "complete": True}
    assert MARKER in str(rows)


async def test_an_erasure_is_followed_until_it_is_done(api: Api, world: World) -> None:
    await Life(world.connection, NUMBER, MARKER).live()
    response, begun = await api.post("/v1/persons/erase", ASKED)
    assert (response.status, begun["state"], begun["rows"]) == (202, "running", {})
    place = response.headers["Location"]
    assert place == f"/v1/persons/erasures/{begun['id']}"
    erasing = Erasing(VAULT, world.ids, steps(VAULT), waiting)
    while await erasing.turn(world.connection):
        pass
    _, done = await api.get(place)
    assert (done["state"], done["table"]) == ("done", None)
    assert done["rows"]["message"] == 1
    response, _ = await api.get(place, api.new_key(2, ERASE))
    assert response.status == 404


async def test_readers_show_that_a_person_was_erased(api: Api, world: World) -> None:
    message = format_id("msg", await Life(world.connection, NUMBER, MARKER).live())
    _, before = await api.get(f"/v1/messages/{message}")
    assert (before["to"], before.get("erased")) == ("+86138****5678", None)
    await api.post("/v1/persons/erase", ASKED)
    unreadable = VAULT.unreadable
    erasing = Erasing(VAULT, world.ids, steps(VAULT), waiting)
    while await erasing.turn(world.connection):
        pass
    _, after = await api.get(f"/v1/messages/{message}")
    assert (after["to"], after["erased"], after["status"]) == (None, True, "delivered")
    assert "to_unreadable" not in after
    _, page = await api.get("/v1/inbound")
    (wrote,) = page["data"]
    assert (wrote["from"], wrote["erased"], wrote["text"]) == (None, True, None)
    assert VAULT.unreadable == unreadable, "what is not there is not unreadable"


async def test_while_a_message_waits_the_answer_says_which(api: Api, world: World) -> None:
    await world.store([world.message(to=NUMBER)])
    response, body = await api.post("/v1/persons/erase", ASKED)
    assert (response.status, body["code"]) == (409, "person_waits")
    assert "1 messages have no end yet, the first is msg_" in str(body["detail"])


@pytest.mark.parametrize("path", ["/v1/persons/export", "/v1/persons/erase"])
@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        ({"reason": ""}, ["/reason"]),
        ({"reason": "x" * 501}, ["/reason"]),
        ({"reason": "a\nb"}, ["/reason"]),
        ({"number": "12", "reason": ""}, ["/number", "/reason"]),
        ({"name": "Wang"}, ["/name"]),
    ],
)
async def test_what_is_wrong_is_all_told_and_nothing_is_stored(
    api: Api, world: World, path: str, wrong: dict[str, str], pointers: list[str]
) -> None:
    response, body = await api.post(path, {**ASKED, **wrong})
    assert response.status == 422
    assert sorted(each["pointer"] for each in body["errors"]) == pointers
    response, body = await api.post(path, {"number": NUMBER})
    assert (response.status, body["code"]) == (422, "field_missing")
    for table in ("audit", "person_erasure"):
        assert await world.connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_admin_alone_is_not_enough(api: Api) -> None:
    for path, scope in (("/v1/persons/export", EXPORT), ("/v1/persons/erase", ERASE)):
        response, body = await api.post(path, ASKED, api.new_key(1, "admin"))
        assert (response.status, body["code"]) == (403, "scope_missing")
        headers = {**api.headers, **api.new_key(1, scope)}
        async with api.session.post(api.url + path, json=ASKED, headers=headers) as answer:
            assert answer.status in (200, 202)
