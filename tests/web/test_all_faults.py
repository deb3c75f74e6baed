"""All that is wrong with a request is told at once; one bad item never sinks the others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.web.served import Api

GOOD = {"to": "+8613812345678", "text": "hello"}
ONE = "/v1/messages"
BATCH = "/v1/messages/batch"
CUT = b'{"to":"+8613812345678","text":"see you \\ud83d"}'  # as JSON.stringify writes a cut emoji


def told(problem: Any) -> dict[str, str]:
    return {each["pointer"]: each["code"] for each in problem["errors"]}


EVERYTHING = {
    "to": "123", "text": 7, "from": "TWELVE CHARS", "category": "promo", "priority": 12,
    "expires_in": "60", "send_at": "tomorrow", "send_window": {"from": "10:00"},
    "policy": {"quiet_hours": "never"}, "tags": ["", 5], "client_ref": "", "sendat": 1,
}  # fmt: skip
TOLD = {
    "/to": "number_invalid", "/text": "field_type", "/from": "sender_invalid",
    "/category": "category_unknown", "/priority": "out_of_range", "/expires_in": "field_type",
    "/send_at": "field_type", "/send_window/to": "field_missing",
    "/policy/quiet_hours": "field_type", "/tags/1": "field_type", "/client_ref": "label_invalid",
    "/sendat": "field_unknown",
}  # fmt: skip


async def test_h6_all_mistakes_of_a_message_are_told_with_their_places(api: Api) -> None:
    response, problem = await api.post(ONE, EVERYTHING)
    assert (response.status, told(problem)) == (422, TOLD)
    _, answer = await api.post(BATCH, {"messages": [GOOD, EVERYTHING]})
    items: Any = answer["items"]
    assert told(items[1]["error"]) == {f"/messages/1{where}": code for where, code in TOLD.items()}
    assert len(api.memory.stored) == 1


@pytest.mark.parametrize(
    "moment", ["tomorrow", "", "2026-11-22", "2026-11-22T10:00:00", "2026-13-01T00:00:00Z"]
)
async def test_h6_a_time_that_is_none_is_told_by_its_field(api: Api, moment: str) -> None:
    _, problem = await api.post(ONE, {**GOOD, "send_at": moment})
    [error] = list(problem["errors"])
    assert error["pointer"] == "/send_at"
    assert error["detail"].startswith("send_at is not an RFC 3339 time with an offset")


@pytest.mark.parametrize(
    ("method", "path", "body", "wanted"),
    [
        (
            "POST",
            "/v1/consents",
            {"to": "1", "action": "maybe", "source": "", "at": "2099-01-01T00:00:00Z", "x": 1},
            {"/to", "/action", "/source", "/at", "/x"},
        ),
        (
            "POST",
            "/v1/complaints",
            {"id": "", "to": "1", "source": "me", "message": "x", "at": "2099-01-01T00:00:00Z"},
            {"/id", "/to", "/source", "/message", "/at"},
        ),
        ("POST", "/v1/complaints", {"id": "1", "source": "app"}, {"/to"}),
        ("PATCH", "/v1/connectors/carrier-a", {"rate": 5, "paused": 1}, {"/rate", "/paused"}),
        ("PATCH", "/v1/batches/bat_0NX25TC8G2000", {"rate": 5, "x": 1}, {"/rate", "/x"}),
        ("PATCH", "/v1/connectors/carrier-a", {"rate": "fast", "x": 1}, {"/rate", "/x"}),
        ("POST", "/v1/messages/resolve", {"action": "no", "ids": ["a", "b"]},
         {"/action", "/ids/0", "/ids/1"}),
        ("POST", "/v1/messages/preview", {"to": "1", "text": 5}, {"/to", "/text"}),
        ("POST", "/v1/messages/batch", {"message": []}, {"/message", "/messages"}),
        ("POST", "/v1/suppressions",
         {"suppressions": [{"number": "1", "category": "x", "expires_at": "2001-01-01T00:00:00Z"}]},
         {"/suppressions/0/number", "/suppressions/0/category", "/suppressions/0/expires_at"}),
        ("POST", "/v1/caps", {"x": 1}, {"/x", "/tag", "/week"}),
        ("POST", "/v1/campaigns/cmp_0000000000001/pause", {"reason": "a\nb", "x": 1},
         {"/reason", "/x"}),
        ("POST", "/v1/campaigns/cmp_0000000000001/resume", {"override": "", "x": 1},
         {"/override", "/x"}),
        ("POST", "/v1/campaigns/cmp_0000000000001/decide", {"arm": "1", "reason": "x" * 501},
         {"/arm", "/reason"}),
        ("POST", "/v1/templates",
         {"name": "n", "category": "otp", "body": "x", "providers": ["huawei", "huawei", "acme"]},
         {"/providers/2"}),
    ],
)  # fmt: skip
async def test_h6_all_mistakes_of_every_other_body_are_told(
    api: Api, method: str, path: str, body: object, wanted: set[str]
) -> None:
    api.headers |= api.new_key(1, "admin")
    response, problem = await api.call(
        method, path, msgspec.json.encode(body), {"Content-Type": "application/json"}
    )
    assert response.status == 422
    assert set(told(problem)) == wanted


async def test_h6_all_parameters_that_are_wrong_are_told(api: Api) -> None:
    response, problem = await api.get("/v1/messages?limit=0&tag=&sinse=1&created_after=x")
    assert response.status == 422
    errors: Any = problem["errors"]
    assert [each["parameter"] for each in errors] == ["sinse", "limit", "tag", "created_after"]
    _, problem = await api.get(
        "/v1/messages?to=1&status=x&batch_id=y&created_after=2027-01-01T00:00:00Z"
    )
    errors = problem["errors"]
    assert [each["parameter"] for each in errors] == ["to", "status", "batch_id", "created_after"]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/v1/contacts?to=1&limit=0&x=1", ["x", "limit", "to"]),
        ("/v1/consents?to=1&limit=0", ["limit", "to"]),
        ("/v1/complaints?to=1&limit=0", ["limit", "to"]),
        ("/v1/reports/clicks?steps=a,,b&group_by=x&limit=0", ["limit", "group_by", "steps"]),
        ("/v1/campaigns/cmp_0000000000001/report?definition=x&steps=a,,b&by=y",
         ["by", "definition", "steps"]),
        ("/v1/webhook-endpoints/whe_0000000000001/deliveries?state=waiting&type=x"
         "&since=2026-11-01T00:00:00Z&limit=0", ["limit", "type", "since"]),
    ],
)  # fmt: skip
async def test_all_wrong_parameters_of_the_other_lists_are_told(
    api: Api, path: str, wrong: list[str]
) -> None:
    response, problem = await api.get(path)
    errors: Any = problem["errors"]
    assert (response.status, [each["parameter"] for each in errors]) == (422, wrong)


async def test_all_wrong_parameters_of_a_request_that_changes_something_are_told(
    api: Api,
) -> None:
    for method, path, wrong in (
        ("POST", "/v1/contacts/import?mapping=[]&delimiter=x&mode=y",
         ["mode", "mapping", "delimiter"]),
        ("DELETE", "/v1/suppressions?number=1&category=x&reason=y", ["category", "number"]),
    ):  # fmt: skip
        headers = {"Content-Type": "text/csv"} if method == "POST" else {}
        body = b"number\n" if method == "POST" else None
        response, problem = await api.call(method, path, body, headers)
        errors: Any = problem["errors"]
        assert (response.status, [each["parameter"] for each in errors]) == (422, wrong), path


@pytest.mark.parametrize(
    ("path", "body", "wanted"),
    [
        ("/v1/events", {"events": [{"event_id": "1", "name": "x", "contact": 5}]},
         ["/events/0/contact"]),
        ("/v1/conversions", {"id": "1", "event": "x", "message": 5}, ["/message"]),
        ("/v1/conversions", {"id": "1", "event": "x", "message": "msg_0nx25tc8g2000", "value": 5,
                             "currency": "CNY"}, ["/value"]),
        ("/v1/contacts", {"external_id": 5}, ["/external_id"]),
        ("/v1/contacts", {"numbers": "1"}, ["/numbers"]),
        ("/v1/templates/lint", {"template": 5}, ["/template"]),
        ("/v1/templates/lint", {"template_id": 5}, ["/template_id"]),
        ("/v1/events", b'{"events":[{"event_id":"1","name":"x","to":"+8613812345678","props":'
         b'{"a":["\xff"],"b":1,"b":2}}]}', ["/events/0/props/b", "/events/0/props/a/0"]),
        ("/v1/contacts", b'{"external_id":"1","attrs":{"a":{"b":"\\ud83d"}}}', ["/attrs/a/b"]),
        ("/v1/contacts", b'{"external_id":"1","attrs":{"\\ud83d":1}}', ["/attrs/?"]),
        ("/v1/caps", {"tag": 5, "week": 1}, ["/tag"]),
        ("/v1/caps", {"tag": "vip", "week": "1"}, ["/week"]),
    ],
)  # fmt: skip
async def test_a_wrong_value_is_told_once_and_nothing_is_said_to_be_missing_for_it(
    api: Api, path: str, body: object, wanted: list[str]
) -> None:
    response, problem = await api.post(path, body)
    errors: Any = problem["errors"]
    assert (response.status, [each["pointer"] for each in errors]) == (422, wanted)


async def test_h10_a_cut_character_sinks_its_item_alone(api: Api) -> None:
    good = msgspec.json.encode(GOOD)
    items = [good] * 250
    items[7] = CUT
    items[120] = CUT.replace(b"text", b"client_ref").replace(b'"to"', b'"text":"x","to"')
    items[240] = b'{"to":"+8613812345678","text":"a\nb"}'  # a control character without its escape
    response, answer = await api.post(BATCH, b'{"messages":[' + b",".join(items) + b"]}")
    assert response.status == 202
    bad: Any = [each for each in answer["items"] if "error" in each]
    assert [each["index"] for each in bad] == [7, 120, 240]
    assert [told(each["error"]) for each in bad] == [
        {"/messages/7/text": "text_invalid"},
        {"/messages/120/client_ref": "label_invalid"},
        {"/messages/240": "malformed_json"},
    ]
    assert (answer["accepted"], answer["rejected"]) == (247, 3)


async def test_h10_a_cut_character_in_one_message_is_told_by_its_field(api: Api) -> None:
    response, problem = await api.post(ONE, CUT)
    assert (response.status, told(problem)) == (422, {"/text": "text_invalid"})


async def test_h10_items_of_other_lists_sink_alone_too(api: Api) -> None:
    good, bad = b'{"number":"+8613812345678"}', b'{"number":"+8613812345678","reason":"\\ud83d"}'
    response, answer = await api.post(
        "/v1/suppressions", b'{"suppressions":[' + good + b"," + bad + b"]}"
    )
    items: Any = answer["items"]
    assert (response.status, told(items[1]["error"])) == (
        200, {"/suppressions/1/reason": "field_type"}
    )  # fmt: skip
    good = msgspec.json.encode(GOOD)
    response, answer = await api.post(
        "/v1/messages/preview", b'{"messages":[' + good + b"," + CUT + b"]}"
    )
    items = answer["items"]
    assert (response.status, told(items[1]["error"])) == (
        200, {"/messages/1/text": "text_invalid"}
    )  # fmt: skip
    response, problem = await api.post(
        "/v1/consents", b'{"to":"+8613812345678","action":"granted","source":"shop\\ud83d"}'
    )
    assert (response.status, told(problem)) == (422, {"/source": "field_type"})
    assert api.memory.stored == {}
