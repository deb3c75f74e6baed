"""/v1/breakers and /v1/anomalies over a real database."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.breakers.scopes import Scope
from dlr.anomalies import rows
from dlr.anomalies.detectors import DETECTORS, drop
from dlr.anomalies.rows import Anomaly, AnomalyList
from dlr.anomalies.significance import Share, level_of
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from tests.dispatch.breakers.world import MINUTE_MS, Breakers
from tests.dispatch.world import CONNECTOR, World, running
from tests.web.served import Api, running_api

BREAKERS = "/v1/breakers"
SIM = f"{BREAKERS}/connector/sim"
WHY = {"reason": "ticket 4711", "seconds": 600}


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


@pytest.fixture
async def breakers(world: World) -> Breakers:
    return Breakers(world, by_itself=[Scope.CONNECTOR])


@pytest.fixture
async def api(world: World, breakers: Breakers) -> AsyncIterator[Api]:
    listed = AnomalyList(world.database.read)
    async with running_api(breakers=breakers.desk, anomalies=listed) as api:
        api.headers = api.new_key(1, "operations:read", "operations:write")
        yield api


async def test_a_breaker_is_opened_shown_and_closed(world: World, api: Api) -> None:
    response, opened = await api.post(f"{SIM}/open", WHY)
    assert response.status == 200, opened
    assert (opened["state"], opened["reason"]) == ("forced_open", "ticket 4711")
    since, until = (datetime.fromisoformat(str(opened[at])) for at in ("since", "until"))
    assert until - since == timedelta(seconds=600)
    _, listed = await api.get(f"{BREAKERS}?state=forced_open&scope=connector")
    assert listed["data"] == [opened]
    assert (await api.get(f"{BREAKERS}?state=open"))[1]["data"] == []
    response, closed = await api.post(f"{SIM}/close", WHY)
    assert closed["state"] == "forced_closed"
    assert (await api.get(SIM))[1]["state"] == "forced_closed"
    actions = await world.connection.fetch("SELECT action FROM audit ORDER BY id")
    assert [row["action"] for row in actions] == ["breaker.open", "breaker.close"]


async def test_the_bundle_is_the_same_octets_each_time(api: Api) -> None:
    await api.post(f"{SIM}/open", WHY)
    _, shown = await api.get(SIM)
    evidence: Any = shown["evidence"]
    async with api.session.get(api.url + f"{SIM}/evidence", headers=api.headers) as response:
        octets = await response.read()
    assert hashlib.sha256(octets).hexdigest() == evidence["sha256"]
    assert len(octets) == evidence["octets"]
    for form, accept in (("?format=csv", "application/json"), ("", "text/csv")):
        headers = api.headers | {"Accept": accept}
        async with api.session.get(api.url + f"{SIM}/evidence{form}", headers=headers) as table:
            assert table.content_type == "text/csv"
            assert (await table.text()).startswith("message,part,")
            assert table.headers["Repr-Digest"].startswith("sha-256=:")


async def test_a_carrier_s_code_is_no_formula_in_the_table(
    world: World, breakers: Breakers, api: Api
) -> None:
    (message,) = world.messages(1)
    await world.store([message])
    row = SubmissionRow(
        id=world.ids.next(), message_id=message.id, part=1, parts=1, account=1, category=1,
        connector=CONNECTOR, status=Status.UNDELIVERED, error="=1+1", submitted_at=None,
    )  # fmt: skip
    await insert_submissions(world.connection, [row])
    breakers.ahead = 1_000  # the bundle has what is older than its opening
    await api.post(f"{SIM}/open", WHY)
    url = f"{api.url}{SIM}/evidence?format=csv"
    async with api.session.get(url, headers=api.headers) as response:
        names, *table = csv.reader((await response.text()).splitlines())
    assert [row[names.index("code")] for row in table] == ["'=1+1"]


async def test_probes_are_shown(breakers: Breakers, api: Api) -> None:
    await api.post(f"{SIM}/open", {"reason": "x", "seconds": 1})
    await breakers.time_passes(MINUTE_MS)
    _, shown = await api.get(SIM)
    assert shown["state"] == "half_open"
    assert shown["probes"] == {"round": 1, "size": 20, "let_through": 0}


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "pointer"),
    [
        (f"{SIM}/open", {}, 422, "field_missing", "/reason"),
        (f"{SIM}/open", {"reason": ""}, 422, "field_type", "/reason"),
        (f"{SIM}/open", {"reason": "x", "seconds": 0}, 422, "field_type", "/seconds"),
        (f"{SIM}/close", {"reason": "x", "until": 1}, 422, "field_unknown", "/until"),
        (f"{BREAKERS}/connector/nobody/open", WHY, 404, "not_found", None),
        (f"{BREAKERS}/planet/sim/open", WHY, 404, "not_found", None),
        (f"{BREAKERS}/batch/bat_0000000000000/open", WHY, 404, "not_found", None),
        (f"{BREAKERS}/sender/SHOP/open", WHY, 404, "not_found", None),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_stored(
    world: World, api: Api, path: str, body: dict[str, object], status: int, code: str,
    pointer: str | None,
) -> None:  # fmt: skip
    response, problem = await api.post(path, body)
    assert (response.status, problem["code"]) == (status, code), problem
    if pointer is not None:
        errors: Any = problem["errors"]
        assert [each["pointer"] for each in errors] == [pointer]
    assert await world.count("breaker") == 0
    assert await world.count("audit") == 0


async def test_what_was_never_open_is_not_there(api: Api) -> None:
    for path in (SIM, f"{SIM}/evidence", f"{BREAKERS}/connector/nobody"):
        response, _ = await api.get(path)
        assert response.status == 404


async def test_each_scope_of_a_key_opens_its_own(api: Api) -> None:
    api.headers = api.new_key(1, "operations:read")
    assert (await api.post(f"{SIM}/open", WHY))[0].status == 403
    assert (await api.get(BREAKERS))[0].status == 200
    api.headers = api.new_key(1, "operations:write", "connectors:read")
    assert (await api.get(BREAKERS))[0].status == 403
    assert (await api.get("/v1/anomalies"))[0].status == 403


async def test_anomalies_are_listed_latest_first_and_filtered(world: World, api: Api) -> None:
    finding = drop(Share(700, 1000), Share(6658, 7000), 1.5, level_of(200))
    assert finding is not None
    stored = [
        Anomaly(
            id=world.ids.next(), scope="sender", subject=f"shop:{name}", account=1, about=None,
            began_at=datetime(2026, 11, 29, 10, tzinfo=UTC), finding=finding,
        )
        for name in ("A", "B", "C")
    ]  # fmt: skip
    await rows.put(world.connection, stored)
    response, first = await api.get("/v1/anomalies?limit=2")
    assert response.status == 200, first
    found: Any = first["data"]
    assert [each["subject"] for each in found] == ["shop:C", "shop:B"]
    assert (found[0]["observed"], found[0]["spread"]) == (0.7, 1.5)
    _, second = await api.get(f"/v1/anomalies?limit=2&cursor={first['next_cursor']}")
    rest: Any = second["data"]
    assert [each["subject"] for each in rest] == ["shop:A"]
    _, filtered = await api.get("/v1/anomalies?subject=shop:B&detector=drop&scope=sender")
    data: Any = filtered["data"]
    assert [each["subject"] for each in data] == ["shop:B"]
    for query in ("detector=surge", "scope=connector", "since=2099-01-01T00:00:00Z"):
        assert (await api.get(f"/v1/anomalies?{query}"))[1]["data"] == [], query
    response, _ = await api.get("/v1/anomalies?detector=mood")
    assert response.status == 422
    assert len(DETECTORS) == 6
