"""…/deliveries, …/redeliver, …/replay over a real database, and a log as the worker writes it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dlr.webhooks import deliveries
from dlr.webhooks import desk as owners
from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.client import WebhookClient
from dlr.webhooks.deliveries import Attempt, Event, LogState
from dlr.webhooks.endpoints import SecretBox
from dlr.webhooks.events import event_name
from dlr.webhooks.owner_desk import OwnerDesk
from storage.ids import EPOCH_UNIX_MS, IdSource, format_id, id_at, parse_id
from storage.keys import ROOT_BYTES, NumberKeys
from tests.dispatch.world import World, running
from tests.web.served import Api, running_api

ENDPOINTS = "/v1/webhook-endpoints"
SCOPES = ("webhooks:read", "webhooks:write")
HOUR = timedelta(hours=1)


class Log:
    """One endpoint, and what is written in its log."""

    def __init__(self, world: World, endpoint: str) -> None:
        self.world = world
        self.path = f"{ENDPOINTS}/{endpoint}"
        self.endpoint = parse_id("whe", endpoint)

    async def attempt(self, state: LogState, kinds: Sequence[str] = ("message.sent",)) -> Attempt:
        """One, with an event of each kind."""
        ids, connection = self.world.ids, self.world.connection
        events = [
            Event(ids.next(), 1, kind, 7, 0, 0, b'{"type":"%b"}' % kind.encode(), None)
            for kind in kinds
        ]
        await deliveries.insert_events(connection, events)
        made = int(state is not LogState.SKIPPED)
        row = Attempt(
            ids.next(), self.endpoint, ids.next(), made, state, [each.id for each in events],
            status=500 if made else None, ms=12 if made else None, answer="no" if made else None,
            error=None if made else "the endpoint is disabled",
        )  # fmt: skip
        await deliveries.log(connection, [row])
        return row

    async def waiting(self) -> list[tuple[int, list[int], bool]]:
        rows = await self.world.connection.fetch(
            "SELECT id, event_ids, replayed FROM webhook_delivery ORDER BY next_at, id"
        )
        return [(row["id"], row["event_ids"], row["replayed"]) for row in rows]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    client = WebhookClient(AddressPolicy.of(), user_agent="smsgate/1", monotonic=time.monotonic)

    async def settled() -> None:
        return

    desk = OwnerDesk(
        world.database.read,
        world.database.dedicated("webhooks"),
        tests=owners.Tests(
            world.database.dedicated("webhook-tests"),
            client,
            ids=world.ids,
            now=lambda: datetime.now(UTC),
        ),
        policy=AddressPolicy.of(),
        box=SecretBox(NumberKeys(bytes(ROOT_BYTES))),
        ids=world.ids,
        now=lambda: datetime.now(UTC),
        settled=settled,
    )
    wall_ms = lambda: time.time_ns() // 1_000_000  # noqa: E731
    async with running_api(webhooks=desk, wall_ms=wall_ms) as api:
        api.headers = api.new_key(1, *SCOPES)
        yield api
    await client.close()


@pytest.fixture
async def log(api: Api, world: World) -> Log:
    response, body = await api.post(
        ENDPOINTS, {"url": "https://app.example/hooks", "events": ["message.*"]}
    )
    assert response.status == 201
    return Log(world, str(body["id"]))


async def told(api: Api, path: str) -> Any:
    response, body = await api.get(path)
    assert response.status == 200, body
    return body


async def test_attempts_are_listed_the_newest_first_and_by_page(api: Api, log: Log) -> None:
    rows = [await log.attempt(state) for state in (LogState.FAILED, LogState.EXHAUSTED)]
    rows.append(await log.attempt(LogState.SKIPPED, ["message.sent", "message.delivered"]))
    page = await told(api, f"{log.path}/deliveries?limit=2")
    rest = await told(api, f"{log.path}/deliveries?limit=2&cursor={page['next_cursor']}")
    listed = [*page["data"], *rest["data"]]
    assert [each["id"] for each in listed] == [
        format_id("whd", row.delivery) for row in reversed(rows)
    ]
    assert rest["next_cursor"] is None
    skipped, exhausted, _ = listed
    assert (skipped["state"], skipped["attempt"], skipped["status"]) == ("skipped", 0, None)
    assert skipped["error"] == "the endpoint is disabled"
    assert skipped["types"] == ["message.delivered", "message.sent"]
    assert skipped["event_ids"] == [event_name(each) for each in rows[2].event_ids]
    assert (exhausted["status"], exhausted["milliseconds"], exhausted["answer"]) == (500, 12, "no")


async def test_filters_narrow_the_list(api: Api, log: Log) -> None:
    await log.attempt(LogState.FAILED)
    second = await log.attempt(LogState.FAILED, ["message.delivered"])
    await log.attempt(LogState.DELIVERED)

    async def ids(query: str) -> list[str]:
        page = await told(api, f"{log.path}/deliveries?{query}")
        return [each["id"] for each in page["data"]]

    assert len(await ids("state=failed")) == 2
    assert await ids("state=failed&type=message.delivered") == [format_id("whd", second.delivery)]
    later = (datetime.now(UTC) + HOUR).isoformat().replace("+", "%2B")
    assert await ids(f"since={later}") == []
    assert await ids("state=waiting") == []


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("state=lost", "state"),
        ("type=message.delivred", "type"),
        ("state=waiting&type=message.sent", "type"),
        ("state=waiting&since=2026-12-01T00:00:00Z", "since"),
        ("since=yesterday", "since"),
        ("status=failed", "status"),
    ],
)
async def test_a_filter_that_is_none_is_refused(
    api: Api, log: Log, query: str, parameter: str
) -> None:
    response, body = await api.get(f"{log.path}/deliveries?{query}")
    wrong: Any = body
    assert response.status == 422
    assert wrong["errors"][0]["parameter"] == parameter


async def test_a_delivery_is_told_once_more_under_its_id(api: Api, log: Log) -> None:
    row = await log.attempt(LogState.EXHAUSTED)
    name = format_id("whd", row.delivery)
    response, body = await api.call("POST", f"{log.path}/deliveries/{name}/redeliver", None, {})
    assert (response.status, body["id"], body["state"]) == (202, name, "waiting")
    assert await log.waiting() == [(row.delivery, row.event_ids, False)]
    page = await told(api, f"{log.path}/deliveries?state=waiting")
    assert [each["id"] for each in page["data"]] == [name]
    other = api.new_key(2, *SCOPES)
    for path, headers in (
        (f"{log.path}/deliveries/{name}/redeliver", other),
        (f"{log.path}/deliveries/{format_id('whd', 7)}/redeliver", {}),
        (f"{log.path}/deliveries/evt_1/redeliver", {}),
    ):
        response, _ = await api.call("POST", path, None, headers)
        assert response.status == 404


async def test_w16_what_was_skipped_is_replayed_each_under_its_own_id(api: Api, log: Log) -> None:
    before = await log.attempt(LogState.DELIVERED)
    skipped = await log.attempt(LogState.SKIPPED, ["message.sent", "message.delivered"])
    given_up = await log.attempt(LogState.EXHAUSTED)
    since = (datetime.now(UTC) - HOUR).isoformat()
    response, body = await api.post(f"{log.path}/replay", {"since": since})
    assert (response.status, body["events"], body["next_cursor"]) == (202, 3, None)
    waiting = await log.waiting()
    assert [event for _, events, _ in waiting for event in events] == [
        *skipped.event_ids, *given_up.event_ids,
    ]  # fmt: skip
    assert {replayed for *_, replayed in waiting} == {True}
    # What waits already does not do so twice.
    _, body = await api.post(f"{log.path}/replay", {"since": since})
    assert body["events"] == 0
    _, body = await api.post(
        f"{log.path}/replay", {"since": since, "states": ["delivered"], "types": ["message.sent"]}
    )
    assert body["events"] == len(before.event_ids)


async def test_a_replay_without_an_end_holds_ids_that_run_ahead_of_the_clock(
    api: Api, log: Log
) -> None:
    now = datetime.now(UTC)
    # Ids run ahead of the clock after it was set back, and a little after a burst.
    log.world.ids = IdSource(1, lambda: EPOCH_UNIX_MS, above=id_at(now + HOUR))
    await log.attempt(LogState.SKIPPED)
    since = (now - HOUR).isoformat()
    _, body = await api.post(f"{log.path}/replay", {"since": since})
    assert body["events"] == 1


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"since": "yesterday"}, "field_type", "/since"),
        ({"since": "2100-01-01T00:00:00Z"}, "out_of_range", "/since"),
        ({"until": "2020-01-01T00:00:00Z"}, "out_of_range", "/since"),
        ({"types": ["message.sent", "message.*"]}, "event_unknown", "/types/1"),
        ({"states": ["failed"]}, "field_type", "/states/0"),
        ({"states": []}, "out_of_range", "/states"),
        ({"cursor": "7"}, "cursor_invalid", "/cursor"),
        ({"type": "message.sent"}, "field_unknown", "/type"),
    ],
)
async def test_a_replay_that_makes_no_sense_is_refused(
    api: Api, log: Log, fields: dict[str, object], code: str, pointer: str
) -> None:
    body = {"since": "2026-01-01T00:00:00Z", **fields}
    response, answer = await api.post(f"{log.path}/replay", body)
    wrong: Any = answer
    assert response.status == 422
    assert (wrong["errors"][0]["code"], wrong["errors"][0]["pointer"]) == (code, pointer)
    assert await log.waiting() == []


async def test_reading_and_replaying_take_their_scopes(api: Api, log: Log) -> None:
    response, _ = await api.get(f"{log.path}/deliveries", api.new_key(1, "webhooks:write"))
    assert response.status == 403
    reads = api.new_key(1, "webhooks:read")
    response, _ = await api.post(f"{log.path}/replay", {"since": "2026-01-01T00:00:00Z"}, reads)
    assert response.status == 403
    for other in (api.new_key(2, *SCOPES),):
        assert (await api.get(f"{log.path}/deliveries", other))[0].status == 404
        response, _ = await api.post(f"{log.path}/replay", {"since": "2026-01-01T00:00:00Z"}, other)
        assert response.status == 404
