"""Endpoints as they are stored: secrets sealed, changes seen by others, bounds held."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dlr.webhooks import endpoints
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import Endpoint, Secret, SecretBox, TooMany
from storage.keys import ROOT_BYTES, NumberKeys
from storage.pool import Connection

NOW = datetime(2026, 12, 1, tzinfo=UTC)
BOX = SecretBox(NumberKeys(bytes(ROOT_BYTES)))


def endpoint(endpoint_id: int = 1, account: int = 1, **given: object) -> Endpoint:
    whole = Endpoint(
        id=endpoint_id,
        account=account,
        url="https://shop.example/hooks",
        events=("message.*", "final"),
        headers={"authorization": "Bearer abc"},
        secrets=(Secret("whsec_new"), Secret("whsec_old", NOW + timedelta(hours=1))),
        since=NOW,
        created_at=NOW,
    )
    return msgspec.structs.replace(whole, **given)


async def test_what_was_stored_is_read_again_by_its_account_alone(connection: Connection) -> None:
    await endpoints.create(connection, BOX, endpoint(full_numbers=True, batch_max=500))
    await endpoints.create(connection, BOX, endpoint(2, account=2))
    stored = await endpoints.by_id(connection, BOX, 1, 1)
    assert stored == endpoint(full_numbers=True, batch_max=500)
    assert await endpoints.by_id(connection, BOX, 2, 1) is None
    assert [each.id for each in await endpoints.listed(connection, BOX, 2, limit=10)] == [2]
    assert [each.id for each in await endpoints.every(connection, BOX)] == [1, 2]


async def test_secrets_and_headers_are_sealed_for_their_row(connection: Connection) -> None:
    await endpoints.create(connection, BOX, endpoint())
    row = await connection.fetchrow("SELECT headers_enc, secrets_enc FROM webhook_endpoint")
    assert row is not None
    assert b"abc" not in row["headers_enc"]
    assert b"whsec" not in row["secrets_enc"]
    assert BOX.open_secrets(row["secrets_enc"], 2) == ()
    other = SecretBox(NumberKeys(b"\1" * ROOT_BYTES))
    assert other.open_headers(row["headers_enc"], 1) == {}


async def test_each_change_moves_the_generation(connection: Connection) -> None:
    seen = [await endpoints.generation(connection)]

    async def moved() -> bool:
        seen.append(await endpoints.generation(connection))
        return seen[-1] > seen[-2]

    await endpoints.create(connection, BOX, endpoint())
    assert await moved()
    assert await endpoints.change(connection, BOX, endpoint(url="https://other.example/"))
    assert await moved()
    assert await endpoints.set_state(connection, 1, State.DISABLED, "410", NOW)
    assert not await endpoints.set_state(connection, 1, State.DISABLED, "by hand", NOW)
    assert await moved()
    await endpoints.store_callback_secrets(connection, BOX, 1, [Secret("whsec_c")])
    assert await moved()
    assert await endpoints.callback_secrets(connection, BOX) == {1: (Secret("whsec_c"),)}
    assert await endpoints.delete(connection, 1, 1, NOW)
    assert not await endpoints.delete(connection, 1, 1, NOW)
    assert await moved()
    assert await endpoints.every(connection, BOX) == []
    await endpoints.note_success(connection, {1: NOW})
    assert not await moved()


async def test_an_account_has_so_many_and_no_more(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS_MAX", 1)
    await endpoints.create(connection, BOX, endpoint())
    with pytest.raises(TooMany):
        await endpoints.create(connection, BOX, endpoint(2))
    await endpoints.create(connection, BOX, endpoint(3, callback=True))
    await endpoints.create(connection, BOX, endpoint(4, account=2))


def test_the_key_before_signs_along_for_a_while() -> None:
    secrets = endpoints.rotated([Secret("a")], "b", NOW + timedelta(hours=24))
    secrets = endpoints.rotated(secrets, "c", NOW + timedelta(hours=48))
    assert endpoints.signing(secrets, NOW) == ["c", "b", "a"]
    assert endpoints.signing(secrets, NOW + timedelta(hours=24)) == ["c", "b"]
    assert endpoints.signing(endpoints.retired(secrets), NOW) == ["c"]
    assert len(endpoints.rotated(secrets, "d", NOW)) == endpoints.SECRETS_MAX
