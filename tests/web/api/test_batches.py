"""Batches: one bad message never sinks the others, and every one is answered in its place."""

from __future__ import annotations

import asyncio

import pytest

from gateway.config.settings import HttpSettings
from tests.web.api.test_messages import BATCH, GOOD, URL
from tests.web.rooms.messages import SUPPRESSED_NUMBER
from tests.web.served import Api, running_api


async def test_each_message_is_answered_in_its_place(api: Api) -> None:
    messages = [
        GOOD,
        {**GOOD, "to": "1"},
        {**GOOD, "to": SUPPRESSED_NUMBER},
        [],
        {**GOOD, "txt": "x"},
        GOOD,
    ]
    response, body = await api.post(BATCH, {"messages": messages})
    assert response.status == 202
    assert (body["accepted"], body["rejected"], body["suppressed"]) == (3, 3, 1)
    items = body["items"]
    assert isinstance(items, list)
    assert [item["index"] for item in items] == list(range(6))
    assert [item.get("status") for item in items] == [
        "accepted", None, "suppressed", None, None, "accepted"
    ]  # fmt: skip
    assert items[2]["reason"] == "opted_out"
    assert [items[n]["error"]["code"] for n in (1, 3, 4)] == [
        "number_invalid", "field_type", "field_unknown"
    ]  # fmt: skip
    assert items[4]["error"]["errors"][0]["pointer"] == "/messages/4/txt"
    assert {batch_id for _, batch_id in api.memory.stored.values()} != {None}
    assert str(body["batch_id"]).startswith("bat_")


async def test_an_item_that_is_not_utf8_is_refused_alone(api: Api) -> None:
    good = b'{"to":"+8613812345678","text":"x"}'
    bad = b'{"to":"+8613812345678","text":"\xff"}'
    response, body = await api.post(BATCH, b'{"messages":[' + good + b"," + bad + b"]}")
    assert response.status == 202
    items = body["items"]
    assert isinstance(items, list)
    assert items[1]["error"]["code"] == "malformed_json"
    assert len(api.memory.stored) == 1


async def test_what_the_accepter_could_not_store_is_told_item_by_item(api: Api) -> None:
    api.memory.refuse_from = 1
    _, body = await api.post(BATCH, {"messages": [GOOD, {**GOOD, "to": "1"}, GOOD]})
    items = body["items"]
    assert isinstance(items, list)
    assert (body["accepted"], body["rejected"]) == (1, 2)
    assert [item.get("error", {}).get("code") for item in items] == [
        None, "number_invalid", "storage_unavailable"
    ]  # fmt: skip


async def test_a_batch_without_one_good_message_is_422_and_stores_nothing(api: Api) -> None:
    response, problem = await api.post(BATCH, {"messages": [{**GOOD, "to": "1"}] * 150})
    assert (response.status, problem["code"]) == (422, "batch_rejected")
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert errors[99]["pointer"] == "/messages/99/to"
    assert (len(errors), problem["errors_omitted"]) == (100, 50)
    assert api.memory.batch_sizes == []


BAD_ENVELOPES = [
    (b"{", 400, "malformed_json", ""),
    (b'{"messages":[' + b"[" * 100_000, 400, "malformed_json", ""),
    (b'{"messages":[{"to":}]}', 400, "malformed_json", ""),
    ([GOOD], 422, "field_type", ""),
    ({}, 422, "field_missing", "/messages"),
    ({"messages": GOOD}, 422, "field_type", "/messages"),
    ({"message": [GOOD]}, 422, "field_unknown", "/message"),
    ({"messages": []}, 422, "batch_size", "/messages"),
    ({"messages": [GOOD] * 10_001}, 422, "batch_size", "/messages"),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BAD_ENVELOPES)
async def test_a_bad_envelope_is_refused_whole(
    api: Api, body: object, status: int, code: str, pointer: str
) -> None:
    response, problem = await api.post(BATCH, body)
    assert (response.status, problem["code"]) == (status, code)
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert errors[0]["pointer"] == pointer
    assert api.memory.stored == {}


async def test_the_largest_batch_is_stored_in_one_call_and_in_order(api: Api) -> None:
    messages = [{**GOOD, "client_ref": str(n)} for n in range(10_000)]
    response, body = await api.post(BATCH, {"messages": messages})
    assert response.status == 202
    assert (body["accepted"], body["rejected"]) == (10_000, 0)
    assert api.memory.batch_sizes == [10_000]
    assert [item.client_ref for item, _ in api.memory.stored.values()] == [
        str(n) for n in range(10_000)
    ]


async def test_a_single_message_is_served_while_a_big_batch_is_worked_on(api: Api) -> None:
    """The batch gives way between slices: the single message is stored before it."""
    link = {**GOOD, "text": "全场五折 https://shop.example/p?a=1 快来"}
    batch = asyncio.ensure_future(api.post(BATCH, {"messages": [link] * 10_000}))
    await api.memory.validating.wait()
    response, _ = await api.post(URL, GOOD)
    assert response.status == 202
    assert api.memory.batch_sizes == [1]
    assert (await batch)[1]["accepted"] == 10_000


async def test_the_configured_size_of_a_batch_holds() -> None:
    async with running_api(HttpSettings(batch_items_max=2)) as api:
        assert (await api.post(BATCH, {"messages": [GOOD] * 2}))[0].status == 202
        assert (await api.post(BATCH, {"messages": [GOOD] * 3}))[0].status == 422


async def test_h1_a_reference_used_for_another_message_is_refused_by_its_place(
    known: Api, taken: list[bytes]
) -> None:
    """In a batch alone, on both ways of single messages, and all of a batch together."""
    first = {**GOOD, "client_ref": "r"}
    other = {**first, "to": "+8613912345678"}
    _, answer = await known.post(BATCH, {"messages": [first, other, first]})
    items = answer["items"]
    assert isinstance(items, list)
    assert [item.get("deduplicated", False) for item in items] == [False, False, True]
    assert [each["pointer"] for each in items[1]["error"]["errors"]] == ["/messages/1/client_ref"]
    assert (answer["accepted"], answer["rejected"], answer["deduplicated"]) == (1, 1, 1)
    for headers in ({}, {"Idempotency-Key": "k"}):
        response, problem = await known.post("/v1/messages", other, headers)
        assert (response.status, problem["code"]) == (422, "client_ref_reused")
        response, answer = await known.post("/v1/messages", first, headers)
        assert (response.status, answer["deduplicated"]) == (202, True)
    assert len(taken) == 2
    response, problem = await known.post(BATCH, {"messages": [other, {**other, "text": "x"}]})
    assert (response.status, problem["code"]) == (422, "batch_rejected")
    assert len(known.memory.stored) == 1
