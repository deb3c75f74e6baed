"""GET /v1/messages: its parameters, its pages and their Link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from storage.ids import format_id
from tests.web.rooms.messages import NOW_MS
from tests.web.served import Api

URL = "/v1/messages"
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


async def test_pages_lead_from_one_to_the_next_by_cursor_and_link(api: Api) -> None:
    for number in range(5):
        await api.post(URL, {"to": f"+861381234567{number}", "text": "x"})
    seen: list[object] = []
    url = f"{URL}?limit=2&tag=t"
    for size in (2, 2, 1):
        response, body = await api.get(url)
        data = body["data"]
        assert isinstance(data, list)
        assert len(data) == size
        seen += [each["id"] for each in data]
        assert data[0]["to"].count("*") == 4
        if body["next_cursor"] is None:
            assert "Link" not in response.headers
            break
        link = response.headers["Link"]
        assert str(body["next_cursor"]) in link
        url = link[1 : link.index(">")]
    assert seen == [format_id("msg", each) for each in sorted(api.memory.stored, reverse=True)]


async def test_the_parameters_become_the_question(api: Api) -> None:
    batch = format_id("bat", 12345)
    await api.get(
        f"{URL}?to=%2B8613812345678&status=failed&client_ref=r&campaign_id=c&tag=t&batch_id={batch}"
        "&created_before=2026-09-01T00:00:00Z"
    )
    wanted = api.memory.wanted
    assert wanted is not None
    assert (wanted.to, wanted.status, wanted.client_ref) == ("+8613812345678", "failed", "r")
    assert (wanted.campaign_id, wanted.tag, wanted.batch_id) == ("c", "t", 12345)
    assert wanted.until == datetime(2026, 9, 1, tzinfo=UTC)
    await api.get(URL)
    assert api.memory.wanted is not None
    assert api.memory.wanted.since == NOW - timedelta(days=7)
    assert api.memory.wanted.until > NOW


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("to=8613812345678", "to"),
        ("status=gone", "status"),
        ("batch_id=msg_0NX25TC8G2000", "batch_id"),
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-09-01T00:00:00Z&created_before=2026-08-01T00:00:00Z", "created_after"),
        ("campaign=c", "campaign"),
        ("limit=0", "limit"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(api: Api, query: str, name: str) -> None:
    response, problem = await api.get(f"{URL}?{query}")
    assert response.status == 422
    [error] = problem["errors"]
    assert error["parameter"] == name


async def test_the_list_needs_the_scope_to_read(api: Api) -> None:
    response, _ = await api.get(URL, api.new_key(1, "messages:send"))
    assert response.status == 403
