"""What the API says of campaigns: every mistake at once, and what is missing is missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from campaigns.running.desk import CampaignActor
from campaigns.running.spec import Spec
from campaigns.running.store import StoredCampaign
from tests.web.rooms.campaigns import NOW, ForgottenCampaigns
from tests.web.served import Api, running_api

PATH = "/v1/campaigns"
ONE = f"{PATH}/cmp_0000000000001"
TEMPLATE = "tpl_0nx25tc8g2000@1"
GOOD: dict[str, Any] = {
    "name": "双11",
    "audience": {"segment": "days_since(login) >= 90"},
    "arms": [{"template": TEMPLATE}],
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with running_api() as api:
        yield api


async def test_a_draft_is_made_and_names_its_revision(api: Api) -> None:
    response, body = await api.post(PATH, GOOD)
    assert (response.status, response.headers["ETag"]) == (201, '"1"')
    assert response.headers["Location"] == f"{PATH}/{body['id']}" == ONE
    assert (body["state"], body["version"], body["author"]) == ("draft", 1, "key 0")


async def test_every_mistake_is_told_at_once(api: Api) -> None:
    wrong = {
        **GOOD, "name": "", "budget": "bud_1", "holdout": 0.9, "nonsense": 1,
        "arms": [{"template": "tpl_a"}],
    }  # fmt: skip
    response, body = await api.post(PATH, wrong)
    assert response.status == 422
    assert isinstance(body["errors"], list)
    found = {(each["code"], each["pointer"]) for each in body["errors"]}
    assert found == {
        ("field_unknown", "/nonsense"),
        ("label_invalid", "/name"),
        ("not_available", "/budget"),
        ("out_of_range", "/holdout"),
        ("template_unknown", "/arms/0/template"),
    }


async def test_all_mistakes_of_an_experiment_are_told_at_once(api: Api) -> None:
    wrong = {
        "metric": "uctr_delivered", "tau": 0.9, "alpha": 0, "base": 1, "test_share": 0,
        "window": "1w", "decide_by": "PT1000H",
    }  # fmt: skip
    response, body = await api.post(PATH, {**GOOD, "experiment": wrong})
    assert response.status == 422
    assert isinstance(body["errors"], list)
    assert {each["pointer"] for each in body["errors"]} == {
        "/experiment",  # it has one arm
        *(f"/experiment/{name}" for name in wrong if name != "metric"),
    }
    wrong = {"metric": "opens", "tau": 0.1}
    response, body = await api.post(PATH, {**GOOD, "experiment": wrong})
    assert (response.status, {each["pointer"] for each in body["errors"]}) == (
        422, {"/experiment/metric", "/experiment/test_share", "/experiment/decide_by"},
    )  # fmt: skip


async def test_an_experiment_is_shown_as_it_was_written(api: Api) -> None:
    asked = {"metric": "cvr_delivered", "tau": 0.01, "test_share": 0.2, "decide_by": "PT36H"}
    arms = [{"template": TEMPLATE}, {"template": TEMPLATE}]
    response, body = await api.post(PATH, {**GOOD, "arms": arms, "experiment": asked})
    assert response.status == 201
    assert body["spec"]["experiment"] == asked
    assert (body["test"], body["decision"]) == (None, None)


async def test_planned_looks_are_shown_as_they_were_written(api: Api) -> None:
    asked = {
        "metric": "uctr_delivered", "tau": 0.01, "test_share": 0.2, "decide_by": "PT36H",
        "test": {"kind": "planned", "looks": 3},
    }  # fmt: skip
    arms = [{"template": TEMPLATE}, {"template": TEMPLATE}]
    response, body = await api.post(PATH, {**GOOD, "arms": arms, "experiment": asked})
    assert response.status == 201
    assert body["spec"]["experiment"] == asked


@pytest.mark.parametrize(
    ("test", "code", "pointer"),
    [
        ({"kind": "planned", "looks": 0}, "out_of_range", "/looks"),
        ({"kind": "planned", "looks": 6}, "out_of_range", "/looks"),
        ({"kind": "always_valid", "looks": 5}, "out_of_range", "/looks"),
        ({"looks": 5}, "out_of_range", "/looks"),
        ({"kind": "planned", "look": 5}, "field_unknown", "/look"),
        ({"kind": "planned", "looks": 2.5}, "field_type", "/looks"),
        ({"kind": "fixed"}, "field_type", "/kind"),
        ("planned", "field_type", ""),
    ],
)
async def test_looks_that_cannot_be_planned_are_refused(
    api: Api, test: object, code: str, pointer: str
) -> None:
    """Beside whatever else is wrong."""
    asked = {
        "metric": "uctr_delivered", "tau": 0.9, "test_share": 0.2, "decide_by": "PT36H",
        "test": test,
    }  # fmt: skip
    arms = [{"template": TEMPLATE}, {"template": TEMPLATE}]
    response, body = await api.post(PATH, {**GOOD, "arms": arms, "experiment": asked})
    assert response.status == 422
    found = {(each["code"], each["pointer"]) for each in body["errors"]}
    assert (code, f"/experiment/test{pointer}") in found


async def test_a_field_of_another_kind_is_told_and_nothing_more(api: Api) -> None:
    response, body = await api.post(PATH, {**GOOD, "audience": "everybody", "name": ""})
    assert (response.status, body["code"]) == (422, "field_type")


async def test_what_is_not_built_is_refused(api: Api) -> None:
    response, body = await api.post(PATH, {**GOOD, "budget": {"id": "x"}})
    assert (response.status, body["code"]) == (422, "not_available")


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("plan", None),
        ("test", {"to": ["+8613812345678"]}),
        ("start", {"confirm_recipients": 1}),
        ("pause", {"reason": "the shop is down"}),
        ("resume", None),
        ("resume", {"override": "it is mended"}),
        ("cancel", None),
        ("decide", {"arm": 1, "reason": "the season ends"}),
    ],
)
async def test_of_an_unknown_campaign_nothing_is_done(
    api: Api, verb: str, body: dict[str, Any] | None
) -> None:
    for path in (f"{ONE}/{verb}", f"{PATH}/cmp_x/{verb}"):
        if body is None:
            response, told = await api.call("POST", path, None, {})
        else:
            response, told = await api.post(path, body)
        assert (response.status, told["code"]) == (404, "not_found")


async def test_a_change_names_the_revision_that_was_seen(api: Api) -> None:
    async def put(**headers: str) -> tuple[int, object]:
        kind = {"Content-Type": "application/json"}
        sent = msgspec.json.encode(GOOD)
        response, told = await api.call("PUT", ONE, sent, {**kind, **headers})
        return response.status, told["code"]

    assert await put() == (428, "if_match_missing")
    assert await put(**{"If-Match": '"1"'}) == (404, "not_found")


async def test_a_change_may_leave_the_start_that_is_over_as_it_is(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = NOW - timedelta(hours=3)

    async def one(book: ForgottenCampaigns, account: int, campaign: int) -> StoredCampaign | None:
        spec = msgspec.convert({**GOOD, "schedule": {"start": past}}, Spec)
        return await book.create(CampaignActor(account, "key 1"), campaign, spec)

    monkeypatch.setattr(ForgottenCampaigns, "one", one)
    for start, told in ((past, 404), (past - timedelta(hours=1), 422)):
        sent = msgspec.json.encode({**GOOD, "schedule": {"start": start}})
        headers = {"Content-Type": "application/json", "If-Match": '"1"'}
        response, _ = await api.call("PUT", ONE, sent, headers)
        assert response.status == told


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("resume", {"override": ""}),
        ("resume", {"override": "a\nb"}),
        ("resume", {"overrides": "so"}),
        ("test", {"to": []}),
        ("test", {"to": ["+8613812345678"] * 21}),
        ("pause", {"reason": ""}),
        ("start", {}),
        ("decide", {"arm": 1, "reason": ""}),
        ("decide", {"arm": "1"}),
    ],
)
async def test_a_request_that_is_wrong_is_refused(
    api: Api, path: str, body: dict[str, Any]
) -> None:
    response, _ = await api.post(f"{ONE}/{path}", body)
    assert response.status == 422


async def test_each_verb_has_its_scope(api: Api) -> None:
    reader = api.new_key(1, "campaigns:read")
    writer = api.new_key(1, "campaigns:read", "campaigns:write")
    assert (await api.get(PATH, reader))[0].status == 200
    assert (await api.post(PATH, GOOD, reader))[0].status == 403
    assert (await api.post(PATH, GOOD, writer))[0].status == 201
    response, told = await api.post(f"{ONE}/start", {"confirm_recipients": 1}, writer)
    assert (response.status, told["code"]) == (403, "scope_missing")
