"""/v1/conversions: what is taken, what is refused, and with every mistake at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.web.served import Api, running_api
from web.api.conversions import ITEMS_MAX

PATH = "/v1/conversions"
GOOD = {
    "id": "order-1042",
    "event": "order",
    "click": "clk_0000000000001_aaaaaaaa",
    "value": "129.90",
    "currency": "CNY",
    "occurred_at": "2026-06-30T12:00:00+08:00",
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def tell(api: Api, status: int, **fields: object) -> Any:
    body = {name: value for name, value in {**GOOD, **fields}.items() if value is not None}
    response, answer = await api.post(PATH, msgspec.json.encode(body))
    assert response.status == status, answer
    return answer


async def test_a_conversion_is_answered_as_it_is_stored(api: Api) -> None:
    answer = await tell(api, 201)
    assert answer["id"] == "order-1042" and answer["object"] == "conversion"
    assert (answer["value"], answer["currency"]) == ("129.9", "CNY")
    assert answer["occurred_at"] == "2026-06-30T04:00:00Z"
    assert (answer["click"], answer["attribution"]) == (None, "none")


@pytest.mark.parametrize(
    ("fields", "faults"),
    [
        ({"value": "1,5"}, [("value_invalid", "/value")]),
        ({"value": "1e3"}, [("value_invalid", "/value")]),
        ({"value": "-1"}, [("value_invalid", "/value")]),
        ({"value": "１"}, [("value_invalid", "/value")]),
        ({"value": "0.1234567"}, [("value_invalid", "/value")]),
        ({"value": "1234567890123"}, [("value_invalid", "/value")]),
        ({"value": None}, [("field_missing", "/value")]),
        ({"currency": None}, [("field_missing", "/currency")]),
        ({"click": None}, [("field_missing", "/link")]),
        ({"message": "msg_0000000000001"}, [("field_missing", "/message")]),
        ({"click": "clk"[::-1]}, [("conversion_unknown", "/click")]),
        ({"click": None, "message": "msg_1"}, [("conversion_unknown", "/message")]),
        ({"occurred_at": "2023-12-31T23:59:59Z"}, [("out_of_range", "/occurred_at")]),
        ({"occurred_at": "2093-12-31T23:59:59Z"}, [("out_of_range", "/occurred_at")]),
        (
            {"value": "x", "click": "x", "occurred_at": "2093-12-31T23:59:59Z"},
            [
                ("conversion_unknown", "/click"),
                ("value_invalid", "/value"),
                ("out_of_range", "/occurred_at"),
            ],
        ),
    ],
)
async def test_every_mistake_is_named(
    api: Api, fields: dict[str, object], faults: list[tuple[str, str]]
) -> None:
    answer = await tell(api, 422, **fields)
    assert [(each["code"], each["pointer"]) for each in answer["errors"]] == faults


@pytest.mark.parametrize(
    "fields", [{"value": 129.9}, {"currency": "cny"}, {"id": ""}, {"event": "x" * 101}, {"x": 1}]
)
async def test_what_is_of_another_type_is_refused(api: Api, fields: dict[str, object]) -> None:
    await tell(api, 422, **fields)


async def test_one_that_is_wrong_does_not_keep_the_others(api: Api) -> None:
    body = {"conversions": [GOOD, {**GOOD, "value": "x"}, {"id": 1}, {**GOOD, "id": "2"}]}
    response, answer = await api.post(f"{PATH}/batch", msgspec.json.encode(body))
    assert response.status == 200
    items = answer["items"]
    assert [each["index"] for each in items] == [0, 1, 2, 3]
    assert [each["conversion"]["id"] for each in items if "conversion" in each] == [
        "order-1042", "2"
    ]  # fmt: skip
    assert items[1]["error"]["errors"][0]["pointer"] == "/conversions/1/value"
    assert all(e["pointer"].startswith("/conversions/2") for e in items[2]["error"]["errors"])


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "batch_size"),
        ([GOOD] * (ITEMS_MAX + 1), "batch_size"),
        ([{**GOOD, "value": "x"}, {}], "batch_rejected"),
    ],
)
async def test_a_batch_of_which_nothing_can_be_taken_is_refused(
    api: Api, items: list[Any], code: str
) -> None:
    response, answer = await api.post(f"{PATH}/batch", msgspec.json.encode({"conversions": items}))
    assert (response.status, answer["code"]) == (422, code)


@pytest.mark.parametrize(
    ("reference", "status", "faults"),
    [
        ("taken:", 409, [("conversion_conflict", "/id")]),
        ("taken:event", 409, [("conversion_conflict", "/event")]),
        ("taken:currency", 422, [("currency_differs", "/currency")]),
        ("taken:value,currency", 422, [("currency_differs", "/currency")]),
        (
            "taken:event,currency",
            409,
            [("conversion_conflict", "/event"), ("conversion_conflict", "/currency")],
        ),
    ],
)
async def test_what_differs_under_a_known_id_is_named(
    api: Api, reference: str, status: int, faults: list[tuple[str, str]]
) -> None:
    answer = await tell(api, status, id=reference)
    assert [(each["code"], each["pointer"]) for each in answer["errors"]] == faults
    body = {"conversions": [{**GOOD, "id": reference}]}
    _, batch = await api.post(f"{PATH}/batch", msgspec.json.encode(body))
    [item] = batch["items"]
    assert item["error"]["code"] == faults[0][0]
