"""/v1/raw-deliveries over a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatch.raw.desk import RawDesk
from dispatch.raw.kept import Kept
from dispatch.raw.rows import keep
from dispatch.raw.unclear import Unclear
from smpp.encoding import TextSettings
from smpp.pdu import DeliverSm, encode
from storage.names import Registry
from tests.dispatch.world import CONNECTOR, VAULT, World, running
from tests.web.served import Api, running_api

PATH = "/v1/raw-deliveries?connector=carrier-a"
SCOPES = ("connectors:read", "numbers:reveal")
PDU = DeliverSm(0, source_addr=b"8613812345678", esm_class=0x04, short_message=b"not a receipt")


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        kept = [
            Kept(world.ids.next(), CONNECTOR, True, unclear, PDU)
            for unclear in (Unclear.PARKED, Unclear.UNREADABLE, None)
        ]
        await keep(world.connection, VAULT, kept)
        yield world


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    desk = RawDesk(
        world.database.read,
        vault=VAULT,
        registry=Registry({}, {"carrier-a": CONNECTOR, "carrier-b": CONNECTOR + 1}),
        texts=lambda _connector: TextSettings(),
    )
    async with running_api(raw_deliveries=desk) as api:
        api.headers = api.new_key(1, *SCOPES)
        yield api


async def page(api: Api, query: str = "") -> Any:
    response, body = await api.get(PATH + query)
    assert response.status == 200, body
    return body


async def test_e94_raw_deliveries_are_shown_with_what_they_say_and_on_record(api: Api) -> None:
    found = await page(api, "&unclear=unreadable")
    [one] = found["data"]
    assert (one["taken_for"], one["unclear"], one["cut"]) == ("receipt", "unreadable", False)
    assert bytes.fromhex(one["body"]) == encode(PDU)[16:]
    assert one["decoded"]["text"] == "not a receipt"
    assert one["decoded"]["source"] == "8613812345678"
    [(_, _, revealed)] = api.memory.revealed
    assert (revealed.list, revealed.connector) == ("raw_deliveries", "carrier-a")
    assert (revealed.rows, revealed.first) == (1, one["id"])


async def test_e94_raw_deliveries_are_paged_and_of_one_connector(api: Api) -> None:
    first = await page(api, "&limit=2")
    rest = await page(api, f"&limit=2&cursor={first['next_cursor']}")
    assert [each["unclear"] for each in first["data"] + rest["data"]] == [
        None, "unreadable", "parked",
    ]  # fmt: skip
    assert rest["next_cursor"] is None
    assert (await page(api, "&until=2024-01-01T00:00:00Z"))["data"] == []
    response, body = await api.get("/v1/raw-deliveries?connector=carrier-b")
    assert body["data"] == []
    for query in ("", "?connector=nobody"):
        response, body = await api.get(f"/v1/raw-deliveries{query}")
        assert (response.status, body["code"]) == (422, "parameter_invalid")


@pytest.mark.parametrize(
    "scopes", [("connectors:read",), ("admin",), ("numbers:reveal", "inbound:read")]
)
async def test_e94_raw_deliveries_want_both_scopes(api: Api, scopes: tuple[str, ...]) -> None:
    response, body = await api.get(PATH, api.new_key(1, *scopes))
    assert (response.status, body["code"]) == (403, "scope_missing")
    assert api.memory.revealed == []


async def test_e94_o13_a_delivery_that_cannot_be_opened_leaves_the_others(
    api: Api, world: World
) -> None:
    await world.connection.execute(
        "UPDATE raw_delivery SET body_enc = '\\x00' WHERE unclear = 'parked'"
    )
    bodies = [each["body"] is None for each in (await page(api))["data"]]
    assert bodies == [False, False, True]
