"""POST …/resolve: what may be asked, and how the answer reads."""

from __future__ import annotations

from typing import Any

import pytest

from storage.ids import format_id
from tests.web.served import Api

GOOD = {"to": "+8613812345678", "text": "x"}
ONE = format_id("msg", 1)
MANY = "/v1/messages/resolve"


@pytest.mark.parametrize(
    ("result", "status", "code"),
    [
        ("resent", 200, None),
        ("not_found", 404, "not_found"),
        ("not_unconfirmed", 409, "not_unconfirmed"),
        ("expired", 409, "message_expired"),
    ],
)
async def test_one_message(api: Api, result: str, status: int, code: str | None) -> None:
    api.memory.resolutions[1] = result
    response, body = await api.post(f"/v1/messages/{ONE}/resolve", {"action": "resend"})
    assert (response.status, body.get("code")) == (status, code)
    if code is None:
        assert body == {"id": ONE, "result": "resent"}


async def test_many_each_for_itself(api: Api) -> None:
    api.memory.resolutions.update({1: "dropped", 2: "not_unconfirmed"})
    ids = [format_id("msg", number) for number in (1, 2)]
    response, body = await api.post(MANY, {"action": "drop", "ids": ids})
    assert response.status == 200
    assert body == {
        "resolved": 1,
        "more": False,
        "items": [{"id": ids[0], "result": "dropped"}, {"id": ids[1], "result": "not_unconfirmed"}],
    }


async def test_a_batch_is_asked_for_what_of_it_is_in_doubt(api: Api) -> None:
    _, sent = await api.post("/v1/messages/batch", {"messages": [GOOD, GOOD]})
    for message_id in api.memory.stored:
        api.memory.resolutions[message_id] = "resent"
    response, body = await api.post(MANY, {"action": "resend", "batch_id": sent["batch_id"]})
    assert (response.status, body["resolved"], body["more"]) == (200, 2, False)
    assert api.memory.wanted is not None
    assert api.memory.wanted.status == "unconfirmed"
    assert format_id("bat", api.memory.wanted.batch_id or 0) == sent["batch_id"]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "resend"},
        {"action": "resend", "ids": [ONE], "batch_id": format_id("bat", 1)},
        {"action": "again", "ids": [ONE]},
        {"action": "drop", "ids": []},
        {"action": "drop", "ids": ["1"]},
        {"action": "drop", "batch_id": ONE},
        {"ids": [ONE]},
        {"action": "drop", "ids": [ONE], "x": 1},
    ],
)
async def test_what_makes_no_sense_is_422_and_changes_nothing(
    api: Api, body: dict[str, Any]
) -> None:
    response, _ = await api.post(MANY, body)
    assert response.status == 422
    assert api.memory.resolved == []


async def test_it_needs_the_scope_to_send(api: Api) -> None:
    response, _ = await api.post(MANY, {"action": "drop"}, api.new_key(1, "messages:read"))
    assert response.status == 403
