"""POST /v1/messages/preview: what sending would make of messages, and nothing of it done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.web.rooms.messages import SUPPRESSED_NUMBER
from tests.web.served import Api, created
from web.api.preview import ITEMS_MAX

PATH = "/v1/messages/preview"


async def items_of(api: Api, body: object, headers: dict[str, str] | None = None) -> list[Any]:
    response, answer = await api.post(PATH, body, headers)
    assert response.status == 200, answer
    items = answer["items"]
    assert isinstance(items, list)
    return items


async def test_one_message_is_shown_as_it_would_be_sent(api: Api) -> None:
    shop = api.new_key(2, "messages:send")
    [item] = await items_of(
        api, {"to": "+8613812345678", "text": "您的积分 https://shop.example/p"}, shop
    )
    message = item["message"]
    assert message["text"].startswith("【XX商城】您的积分 https://s.example/")
    assert message["text"].endswith("回T退订")
    assert message["links"] == ["https://shop.example/p"]
    assert (message["encoding"], message["parts"]) == ("ucs2", 1)
    assert message["characters"] == len(message["text"])
    assert message["characters_remaining"] == 70 - len(message["text"])
    assert message["ucs2_characters"][:4] == ["【", "商", "城", "】"]
    assert message["to"] == "+86138****5678"
    assert message["route"] == {
        "connector": "carrier-a", "reason": "routes[0]", "then": ["carrier-b"]
    }  # fmt: skip
    assert (message["status"], message["decisions"]) == ("accepted", [])


async def test_what_goes_at_once_has_an_expected_end(api: Api) -> None:
    messages = [
        {"to": "+8613812345678", "text": "[" * 81},
        {"to": "+8613812345679", "text": "hello"},
        {"to": SUPPRESSED_NUMBER, "text": "hello"},
    ]
    _, body = await api.post(PATH, {"messages": messages})
    assert api.memory.finish_asked == [{"carrier-a": 3}]  # parts; what ends at once has none
    ends = datetime.fromisoformat(str(body["expected_finish_at"]))
    assert ends == created() + timedelta(seconds=3)
    _, body = await api.post(PATH, {"to": SUPPRESSED_NUMBER, "text": "hello"})
    assert body["expected_finish_at"] is None


async def test_l1_links_that_stay_text_say_why(api: Api) -> None:
    text = "http://http://t.cn/R2 https://shop.example/ok https://shop.example.手机优惠"
    [item] = await items_of(api, {"to": "+8613812345678", "text": text})
    assert item["message"]["links"] == ["https://shop.example/ok"]
    assert item["message"]["links_left_alone"] == [
        {"code": "link_ambiguous", "text": "http://http://t.cn/R2"},
        {"code": "link_host_unclear", "text": "https://shop.example.手机优惠"},
    ]


async def test_gsm_text_names_no_character_and_counts_septets(api: Api) -> None:
    [item] = await items_of(api, {"to": "+8613812345678", "text": "[" * 81})
    message = item["message"]
    assert (message["encoding"], message["parts"], message["characters"]) == ("gsm7", 2, 162)
    assert message["ucs2_characters"] == []


async def test_each_of_many_gets_its_own_item_and_nothing_is_stored(api: Api) -> None:
    messages = [
        {"to": "+8613812345678", "text": "hello"},
        {"to": "12", "text": ""},
        {"to": SUPPRESSED_NUMBER, "text": "hello"},
    ]
    good, bad, suppressed = await items_of(api, {"messages": messages})
    assert good["message"]["status"] == "accepted"
    assert [error["pointer"] for error in bad["error"]["errors"]] == [
        "/messages/1/to", "/messages/1/text"
    ]  # fmt: skip
    assert suppressed["message"]["status"] == "suppressed"
    assert suppressed["message"]["decisions"] == [
        {"rule": "suppression", "status": "suppressed", "reason": "opted_out"}
    ]
    assert api.memory.stored == {}


async def test_what_could_not_be_sent_is_refused_as_sending_refuses_it(api: Api) -> None:
    response, problem = await api.post(PATH, {"to": "+8613812345678", "text": "x", "txt": "y"})
    assert (response.status, problem["code"]) == (422, "field_unknown")
    errors: Any = problem["errors"]
    assert errors[0]["pointer"] == "/txt"
    response, problem = await api.post(PATH, {"messages": [{}, {"to": "1", "text": "x"}]})
    assert (response.status, problem["code"]) == (422, "batch_rejected")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 422, "field_type"),
        (b"{", 400, "malformed_json"),
        ({"messages": []}, 422, "batch_size"),
        ({"messages": [{}] * (ITEMS_MAX + 1)}, 422, "batch_size"),
        ({"messages": {}}, 422, "field_type"),
        ({"messages": [{}], "to": "x"}, 422, "field_unknown"),
    ],
)
async def test_what_is_no_preview_is_refused(
    api: Api, body: object, status: int, code: str
) -> None:
    response, problem = await api.post(PATH, body)
    assert (response.status, problem["code"]) == (status, code)


async def test_it_takes_a_key_that_may_send(api: Api) -> None:
    response, problem = await api.post(PATH, {}, api.new_key(1, "messages:read"))
    assert (response.status, problem["code"]) == (403, "scope_missing")
