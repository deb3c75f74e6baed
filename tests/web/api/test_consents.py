"""/v1/consents over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from recipients.consent_desk import ConsentDesk
from tests.dispatch.world import VAULT, running
from tests.web.served import Api, running_api

PATH = "/v1/consents"
NUMBER, MASKED = "+8613812345678", "+86138****5678"
GOOD = {"to": NUMBER, "action": "granted", "source": "website"}


@pytest.fixture
async def api(database_url: str) -> AsyncIterator[Api]:
    async with running(database_url) as world:
        desk = ConsentDesk(world.database.read, world.database.dedicated("consents"), VAULT)
        async with running_api(consents=desk) as api:
            api.headers = api.new_key(1, "consents:read", "consents:write")
            yield api
            await desk.close()


async def post(api: Api, **fields: object) -> Any:
    response, body = await api.post(PATH, msgspec.json.encode({**GOOD, **fields}))
    return body if response.status == 201 else (body["code"], body["errors"])


async def test_what_is_recorded_is_read_back_masked_and_by_page(api: Api) -> None:
    first = await post(api, text_version="v3", evidence="form 7", at="2026-07-01T08:00:00+08:00")
    assert (first["to"], first["category"], first["action"]) == (MASKED, "marketing", "granted")
    assert first["at"] == "2026-07-01T00:00:00Z"
    second = await post(api, to="+8613912345678", category="service")
    third = await post(api, action="withdrawn")
    _, page = await api.get(f"{PATH}?limit=2")
    assert page["data"] == [third, second]
    response, rest = await api.get(f"{PATH}?limit=2&cursor={page['next_cursor']}")
    assert (response.status, rest) == (200, {"data": [first], "next_cursor": None})
    _, of_one = await api.get(f"{PATH}?to=%2B8613812345678")
    assert of_one["data"] == [third, first]
    _, of_others = await api.get(PATH, api.new_key(2, "consents:read"))
    assert of_others["data"] == []


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"to": "13812345678"}, "number_invalid", "/to"),
        ({"action": "maybe"}, "field_type", "/action"),
        ({"source": ""}, "field_type", "/source"),
        ({"evidence": "a\x00"}, "field_type", "/evidence"),
        ({"at": "2100-01-01T00:00:00Z"}, "out_of_range", "/at"),
        ({"at": "0001-01-01T00:00:00+14:00"}, "out_of_range", "/at"),
        ({"texts": "x"}, "field_unknown", "/texts"),
        ({"address": "203.0.113"}, "address_invalid", "/address"),
        ({"address": "fe80::1%eth0"}, "address_invalid", "/address"),
        ({"channel": "pigeon"}, "field_type", "/channel"),
        ({"incentive": ""}, "field_type", "/incentive"),
    ],
)
async def test_what_cannot_be_a_consent_is_refused(
    api: Api, fields: dict[str, object], code: str, pointer: str
) -> None:
    found, errors = await post(api, **fields)
    assert (found, errors[0]["pointer"]) == (code, pointer)


FACTS = {
    "purpose": "offers", "channel": "web", "text_version": "2026-06", "operator": "Li",
    "address": "203.0.113.7", "evidence": "form 7", "incentive": "coupon of 10",
}  # fmt: skip


async def test_k7_every_fact_of_a_consent_is_kept_and_what_is_missing_is_told(api: Api) -> None:
    whole = await post(api, **FACTS)
    assert {name: whole[name] for name in FACTS} == {**FACTS, "address": "203.0.113.0/24"}
    assert whole["missing"] == []
    bare = await post(api)
    assert bare["missing"] == ["purpose", "channel", "text_version", "evidence", "operator"]
    assert all(bare[name] is None for name in FACTS)
    withdrawn = await post(api, action="withdrawn")
    assert withdrawn["missing"] == []
    api.headers = api.new_key(1, "consents:read", "numbers:reveal")
    _, page = await api.get(f"{PATH}?reveal=true")
    data: Any = page["data"]
    assert [each["address"] for each in data] == [None, None, "203.0.113.7"]


async def test_k7_all_mistakes_of_a_consent_are_told_at_once(api: Api) -> None:
    _, errors = await post(api, to="1", address="x", purpose="", channel="x", at="never")
    wanted = {"/to", "/address", "/purpose", "/channel", "/at"}
    assert {each["pointer"] for each in errors} == wanted


async def test_reading_and_writing_take_their_scopes(api: Api) -> None:
    response, _ = await api.get(PATH, api.new_key(1, "consents:write"))
    assert response.status == 403
    body = msgspec.json.encode(GOOD)
    response, _ = await api.post(PATH, body, api.new_key(1, "consents:read"))
    assert response.status == 403


async def test_h12_o13_consents_are_in_clear_with_the_scope_and_a_damaged_number_is_marked(
    api: Api, database_url: str
) -> None:
    await post(api)
    async with running(database_url) as world:
        await world.connection.execute(
            "INSERT INTO consent (account, category, to_idx, to_enc, granted, source, at)"
            " SELECT account, category, to_idx, '\\x00', granted, source, at FROM consent"
        )
    response, body = await api.get(f"{PATH}?reveal=true")
    assert (response.status, body["code"]) == (403, "scope_missing")
    api.headers = api.new_key(1, "consents:read", "numbers:reveal")
    response, body = await api.get(f"{PATH}?reveal=true")
    data: Any = body["data"]
    assert [(each["to"], each.get("to_unreadable")) for each in data] == [
        (None, True), (NUMBER, None),
    ]  # fmt: skip
    [(account, _, revealed)] = api.memory.revealed
    assert (account, revealed.list, revealed.rows) == (1, "consents", 2)
