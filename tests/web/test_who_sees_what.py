"""What is shown to whom: without a key, to any account, and to a key with the scope for it."""

from __future__ import annotations

import pytest

from gateway.config.settings import HttpSettings
from storage.faults import StorageDown
from tests.web.served import Api, running_api
from web.edge.scopes import SCOPES
from web.services import Component

ADDRESS = "cannot connect to smsc.carrier.example:2775"


@pytest.fixture
def troubled(api: Api) -> Api:
    api.memory.components = [
        Component("database", False, "no connection to db.example:5432"),
        Component("connector carrier-a", False, ADDRESS, required=False),
    ]
    return api


@pytest.mark.parametrize("scopes", [(), ("reports:read",), ("connectors:read",), ("admin",)])
async def test_h12_readiness_gives_reasons_to_a_key_with_the_scope_alone(
    troubled: Api, scopes: tuple[str, ...]
) -> None:
    troubled.headers = troubled.new_key(1, *scopes) if scopes else {}
    response, body = await troubled.get("/readyz")
    assert response.status == 503
    if scopes in ((), ("reports:read",)):
        assert body == {
            "ready": False,
            "detailed": False,
            "components": [
                {"name": "database", "ok": False, "reason": None, "required": True},
            ],
        }
    else:
        assert body["detailed"] is True
        assert ADDRESS in str(body)


async def test_h12_readiness_is_answered_also_while_no_key_can_be_looked_up(
    troubled: Api,
) -> None:
    headers = troubled.new_key(1, "connectors:read")
    troubled.memory.failure = StorageDown(1)
    response, body = await troubled.get("/readyz", headers)
    assert (response.status, body["detailed"]) == (503, False)


async def test_h12_any_account_sees_which_connectors_are_up_and_no_more(api: Api) -> None:
    _, body = await api.get("/v1/connectors", api.new_key(1, "reports:read"))
    data = body["data"]
    assert isinstance(data, list)
    assert data[0] == {"name": "carrier-a", "kind": "smpp", "up": False}
    for scopes in (("reports:read", "connectors:read"), ("admin",)):
        _, body = await api.get("/v1/connectors", api.new_key(1, *scopes))
        data = body["data"]
        assert isinstance(data, list)
        assert data[0]["reason"] == "connection refused"


async def test_h12_metrics_may_want_a_key() -> None:
    async with running_api(HttpSettings(metrics_key=True)) as api:
        for scopes, status in (((), 401), (("reports:read",), 403), (("metrics:read",), 200)):
            headers = api.new_key(1, *scopes) if scopes else {}
            async with api.session.get(api.url + "/metrics", headers=headers) as response:
                assert response.status == status


async def test_h12_every_scope_that_an_endpoint_asks_for_exists(api: Api) -> None:
    _, document = await api.get("/openapi.json")
    paths = document["paths"]
    assert isinstance(paths, dict)
    asked = {
        scope
        for methods in paths.values()
        for operation in methods.values()
        for requirement in operation.get("security", [])
        for scopes in requirement.values()
        for scope in scopes
    }
    assert asked
    assert asked <= set(SCOPES)
