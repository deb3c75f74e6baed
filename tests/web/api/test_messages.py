"""Sending over HTTP: what a client gets for a good message, a bad one, and a batch of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from gateway.config.settings import HttpSettings
from gateway.config.values import Size
from storage.faults import Overloaded, StorageDown
from tests.web.rooms.messages import NOW_MS, SUPPRESSED_NUMBER
from tests.web.served import Api, running_api

GOOD = {"to": "+8613812345678", "text": "Your code is 123456"}
URL = "/v1/messages"
BATCH = "/v1/messages/batch"


async def test_a_message_is_answered_with_202_its_id_and_where_to_find_it(api: Api) -> None:
    response, body = await api.post(URL, {**GOOD, "from": "SHOP", "client_ref": "order-1"})
    assert response.status == 202
    assert response.headers["Location"] == f"/v1/messages/{body['id']}"
    assert body == {
        "id": body["id"],
        "status": "accepted",
        "to": "+86138****5678",
        "from": "SHOP",
        "category": "transactional",
        "parts": 1,
        "encoding": "gsm7",
        "text": "Your code is 123456",
        "client_ref": "order-1",
    }


async def test_what_was_answered_is_what_was_stored(api: Api) -> None:
    await api.post(
        URL,
        {**GOOD, "category": "otp", "expires_in": 60, "tags": ["a", "b"], "campaign_id": "c",
         "variant": "B"},
    )  # fmt: skip
    [(item, batch_id)] = api.memory.stored.values()
    assert batch_id is None
    assert (item.account, item.category, item.connector, item.to) == (1, 0, 1, GOOD["to"])
    assert item.expires_at == NOW_MS + 60_000
    assert (item.tags, item.campaign_id, item.variant) == (("a", "b"), "c", "B")


async def test_the_account_decides_sender_category_signature_and_suffix(api: Api) -> None:
    response, body = await api.post(
        URL, {"to": "+8613812345678", "text": "全场五折"}, api.new_key(2, "messages:send")
    )
    assert response.status == 202
    assert body["from"] == "10690001"
    assert body["category"] == "marketing"
    assert body["text"] == "【XX商城】全场五折回T退订"
    assert body["encoding"] == "ucs2"


async def test_a_suppressed_number_is_told_with_its_reason(api: Api) -> None:
    response, body = await api.post(URL, {**GOOD, "to": SUPPRESSED_NUMBER})
    assert response.status == 202
    assert (body["status"], body["reason"]) == ("suppressed", "opted_out")


BAD_MESSAGES = [
    (b"", 400, "malformed_json", ""),
    (b"{", 400, "malformed_json", ""),
    (b"\xff", 400, "malformed_json", ""),
    (b'{"to":"\xff","text":"x"}', 400, "malformed_json", ""),
    (b'{"to":"+8613812345678","text":"\\ud800"}', 422, "text_invalid", "/text"),
    (b'{"to":NaN}', 400, "malformed_json", ""),
    (b"\xef\xbb\xbf{}", 400, "malformed_json", ""),
    (b"[" * 100_000, 422, "field_type", ""),
    (b"[]", 422, "field_type", ""),
    (b'"x"', 422, "field_type", ""),
    (b'{"text":"x"}', 422, "field_missing", "/to"),
    ({"to": "+8613812345678"}, 422, "field_missing", "/text"),
    ({**GOOD, "to": None}, 422, "field_type", "/to"),
    ({**GOOD, "to": 8613812345678}, 422, "field_type", "/to"),
    ({**GOOD, "tags": ["a", 1]}, 422, "field_type", "/tags/1"),
    ({**GOOD, "expires_in": "60"}, 422, "field_type", "/expires_in"),
    ({**GOOD, "expires_in": 1.5}, 422, "field_type", "/expires_in"),
    ({**GOOD, "expires_in": True}, 422, "field_type", "/expires_in"),
    ({**GOOD, "sendat": "2026-11-22T10:00:00Z"}, 422, "field_unknown", "/sendat"),
    ({**GOOD, "send_at": "2026-11-22T10:00:00"}, 422, "field_type", "/send_at"),
    ({**GOOD, "send_at": "2020-01-01T10:00:00Z"}, 422, "send_at_invalid", "/send_at"),
    (
        {**GOOD, "send_window": {"from": "10:00", "to": "12:00", "day": 1}},
        422,
        "field_unknown",
        "/send_window/day",
    ),
    (
        {**GOOD, "policy": {"quiet_hours": "ignore"}},
        422,
        "policy_not_allowed",
        "/policy/quiet_hours",
    ),
    ({**GOOD, "a/b~c": 1}, 422, "field_unknown", "/a~1b~0c"),
    ({**GOOD, "to": ""}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "13812345678"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "008613812345678"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "+86 138 1234 5678"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "+861281234567"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "+4402079460018"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "+９８６１３８１２３４５６７８"}, 422, "number_invalid", "/to"),
    ({**GOOD, "to": "+12025550123"}, 422, "route_unavailable", "/to"),
    ({**GOOD, "from": ""}, 422, "sender_invalid", "/from"),
    ({**GOOD, "from": "TWELVE CHARS"}, 422, "sender_invalid", "/from"),
    ({**GOOD, "from": "商城"}, 422, "sender_invalid", "/from"),
    ({**GOOD, "from": "123456789012345678901"}, 422, "sender_invalid", "/from"),
    ({**GOOD, "category": "promo"}, 422, "category_unknown", "/category"),
    ({**GOOD, "text": ""}, 422, "text_empty", "/text"),
    ({**GOOD, "text": " \n\t"}, 422, "text_empty", "/text"),
    ({**GOOD, "text": "a\x00b"}, 422, "text_invalid", "/text"),
    ({**GOOD, "text": "\ufffea"}, 422, "text_invalid", "/text"),
    ({**GOOD, "text": "a\x1bb"}, 422, "text_invalid", "/text"),
    ({**GOOD, "text": "x" * 1531}, 422, "text_too_long", "/text"),
    ({**GOOD, "text": "中" * 671}, 422, "text_too_long", "/text"),
    ({**GOOD, "text": "x" * 100_000}, 422, "text_too_long", "/text"),
    (
        {**GOOD, "text": " ".join(f"https://a.example/{n}" for n in range(9))},
        422,
        "links_too_many",
        "/text",
    ),
    ({**GOOD, "expires_in": 0}, 422, "out_of_range", "/expires_in"),
    ({**GOOD, "expires_in": 259_201}, 422, "out_of_range", "/expires_in"),
    ({**GOOD, "client_ref": ""}, 422, "label_invalid", "/client_ref"),
    ({**GOOD, "client_ref": "x" * 101}, 422, "label_invalid", "/client_ref"),
    ({**GOOD, "campaign_id": "a\x00"}, 422, "label_invalid", "/campaign_id"),
    ({**GOOD, "variant": "a\nb"}, 422, "label_invalid", "/variant"),
    ({**GOOD, "tags": ["ok", ""]}, 422, "label_invalid", "/tags/1"),
    ({**GOOD, "tags": ["x"] * 11}, 422, "out_of_range", "/tags"),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BAD_MESSAGES)
async def test_a_bad_message_is_refused_with_its_reason_and_place(
    api: Api, body: object, status: int, code: str, pointer: str
) -> None:
    response, problem = await api.post(URL, body)
    assert response.content_type == "application/problem+json"
    assert (response.status, problem["status"], problem["code"]) == (status, status, code)
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert [error.get("pointer") for error in errors] == [pointer]
    assert problem["type"] == f"/docs/problems#{code}"
    assert problem["instance"] == URL
    assert problem["request_id"] == response.headers["X-Request-Id"]
    assert api.memory.stored == {}


async def test_everything_wrong_with_a_message_is_told_at_once(api: Api) -> None:
    _, problem = await api.post(
        URL, {"to": "123", "text": "", "from": "", "category": "x", "expires_in": -1}
    )
    errors = problem["errors"]
    assert isinstance(errors, list)
    assert {error["pointer"] for error in errors} == {
        "/to", "/text", "/from", "/category", "/expires_in"
    }  # fmt: skip


async def test_a_sender_of_another_account_is_not_allowed(api: Api) -> None:
    headers = api.new_key(2, "messages:send")
    response, problem = await api.post(URL, {**GOOD, "from": "BANK"}, headers)
    assert (response.status, problem["code"]) == (422, "sender_not_allowed")
    assert "SHOP" in str(problem["detail"])


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""]
)
async def test_other_media_are_415(api: Api, content_type: str) -> None:
    response, problem = await api.post(URL, GOOD, {"Content-Type": content_type})
    assert (response.status, problem["code"]) == (415, "not_json")


async def test_json_with_parameters_is_json(api: Api) -> None:
    response, _ = await api.post(URL, GOOD, {"Content-Type": "Application/JSON; charset=utf-8"})
    assert response.status == 202


@pytest.mark.parametrize("chunked", [False, True])
async def test_an_oversize_body_is_413_whether_or_not_its_length_is_told(chunked: bool) -> None:
    async with running_api(HttpSettings(max_body=Size(1000), bodies_max=Size(1000))) as api:

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b" " * 500

        async with api.session.post(
            api.url + URL,
            data=chunks() if chunked else b" " * 1500,
            headers={**api.headers, "Content-Type": "application/json"},
        ) as response:
            problem = await response.json(content_type=None)
        assert (response.status, problem["code"]) == (413, "body_too_large")
        response, _ = await api.post(URL, GOOD)
        assert response.status == 202, "the room of the refused body was given back"


async def test_bodies_held_at_once_are_bounded_and_their_room_comes_back() -> None:
    async with running_api(HttpSettings(max_body=Size(10_000), bodies_max=Size(15_000))) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        head = (
            f"POST {URL} HTTP/1.1\r\nHost: x\r\nAuthorization: {api.headers['Authorization']}\r\n"
            "Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n"
        )
        writer.write(head.encode() + b"{")
        await writer.drain()
        padded = msgspec.json.encode(GOOD) + b" " * 6000
        while (await api.post(URL, padded))[0].status != 503:
            pass
        response, problem = await api.post(URL, padded)
        assert (response.status, problem["code"]) == (503, "overloaded")
        assert response.headers["Retry-After"] == "1"
        writer.close()
        await writer.wait_closed()
        while (await api.post(URL, padded))[0].status != 202:
            pass
        assert await reader.read() == b""


async def test_overload_and_a_missing_database_are_503_with_retry_after(api: Api) -> None:
    api.headers = api.new_key(1, "messages:send")
    await api.post(URL, GOOD)
    for failure, code in ((Overloaded(3), "overloaded"), (StorageDown(3), "storage_unavailable")):
        api.memory.failure = failure
        for path, body in ((URL, GOOD), (BATCH, {"messages": [GOOD]})):
            response, problem = await api.post(path, body)
            assert (response.status, problem["code"]) == (503, code)
            assert response.headers["Retry-After"] == "3"


async def test_a_message_the_accepter_refuses_is_a_problem(api: Api) -> None:
    api.memory.refuse_from = 0
    response, problem = await api.post(URL, GOOD)
    assert (response.status, problem["code"]) == (503, "storage_unavailable")
    assert "Retry-After" in response.headers


async def test_a_stored_message_can_be_read_by_its_account_alone(api: Api) -> None:
    _, sent = await api.post(URL, GOOD)
    response, message = await api.get(f"/v1/messages/{sent['id']}")
    assert response.status == 200
    assert message["to"] == "+86138****5678"
    assert (message["object"], message["status"], message["final"]) == ("message", "queued", False)
    assert (message["encoding"], message["category"]) == ("gsm7", "transactional")
    assert message["created_at"] == "2026-09-21T14:13:20Z"
    response, timeline = await api.get(f"/v1/messages/{sent['id']}/events")
    assert timeline == {
        "data": [{"at": "2026-09-21T14:13:20Z", "kind": "accepted", "detail": {"parts": 1}}],
        "next_cursor": None,
    }
    other = api.new_key(2, "messages:read")
    for path in (f"/v1/messages/{sent['id']}", f"/v1/messages/{sent['id']}/events"):
        response, problem = await api.get(path, other)
        assert (response.status, problem["code"]) == (404, "not_found")


async def test_f1_a_timeline_of_many_clicks_has_pages(api: Api) -> None:
    _, sent = await api.post(URL, GOOD)
    path = f"/v1/messages/{sent['id']}/events"
    response, first = await api.get(f"{path}?limit=1")
    assert f"cursor={first['next_cursor']}" in response.headers["Link"]
    _, second = await api.get(f"{path}?limit=1&cursor={first['next_cursor']}")
    assert second["next_cursor"] is None
    asked = [(page.clicks_max, page.after) for page in api.memory.timelines_asked]
    assert asked == [(1, None), (1, 7)]


@pytest.mark.parametrize("text", ["msg_0000000000000", "bat_0000000000000", "x", "msg_%FF", "1"])
async def test_an_id_that_is_none_is_404(api: Api, text: str) -> None:
    response, problem = await api.get(f"/v1/messages/{text}")
    assert (response.status, problem["code"]) == (404, "not_found")


async def test_a_repeated_client_ref_is_answered_with_the_first_message(api: Api) -> None:
    _, first = await api.post(URL, {**GOOD, "client_ref": "order-1"})
    response, again = await api.post(URL, {**GOOD, "client_ref": "order-1"})
    assert response.status == 202
    assert response.headers["Location"] == f"/v1/messages/{first['id']}"
    assert again == {**first, "status": "queued", "deduplicated": True}
    assert len(api.memory.stored) == 1


async def test_repeats_in_a_batch_are_counted_and_named(api: Api) -> None:
    messages = [{**GOOD, "client_ref": name} for name in ("a", "b", "a")]
    _, body = await api.post(BATCH, {"messages": [*messages, {"to": "x"}]})
    assert (body["accepted"], body["deduplicated"], body["rejected"]) == (2, 1, 1)
    items = body["items"]
    assert isinstance(items, list)
    assert items[2] == {
        "index": 2, "id": items[0]["id"], "status": "queued", "deduplicated": True
    }  # fmt: skip
