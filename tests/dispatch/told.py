"""What was written down for webhooks, as the fan-out reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from dlr.webhooks import endpoints
from dlr.webhooks.changes import Change, decode
from dlr.webhooks.endpoints import Endpoint, SecretBox
from storage.keys import NumberKeys
from storage.pool import Connection
from tests.dlr.webhooks.documented import check

BOX = SecretBox(NumberKeys(bytes(range(64))))


async def somebody_asks(connection: Connection, *events: str, account: int = 1) -> None:
    """An endpoint that wants to hear of these."""
    now = datetime.now(UTC)
    endpoint = Endpoint(
        id=account, account=account, url="https://shop.example/hooks",
        events=events or ("message.*",), since=now, created_at=now,
    )  # fmt: skip
    await endpoints.create(connection, BOX, endpoint)


async def told_messages(connection: Connection) -> list[Change]:
    rows = await connection.fetch("SELECT changes FROM webhook_change ORDER BY id")
    return [change for row in rows for change in decode(row["changes"]).messages]


async def told_others(
    connection: Connection,
) -> list[tuple[str, int, bytes | None, dict[str, Any]]]:
    """(type, account, sealed number, data) of each, all of them as documented."""
    rows = await connection.fetch("SELECT changes FROM webhook_change ORDER BY id")
    found = []
    for each in (other for row in rows for other in decode(row["changes"]).others):
        data = msgspec.json.decode(each.data)
        number = {} if each.number is None else {each.number_field: None}
        check({"type": each.type, "data": number | data})
        found.append((each.type, each.account, each.number, data))
    return found
