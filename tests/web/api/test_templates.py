"""/v1/templates over a real database: versions, rules, previews, waivers; and messages by them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from campaigns.contacts.desk import ContactView
from campaigns.templates import memory as memory_module
from campaigns.templates.desk import TemplateDesk
from campaigns.templates.lengths import longest
from campaigns.templates.memory import VersionMemory
from gateway.wiring.message_templates import AccountMeasure, MessageTemplates
from messages.accept.validation import Validator
from messages.models import AccountPolicy
from messages.rules.quiet_hours import TimingRules
from recipients.keywords import KeywordSets
from recipients.numbers.plan import NumberPlan
from storage.ids import IdSource, format_id
from storage.pool import Connection, Database
from tests.campaigns.templates.counting import checked
from tests.web.nobody import NoContacts
from tests.web.rooms.templates import no_link_faults
from tests.web.served import ACCOUNTS, Api, running_api
from web.template_services import TemplateServices

PATH = "/v1/templates"
BODY = {
    "category": "marketing",
    "body": "{{name}}满100减20元券已到账,11月11日前领取 {{link:main}} ",
    "variables": {"name": {"type": "text", "max": 8, "fallback": "会员"}},
    "signature": "【某某商城】",
    "suffix": "拒收请回复R",
    "links": {"main": {"url": "https://shop.example/sale"}},
}
TO = "+8613812345678"


class Room:
    """The API over a database, with what its processes keep in memory."""

    def __init__(self, api: Api, templates: MessageTemplates) -> None:
        self.api = api
        self.templates = templates
        self.now_ms = 0

    async def made(self, status: int = 201, path: str = "", **fields: Any) -> Any:
        named = {} if path else {"name": "双11"}
        response, answer = await self.api.post(PATH + path, {**BODY, **named, **fields})
        assert response.status == status, answer
        return answer

    async def asked(self, path: str, body: object, status: int = 200) -> Any:
        response, answer = await self.api.post(path, body)
        assert response.status == status, answer
        return answer

    async def sent(self, status: int = 202, **fields: Any) -> Any:
        return await self.asked("/v1/messages", {"to": TO, **fields}, status)


@pytest.fixture
async def room(database_url: str, tmp_path: Path) -> AsyncIterator[Room]:
    database = await Database.open(
        database_url, tmp_path, application_name="templates", read_connections=2
    )
    desk = TemplateDesk(
        database.read,
        database.dedicated("templates"),
        ids=IdSource(7, lambda: time.time_ns() // 1_000_000),
        measures=lambda account: AccountMeasure("https://s.example", ACCOUNTS[account], 10),
        keywords=lambda _account: KeywordSets.of(),
        changed=lambda template: memory.forget(template),
    )
    memory = VersionMemory(desk.versions, lambda: room.now_ms)
    templates = MessageTemplates(memory)
    validator = Validator(
        numbers=NumberPlan(),
        route=lambda *_: 1,
        link_base_url="https://s.example",
        parts_max=10,
        validity_seconds_max=259_200,
        timing=TimingRules(),
        templates=templates,
    )
    async with running_api(
        templates=TemplateServices(desk, templates, no_link_faults), validator=validator
    ) as api:
        room = Room(api, templates)
        yield room
    await desk.close()
    await database.close()


def faults(problem: Any) -> set[tuple[str, str]]:
    return {(each["pointer"], each["code"]) for each in problem["errors"]}


async def test_a_template_has_versions_that_never_change(
    room: Room, connection: Connection
) -> None:
    first = await room.made()
    assert (first["version"], first["newest_version"], first["lint"]) == (1, 1, [])
    assert first["reference"] == f"{first['id']}@1"
    assert first["longest"]["text"].startswith("【某某商城】国国国国国国国国满100减20元")
    assert (first["longest"]["parts"], first["longest"]["encoding"]) == (1, "ucs2")
    second = await room.made(path=f"/{first['id']}/versions", body="{{name}}新品8折 {{link:main}} ")
    assert (second["version"], second["name"]) == (2, "双11")
    for reference, version in ((first["id"], 2), (first["reference"], 1)):
        response, answer = await room.api.get(f"{PATH}/{reference}")
        assert response.status == 200
        assert answer["version"] == version
        assert answer["newest_version"] == 2
    _, answer = await room.api.get(f"{PATH}/{first['reference']}")
    assert answer == first | {"newest_version": 2}
    _, page = await room.api.get(PATH)
    assert [each["reference"] for each in page["data"]] == [second["reference"]]
    rows = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [(row["action"], row["detail"]["version"]) for row in rows] == [
        ("template.create", 1), ("template.version", 2),
    ]  # fmt: skip


async def test_every_mistake_is_told_at_once_and_nothing_is_stored(
    room: Room, connection: Connection
) -> None:
    problem = await room.made(
        422, name="", body="{{nobody}}\0", category="news", suffix="{", max_parts=11,
        providers=["acme"], variables={"name": {"type": "text", "max": 0}}, colour="red",
    )  # fmt: skip
    assert faults(problem) == {
        ("/name", "field_type"), ("/colour", "field_unknown"), ("/body", "template_invalid"),
        ("/category", "category_unknown"), ("/suffix", "template_invalid"),
        ("/max_parts", "out_of_range"), ("/providers/0", "provider_unknown"),
        ("/body", "variable_unknown"), ("/variables/name", "variable_unused"),
        ("/variables/name/max", "variable_invalid"), ("/links/main", "link_unused"),
    }  # fmt: skip
    assert await connection.fetchval("SELECT count(*) FROM template") == 0
    await room.made(404, path="/tpl_0000000000000/versions")
    response, _ = await room.api.get(f"{PATH}/tpl_0000000000000@0")
    assert response.status == 404


async def test_a_repeated_request_makes_one_template_and_one_version(
    room: Room, connection: Connection
) -> None:
    header = {"Idempotency-Key": "a"}
    body = {**BODY, "name": "x"}
    answers = [(await room.api.post(PATH, body, header))[1] for _ in range(2)]
    assert answers[0] == answers[1]
    assert await connection.fetchval("SELECT count(*) FROM template_version") == 1


async def test_c45_the_link_mode_follows_the_providers(room: Room) -> None:
    made = await room.made(providers=["huawei"], variables={}, body="满100减20元 {{link:main}} ")
    assert made["link_mode"] == "shared"
    assert "https://shop.example/sale" in made["longest"]["text"]
    problem = await room.made(422, providers=["huawei"], link_mode="personal")
    assert faults(problem) == {("/link_mode", "link_mode_refused")}


async def test_a_warning_is_waived_with_who_and_why_and_an_error_is_not(
    room: Room, connection: Connection
) -> None:
    made = await room.made(body="全网最低,顶级品质{{name}}满100减20元,11日前领取 {{link:main}} ")
    errors = [each["rule"] for each in made["lint"] if each["level"] == "error"]
    assert errors == ["R1", "R10"]
    path = f"{PATH}/{made['id']}/waivers"
    for rule in ("R10", "R12"):
        problem = await room.asked(path, {"rule": rule, "reason": "x"}, 422)
        assert problem["code"] == "waiver_refused"
        assert [each["pointer"] for each in problem["errors"]] == ["/rule"]
    shown = await room.asked(path, {"rule": "R11", "reason": "our price list"})
    [waived] = [each["waived"] for each in shown["lint"] if each["rule"] == "R11"]
    assert (waived["by"], waived["reason"]) == ("key 0", "our price list")
    entry = await connection.fetchrow("SELECT detail, text FROM audit ORDER BY id DESC LIMIT 1")
    assert entry is not None
    assert (entry["detail"]["rule"], entry["text"]) == ("R11", "our price list")
    linted = await room.asked(f"{PATH}/lint", {"template_id": made["reference"]})
    assert (linted["errors"], linted["warnings"]) == (2, 1)  # R5 is nobody's yet


async def test_each_provider_approves_by_itself(room: Room) -> None:
    made = await room.made()
    path = f"{PATH}/{made['reference']}/approvals"
    await room.asked(path, {"provider": "qiniu", "state": "submitted", "provider_template_id": "7"})
    shown = await room.asked(path, {"provider": "qiniu", "state": "approved"})
    [approval] = shown["approvals"]
    assert (approval["state"], approval["provider_template_id"], approval["title"]) == (
        "approved", "7", "七牛云短信",
    )  # fmt: skip
    problem = await room.asked(path, {"provider": "acme", "state": "approved"}, 422)
    assert faults(problem) == {("/provider", "provider_unknown")}
    key = room.api.new_key(1, "templates:read", "templates:write")
    response, _ = await room.api.post(path, {"provider": "qiniu", "state": "approved"}, key)
    assert response.status == 403


async def test_rules_look_at_what_is_not_stored_and_at_the_occasion(room: Room) -> None:
    draft = BODY | {"providers": ["qiniu"]}
    found = await room.asked(
        f"{PATH}/lint", {"template": draft, "hours": {"from": "10:00", "to": "21:00"}}
    )
    assert [(each["rule"], each["provider"]) for each in found["findings"]] == [("R20", "qiniu")]
    assert found["errors"] == 1
    made = await room.made()
    again = {"template_id": made["id"], "first_template_id": made["id"]}
    found = await room.asked(f"{PATH}/lint", again)
    assert [each["rule"] for each in found["findings"]] == ["R19"]
    gone = {**BODY, "links": {"main": {"url": "https://shop.example/gone"}}}
    found = await room.asked(f"{PATH}/lint", {"template": gone, "check_links": True})
    assert [(each["rule"], each["words"]) for each in found["findings"]] == [("R9", ["main"])]
    problem = await room.asked(f"{PATH}/lint", {"template": draft, "template_id": "x"}, 422)
    assert faults(problem) == {("/template_id", "template_conflict")}
    problem = await room.asked(f"{PATH}/lint", {"template": {**draft, "body": ""}}, 422)
    assert ("/template/body", "template_invalid") in faults(problem)


async def test_c47_a_preview_is_what_is_sent(room: Room) -> None:
    """C47: previews and messages have one renderer, one signature, one count of parts."""
    made = await room.made()
    people: list[dict[str, Any]] = [
        {"name": "王女士"}, {}, {"name": "{{x}}【y】http://evil.example/ z"},
        {"name": "很长很长很长的名字"},
    ]  # fmt: skip
    rendered = await room.asked(
        f"{PATH}/render", {"template_id": made["reference"], "params": people}
    )
    for params, item in zip(people, rendered["items"], strict=True):
        sent = await room.sent(template_id=made["reference"], params=params)
        shown = item["message"]["text"]
        code = sent["text"].partition("https://s.example/")[2][:8]
        assert sent["text"] == shown.replace("22222222", code), params
        assert sent["parts"] == item["message"]["parts"] <= rendered["longest"]["parts"]
        assert sent["category"] == "marketing"
    assert [item["fallbacks"] for item in rendered["items"]] == [
        {}, {"name": "missing"}, {}, {"name": "too_long"},
    ]  # fmt: skip
    assert rendered["items"][2]["removed"] == {"braces": 4, "brackets": 2, "links": 1}
    assert rendered["parts"] == {"least": 1, "median": 1, "most": 1, "total": 4}
    assert room.templates.counts["fallback"] == 2
    assert room.templates.counts["links"] == 1


async def test_real_contacts_are_rendered_by_the_sources_of_variables(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    people = {
        number: ContactView(
            id=number, external_id=f"crm-{number}", numbers=[], attrs=attrs, tags=[], source=None,
            time_zone=None, revision=1, created_at=moment, updated_at=moment,
        )
        for number, attrs in ((1, {"first_name": "王"}), (2, {"city": "北京"}))
    }  # fmt: skip

    async def contact(_book: NoContacts, _account: int, contact_id: int) -> ContactView | None:
        return people.get(contact_id)

    monkeypatch.setattr(NoContacts, "contact", contact)
    name = {"type": "text", "max": 8, "fallback": "会员", "source": "attr.first_name"}
    made = await room.made(variables={"name": name})
    wish = {"template_id": made["id"], "contacts": [format_id("con", 1), format_id("con", 2)]}
    rendered = await room.asked(f"{PATH}/render", wish)
    assert rendered["items"][0]["message"]["text"].startswith("【某某商城】王满100")
    assert rendered["items"][1]["fallbacks"] == {"name": "missing"}
    problem = await room.asked(f"{PATH}/render", wish | {"contacts": [format_id("con", 3)]}, 422)
    assert faults(problem) == {("/contacts/0", "contact_unknown")}
    key = room.api.new_key(1, "templates:read")
    response, _ = await room.api.post(f"{PATH}/render", wish, key)
    assert response.status == 403


async def test_who_lacks_a_value_without_fallback_is_skipped_and_refused(room: Room) -> None:
    made = await room.made(variables={"name": {"type": "text", "max": 8}})
    rendered = await room.asked(
        f"{PATH}/render", {"template_id": made["id"], "params": [{"name": " "}, {"name": "王"}]}
    )
    assert rendered["items"][0]["skipped"] == {"variable": "name", "reason": "blank"}
    assert rendered["skipped"] == 1
    problem = await room.sent(422, template_id=made["id"], params={"name": ""})
    assert faults(problem) == {("/params/name", "template_param_unfit")}
    problem = await room.sent(422, template_id=made["id"])
    assert faults(problem) == {("/params", "template_param_unfit")}


async def test_a_message_has_a_text_or_a_template_and_what_is_wrong_is_told(room: Room) -> None:
    made = await room.made()
    for fields, told in (
        ({"template_id": made["id"], "text": "hi"}, {("/template_id", "template_conflict")}),
        ({}, {("/text", "field_missing")}),
        ({"template_id": None}, {("/text", "field_missing")}),
        ({"template_id": None, "text": None}, {("/text", "field_type")}),
        ({"text": ""}, {("/text", "text_empty")}),
        ({"template_id": "tpl_0000000000000"}, {("/template_id", "template_unknown")}),
        ({"template_id": f"{made['id']}@2"}, {("/template_id", "template_unknown")}),
        ({"template_id": "x" * 99}, {("/template_id", "template_unknown")}),
        ({"template_id": made["id"], "params": {"nmae": "王"}},
         {("/params/nmae", "param_unknown")}),
        ({"template_id": made["id"], "category": "otp"}, {("/category", "template_category")}),
        ({"template_id": made["id"], "max_parts": 0}, {("/max_parts", "out_of_range")}),
        ({"template_id": made["id"], "to": "x"}, {("/to", "number_invalid")}),
        ({"template_id": 5}, {("/template_id", "field_type")}),
    ):  # fmt: skip
        problem = await room.sent(422, **fields)
        assert faults(problem) == told, fields
    other = room.api.new_key(2, "messages:send")
    response, problem = await room.api.post(
        "/v1/messages", {"to": TO, "template_id": made["id"]}, other
    )
    assert response.status == 422
    assert faults(problem) == {("/template_id", "template_unknown")}


async def test_a_message_may_say_where_a_link_of_its_template_leads(room: Room) -> None:
    made = await room.made(links={})
    problem = await room.sent(422, template_id=made["id"])
    assert faults(problem) == {("/template_id", "link_name_unknown")}
    sent = await room.sent(
        template_id=made["id"],
        params={"name": "王", "n": "№7"},
        links={"main": {"url": "https://shop.example/i?n={{n}}&who={{name}}"}},
    )
    [(prepared, _)] = room.api.memory.stored.values()
    assert prepared.links == ("https://shop.example/i?n=%E2%84%967&who=%E7%8E%8B",)
    assert sent["text"].startswith("【某某商城】王满100减20元")


async def test_one_bad_item_of_a_batch_sinks_no_other(room: Room) -> None:
    made = await room.made()
    items = [
        {"to": TO, "template_id": made["id"], "params": {"name": "王"}},
        {"to": TO, "template_id": "tpl_0000000000000"},
        {"to": TO, "text": "plain"},
        {"to": TO, "template_id": made["reference"], "params": {"x": "y"}},
        {"to": TO, "template_id": made["reference"]},
    ]
    answer = await room.asked("/v1/messages/batch", {"messages": items}, 202)
    assert [item.get("error", {}).get("code") for item in answer["items"]] == [
        None, "template_unknown", None, "param_unknown", None,
    ]  # fmt: skip
    assert (answer["accepted"], answer["rejected"]) == (3, 2)
    [pointer] = [each["pointer"] for each in answer["items"][1]["error"]["errors"]]
    assert pointer == "/messages/1/template_id"
    previewed = await room.asked("/v1/messages/preview", {"messages": items[:2]})
    assert previewed["items"][0]["message"]["text"].startswith("【某某商城】王满100")
    assert previewed["items"][1]["error"]["code"] == "template_unknown"


async def test_a_template_that_has_ended_sends_nothing_and_is_shown(room: Room) -> None:
    made = await room.made()
    await room.sent(template_id=made["id"])
    for _ in range(2):
        response, _ = await room.api.call("DELETE", f"{PATH}/{made['id']}", None, {})
        assert response.status == 204
    problem = await room.sent(422, template_id=made["reference"])
    assert faults(problem) == {("/template_id", "template_unknown")}
    assert (await room.made(409, path=f"/{made['id']}/versions"))["code"] == "template_ended"
    _, page = await room.api.get(PATH)
    assert page["data"] == []
    _, page = await room.api.get(f"{PATH}?ended=true")
    assert [each["id"] for each in page["data"]] == [made["id"]]


async def test_versions_are_read_once_and_known_anew_after_some_seconds(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await room.made()
    await room.sent(template_id=made["id"])
    assert room.templates.known(1, made["id"]) is not None
    assert room.templates.known(2, made["id"]) is None
    room.now_ms += memory_module.FRESH_MS
    assert room.templates.known(1, made["id"]) is not None
    room.now_ms += 1
    assert room.templates.known(1, made["id"]) is None
    await room.sent(template_id=made["id"])
    await room.made(path=f"/{made['id']}/versions", body="{{name}}新品8折 {{link:main}} ")
    assert "新品8折" in (await room.sent(template_id=made["id"]))["text"]
    monkeypatch.setattr(memory_module, "VERSIONS_MAX", 1)
    await room.templates.read(1, [made["id"]])
    await room.templates.read(1, [made["reference"]])
    assert room.templates.known(1, made["id"]) is None
    assert room.templates.known(1, made["reference"]) is not None


def test_an_account_measures_with_its_own_signature_and_way_to_opt_out() -> None:
    shop = AccountPolicy(
        id=2, name="shop", signature="【XX商城】", opt_out_suffix="退订点{{optout}}"
    )
    version = checked("满100减20元 ", signature="", suffix="")
    found = longest(version, AccountMeasure("https://s.example", shop, 10))
    assert found.text == "【XX商城】满100减20元 退订点https://s.example/22222222"
    assert found.opt_out_link
    found = longest(checked("国" * 700), AccountMeasure("https://s.example", shop, 10))
    assert found.fault is not None
