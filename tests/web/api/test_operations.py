"""The operator's endpoints: who may, and what a wrong request is told."""

from __future__ import annotations

import pytest

from gateway.config import ConfigError
from ratelimit.spec import parse_rate
from tests.web.served import Api
from web.services import ReloadBusy


@pytest.fixture
def admin(api: Api) -> Api:
    """Asked with a key that may do what operators do."""
    api.headers = api.new_key(1, "admin")
    return api


PATH = "/v1/connectors/carrier-a"


async def patch(api: Api, body: bytes, path: str = PATH) -> tuple[int, dict[str, object]]:
    response, answer = await api.call("PATCH", path, body, {"Content-Type": "application/json"})
    return response.status, answer


async def test_only_a_key_with_the_scope_admin_may(api: Api) -> None:
    response, _ = await api.post("/v1/admin/reload", {})
    assert response.status == 403
    assert (await patch(api, b"{}"))[0] == 403


async def test_a_connector_is_changed_by_what_is_given(admin: Api) -> None:
    for body, wanted in (
        (b'{"rate":"50/s"}', (parse_rate("50/s"), None)),
        (b'{"rate":null}', (None, None)),
        (b'{"paused":true}', (False, True)),
        (b"{}", (False, None)),
    ):
        status, answer = await patch(admin, body)
        assert (status, answer["name"]) == (200, "carrier-a")
        assert admin.memory.changes_asked[-1] == ("carrier-a", *wanted)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"rate":"fast"}', "rate_invalid"), (b'{"rate":5}', "field_type"),
        (b'{"paused":null}', "field_type"), (b'{"pace":1}', "field_unknown"),
        (b"{", "malformed_json"),
    ],
)  # fmt: skip
async def test_a_wrong_change_changes_nothing(admin: Api, body: bytes, code: str) -> None:
    status, answer = await patch(admin, body)
    assert (status in (400, 422), answer["code"]) == (True, code)
    assert admin.memory.changes_asked == []
    assert (await patch(admin, b"{}", "/v1/connectors/none"))[0] == 404


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ConfigError("routes[0].via[0]: no connector 'x'"), 422, "config_invalid"),
        (ReloadBusy("the last reload"), 409, "reload_running"),
    ],
)
async def test_a_reload_that_was_refused_says_why(
    admin: Api, failure: BaseException, status: int, code: str
) -> None:
    response, _ = await admin.post("/v1/admin/reload", {})
    assert response.status == 200
    admin.memory.failure = failure
    response, answer = await admin.post("/v1/admin/reload", {})
    assert (response.status, answer["code"]) == (status, code)
    assert str(failure) in str(answer["detail"])


async def test_h6_a_reload_that_was_refused_tells_every_mistake(admin: Api) -> None:
    await admin.post("/v1/admin/reload", b"")
    admin.memory.failure = ConfigError("http.lisen: unknown key", "routes[0].via: missing")
    _, answer = await admin.post("/v1/admin/reload", b"")
    errors = answer["errors"]
    assert isinstance(errors, list)
    assert [each["detail"] for each in errors] == list(admin.memory.failure.faults)
