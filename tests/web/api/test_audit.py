"""GET /v1/audit: who did what, of the account that asks, found by what is known of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from storage import audit
from storage.audit import AuditEntry
from storage.audit_reading import AuditTrail
from tests.dispatch.world import VAULT, World, running
from tests.web.served import Api, running_api

NUMBER, OTHER = "+8613812345678", "+8613987654321"
PATH = "/v1/audit"
QUOTED = NUMBER.replace("+", "%2B")


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as made:
        yield made


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    def entry(account: int, actor: str, action: str, number: str | None) -> AuditEntry:
        subject = None if number is None else VAULT.index(number)
        detail = {"list": "proof"}
        return AuditEntry(world.ids.next(), account, actor, action, subject, detail, "complaint")

    await audit.append(
        world.connection,
        [
            entry(1, "key 7", "numbers.reveal", NUMBER),
            entry(1, "key 7", "numbers.reveal", OTHER),
            entry(1, "keyword", "suppression.add", NUMBER),
            entry(2, "key 9", "numbers.reveal", NUMBER),
            entry(0, "operator", "receipts.reread", None),
        ],
    )
    async with running_api(audit=AuditTrail(world.database.read, VAULT)) as made:
        yield made


async def rows(api: Api, query: str = "") -> list[dict[str, Any]]:
    response, body = await api.get(f"{PATH}{query}")
    assert response.status == 200, body
    found: Any = body["data"]
    return list(found)


@pytest.mark.parametrize(
    ("query", "seqs"),
    [
        ("", [3, 2, 1]),
        ("?action=numbers.reveal", [2, 1]),
        ("?actor=keyword", [3]),
        (f"?number={QUOTED}", [3, 1]),
        ("?since=2100-01-01T00:00:00Z", []),
        ("?until=2100-01-01T00:00:00Z&actor=key%207", [2, 1]),
    ],
)
async def test_rows_of_the_account_are_found(api: Api, query: str, seqs: list[int]) -> None:
    assert [row["seq"] for row in await rows(api, query)] == seqs


async def test_with_admin_what_belongs_to_no_account_is_there_too(api: Api) -> None:
    api.headers = api.new_key(1, "admin")
    assert next(row["action"] for row in await rows(api)) == "receipts.reread"


async def test_a_row_says_who_did_what_when_and_why_and_no_number(api: Api, world: World) -> None:
    *_, row = await rows(api)
    stored = await world.connection.fetchrow("SELECT * FROM audit WHERE seq = 1")
    assert stored is not None
    assert row["hash"] == stored["hash"].hex()
    assert (row["actor"], row["action"], row["reason"]) == ("key 7", "numbers.reveal", "complaint")
    assert (row["about_a_person"], row["erased"], row["detail"]) == (True, False, {"list": "proof"})
    assert NUMBER[1:] not in str(row)
    assert VAULT.index(NUMBER).hex() not in str(row)
    await world.connection.execute(
        "UPDATE audit SET subject = NULL, salt = NULL, text = NULL WHERE seq = 1"
    )
    *_, row = await rows(api)
    assert (row["about_a_person"], row["erased"], row["reason"]) == (True, True, None)


async def test_pages_follow_each_other(api: Api) -> None:
    _, first = await api.get(f"{PATH}?limit=2")
    _, rest = await api.get(f"{PATH}?limit=2&cursor={first['next_cursor']}")
    data: Any = [*first["data"], *rest["data"]]
    assert [row["seq"] for row in data] == [3, 2, 1]
    assert rest["next_cursor"] is None


async def test_what_is_wrong_is_refused(api: Api) -> None:
    for query in ("?number=12", "?action=", "?since=yesterday", "?who=me"):
        response, body = await api.get(f"{PATH}{query}")
        assert response.status == 422
        assert body["code"] in ("parameter_invalid", "parameter_unknown")
    response, body = await api.get(PATH, api.new_key(1, "messages:read"))
    assert (response.status, body["code"]) == (403, "scope_missing")
