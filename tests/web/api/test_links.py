"""/v1/links over a real database: made, refused with every mistake, changed, ended, counted."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from shortlinks.classify import ClickClass
from shortlinks.host_list import HostList
from shortlinks.link_rules import AccountLinks, LinkRules
from shortlinks.public_code import PublicCodes
from shortlinks.public_desk import LinkActor, LinkDesk
from shortlinks.public_links import NewLink, StoredLink
from storage.ids import IdSource, id_at, parse_id
from storage.pool import Connection, Database
from tests.web.served import Api, running_api

PATH = "/v1/links"
URL = "https://shop.example/sale"
RULES = LinkRules(
    default=AccountLinks(("https://s.example", "go.example")),
    accounts={},
    domains=frozenset({"s.example", "go.example"}),
    denied=HostList(["evil.example"]),
)
NOW = datetime.now(UTC)


@pytest.fixture
async def desk(database_url: str, tmp_path: Path) -> AsyncIterator[LinkDesk]:
    database = await Database.open(
        database_url, tmp_path, application_name="links", read_connections=1
    )
    desk = LinkDesk(
        database.read,
        database.dedicated("links"),
        rules=RULES,
        codes=PublicCodes(b"a key of the test suite, 32 byte"),
        ids=IdSource(7, lambda: time.time_ns() // 1_000_000),
        wall_ms=lambda: time.time_ns() // 1_000_000,
    )
    yield desk
    await desk.close()
    await database.close()


@pytest.fixture
async def api(desk: LinkDesk) -> AsyncIterator[Api]:
    async with running_api(links=desk) as api:
        yield api


async def made(api: Api, status: int = 201, **fields: object) -> Any:
    response, answer = await api.post(PATH, {"url": URL, **fields})
    assert response.status == status, answer
    return answer


def faults(problem: Any) -> set[tuple[str, str]]:
    return {(each["pointer"], each["code"]) for each in problem["errors"]}


async def test_a_link_is_made_under_a_code_or_a_slug(api: Api, connection: Connection) -> None:
    link = await made(api)
    assert link["short_url"] == f"https://s.example/{link['code']}"
    assert (len(link["code"]), link["url"], link["state"]) == (6, URL, "live")
    named = await made(
        api, slug="sale-2026", domain="go.example", tags=["a", "b", "a"], campaign_id="summer",
        fallback_url="https://shop.example/", expires_at="2099-01-01T08:00:00+08:00",
    )  # fmt: skip
    assert (named["short_url"], named["tags"]) == ("go.example/sale-2026", ["a", "b"])
    assert named["expires_at"] == "2099-01-01T00:00:00Z"
    for each in (link, named):
        response, answer = await api.get(f"{PATH}/{each['id']}")
        assert (response.status, answer) == (200, each)
    actions = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [(row["action"], row["detail"]["link"]) for row in actions] == [
        ("link.create", link["id"]), ("link.create", named["id"]),
    ]  # fmt: skip


async def test_every_mistake_is_told_at_once_and_nothing_is_stored(
    api: Api, connection: Connection
) -> None:
    wrong = {
        "url": "javascript:alert(1)", "slug": "Sale!", "domain": "other.example",
        "fallback_url": "https://s.example/x", "expires_at": "2020-01-01T00:00:00Z",
        "campaign_id": "", "tags": ["x" * 101], "to": "+8613812345678",
    }  # fmt: skip
    response, problem = await api.post(PATH, wrong)
    assert response.status == 422
    assert faults(problem) == {
        ("/url", "link_url_invalid"), ("/slug", "slug_invalid"), ("/domain", "link_domain_unknown"),
        ("/fallback_url", "link_loop"), ("/expires_at", "out_of_range"),
        ("/campaign_id", "field_type"), ("/tags/0", "field_type"), ("/to", "field_unknown"),
    }  # fmt: skip
    problem = await made(api, 422, url="https://evil.example/", slug="healthz")
    assert faults(problem) == {("/url", "link_host_refused"), ("/slug", "slug_reserved")}
    assert await connection.fetchval("SELECT count(*) FROM link") == 0
    assert await connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_a_slug_is_given_once_a_domain_and_none_that_looks_like_it(api: Api) -> None:
    await made(api, slug="sale")
    for slug, by in (("sale", "is taken"), ("sa1e", "looks like sale"), ("s-ale", "looks like")):
        problem = await made(api, 409, slug=slug)
        assert (problem["code"], faults(problem)) == ("slug_taken", {("/slug", "slug_taken")})
        assert by in problem["detail"]
    await made(api, slug="sale", domain="go.example")


async def test_a_code_that_is_somebodys_slug_is_passed_over(
    api: Api, desk: LinkDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(api, slug="summer")
    codes = iter(["summer", "aB3dE9"])
    monkeypatch.setattr(PublicCodes, "encode", lambda self, number: next(codes))
    assert (await made(api))["code"] == "aB3dE9"


async def test_a_batch_takes_what_is_good_and_says_what_is_wrong_with_the_rest(
    api: Api, connection: Connection
) -> None:
    links = [
        {"url": URL}, {"url": "data:text/html,x"}, {"url": URL, "slug": "sale"}, 7,
        {"url": URL, "slug": "sa1e"}, {"url": URL, "colour": "red"}, {"url": URL},
    ]  # fmt: skip
    response, answer = await api.post(f"{PATH}/bulk", {"links": links})
    items: Any = answer["items"]
    assert (response.status, answer["made"], answer["refused"]) == (200, 3, 4)
    assert [each["index"] for each in items] == list(range(7))
    assert [each.get("error", {}).get("code") for each in items] == [
        None, "link_url_invalid", None, "field_type", "slug_taken", "field_unknown", None,
    ]  # fmt: skip
    assert items[4]["error"]["errors"][0]["pointer"] == "/links/4/slug"
    assert items[2]["short_url"] == "https://s.example/sale"
    assert await connection.fetchval("SELECT count(*) FROM link") == 3
    row = await connection.fetchrow("SELECT action, detail FROM audit")
    assert row is not None
    assert (row["action"], row["detail"]["rows"]) == ("links.create", 3)
    response, problem = await api.post(f"{PATH}/bulk", {"links": [{"url": "x"}, {}]})
    assert (response.status, problem["code"]) == (422, "batch_rejected")
    assert faults(problem) == {
        ("/links/0/url", "link_url_invalid"), ("/links/1/url", "field_missing"),
    }  # fmt: skip
    response, problem = await api.post(f"{PATH}/bulk", {"links": []})
    assert (response.status, problem["code"]) == (422, "batch_size")


async def test_ten_thousand_links_are_one_request(api: Api, connection: Connection) -> None:
    links = [{"url": f"{URL}?n={number}"} for number in range(10_000)]
    response, answer = await api.post(f"{PATH}/bulk", {"links": links})
    assert (response.status, answer["made"]) == (200, 10_000)
    assert await connection.fetchval("SELECT count(DISTINCT code) FROM link") == 10_000
    response, problem = await api.post(f"{PATH}/bulk", {"links": [*links, {"url": URL}]})
    assert (response.status, problem["code"]) == (422, "batch_size")


async def test_the_same_request_twice_makes_one_link(api: Api, connection: Connection) -> None:
    headers = {"Idempotency-Key": "k1"}
    answers = [await api.post(PATH, {"url": URL}, headers) for _ in range(2)]
    assert answers[0][1] == answers[1][1]
    assert answers[1][0].headers["Idempotency-Replayed"] == "true"
    assert await connection.fetchval("SELECT count(*) FROM link") == 1
    response, _ = await api.post(PATH, {"url": URL + "/other"}, headers)
    assert response.status == 422
    # A refusal leaves the key free.
    again = {"Idempotency-Key": "k2"}
    assert (await api.post(PATH, {"url": "x"}, again))[0].status == 422
    assert (await api.post(PATH, {"url": URL}, again))[0].status == 201


async def test_what_a_dead_process_stored_is_not_made_again(
    desk: LinkDesk, connection: Connection
) -> None:
    actor = LinkActor(1, "key 1")
    links = [
        NewLink(
            id=number, domain="s.example", slug=slug, target=URL, fallback=None,
            campaign_id=None, tags=(), expires_at=None,
        )
        for number, slug in ((1, None), (2, "sale"), (3, None))
    ]  # fmt: skip
    before = await desk.create(actor, links[:2])
    after = await desk.create(actor, links, again=True)
    assert after[:2] == before
    assert isinstance(after[2], StoredLink)
    assert await connection.fetchval("SELECT count(*) FROM link") == 3


async def test_a_change_changes_what_is_named_and_nothing_else(
    api: Api, connection: Connection
) -> None:
    link = await made(api, slug="sale", tags=["a"], fallback_url="https://shop.example/over")
    one = f"{PATH}/{link['id']}"
    body = b'{"url":"https://shop.example/new","fallback_url":null,"expires_at":"2099-01-01T00:00:00Z"}'
    response, changed = await api.call("PATCH", one, body, {"Content-Type": "application/json"})
    assert response.status == 200
    assert changed.pop("changed_at") is not None
    link |= {"url": "https://shop.example/new", "fallback_url": None}
    link |= {"expires_at": "2099-01-01T00:00:00Z"}
    assert changed == {key: value for key, value in link.items() if key != "changed_at"}
    wrong = b'{"slug":"other","url":"https://evil.example/","tags":null}'
    response, problem = await api.call("PATCH", one, wrong, {"Content-Type": "application/json"})
    assert faults(problem) == {
        ("/slug", "field_unknown"), ("/url", "link_host_refused"), ("/tags", "field_type"),
    }  # fmt: skip
    rows = await connection.fetch("SELECT action, detail FROM audit ORDER BY id")
    assert [row["action"] for row in rows] == ["link.create", "link.change"]
    assert rows[1]["detail"]["changed"] == ["expires_at", "fallback", "target"]
    response, _ = await api.call("PATCH", one, b"{}", {"Content-Type": "application/json"})
    assert response.status == 200
    assert await connection.fetchval("SELECT count(*) FROM audit") == 2


async def test_an_ended_link_stays_ended_and_keeps_its_slug(
    api: Api, connection: Connection
) -> None:
    link = await made(api, slug="sale")
    one = f"{PATH}/{link['id']}"
    for _ in range(2):
        response, _ = await api.call("DELETE", one, None, {})
        assert response.status == 204
    response, answer = await api.get(one)
    assert (response.status, answer["state"]) == (200, "deleted")
    json = {"Content-Type": "application/json"}
    response, problem = await api.call("PATCH", one, b'{"tags":[]}', json)
    assert (response.status, problem["code"]) == (409, "link_deleted")
    await made(api, 409, slug="sale")
    actions = await connection.fetch("SELECT action FROM audit ORDER BY id")
    assert [row["action"] for row in actions] == ["link.create", "link.delete"]


async def test_another_accounts_link_does_not_exist(api: Api) -> None:
    link = await made(api)
    other = api.new_key(2, "links:read", "links:write")
    for method, path, body in (
        ("GET", "", None), ("GET", "/stats", None), ("GET", "/qr", None), ("DELETE", "", None),
        ("PATCH", "", b"{}"),
    ):  # fmt: skip
        headers = {**other, "Content-Type": "application/json"} if body else other
        response, _ = await api.call(method, f"{PATH}/{link['id']}{path}", body, headers)
        assert response.status == 404, (method, path)
    _, answer = await api.get(PATH, other)
    assert answer["data"] == []
    assert (await api.get(f"{PATH}/lnk_nonsense"))[0].status == 404


async def test_lists_are_narrowed_and_turned_page_by_page(api: Api, connection: Connection) -> None:
    first = await made(api, tags=["a"], campaign_id="summer")
    second = await made(api, tags=["a", "b"], domain="go.example")
    third = await made(api, expires_at="2099-01-01T00:00:00Z")
    fourth = await made(api)
    await api.call("DELETE", f"{PATH}/{fourth['id']}", None, {})
    await connection.execute(
        "UPDATE link SET expires_at = $2 WHERE id = $1", parse_id("lnk", third["id"]), NOW
    )

    async def ids(query: str) -> list[str]:
        _, page = await api.get(f"{PATH}?{query}")
        found: Any = page["data"]
        return [each["id"] for each in found]

    one, two, three, four = (each["id"] for each in (first, second, third, fourth))
    assert await ids("") == [four, three, two, one]
    assert await ids("tag=a") == [two, one]
    assert await ids("campaign_id=summer") == [one]
    assert await ids("domain=go.example") == [two]
    assert await ids("state=live") == [two, one]
    assert await ids("state=expired") == [three]
    assert await ids("state=deleted") == [four]
    assert await ids("since=2099-01-01T00:00:00Z") == []
    _, page = await api.get(f"{PATH}?limit=3")
    _, rest = await api.get(f"{PATH}?limit=3&cursor={page['next_cursor']}")
    data: Any = rest["data"]
    assert ([each["id"] for each in data], rest["next_cursor"]) == ([one], None)


async def test_stats_count_by_class_and_span(api: Api, connection: Connection) -> None:
    link = await made(api)
    link_id = parse_id("lnk", link["id"])
    human, preview = ClickClass.HUMAN, ClickClass.PREVIEW
    for number, (click_class, agent) in enumerate(
        [(human, "A"), (human, "A"), (human, "B"), (preview, "C")]
    ):
        await connection.execute(
            "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
            " ip_prefix, link_id) VALUES ($1, 0, 0, 0, $2, '{}', 'GET', $3, '192.0.2.0/24', $4)",
            id_at(NOW) + number, click_class, agent, link_id,
        )  # fmt: skip
    until = (NOW + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    _, answer = await api.get(f"{PATH}/{link['id']}/stats?until={until}&interval=hour")
    assert (answer["clicks"], answer["human_clicks"], answer["visitors"]) == (4, 3, 2)
    assert answer["classes"] == {
        "human": 3, "preview": 1, "prefetch": 0, "scanner": 0, "unknown": 0,
    } | {each.label: 0 for each in ClickClass if each not in (human, preview)}  # fmt: skip
    [span] = list(answer["spans"])
    assert span["since"] == NOW.replace(minute=0, second=0, microsecond=0).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    assert (span["clicks"], span["human_clicks"]) == (4, 3)
    for query in ("since=2030-01-01T00:00:00Z", "since=2025-01-01T00:00:00Z&interval=hour"):
        response, problem = await api.get(f"{PATH}/{link['id']}/stats?{query}")
        assert (response.status, problem["code"]) == (422, "parameter_invalid")


async def test_a_link_is_drawn_as_a_qr_code(api: Api) -> None:
    link = await made(api, slug="sale", domain="go.example")
    path = f"{PATH}/{link['id']}/qr"
    async with api.session.get(api.url + path, headers=api.headers) as response:
        assert response.content_type == "image/svg+xml"
        picture = ElementTree.fromstring(await response.text())
        assert picture.tag.endswith("svg")
    response, _ = await api.get(f"{path}?correction=X&border=21")
    assert response.status == 422
    headers = api.new_key(1, "links:write")
    assert (await api.get(path, headers))[0].status == 403
