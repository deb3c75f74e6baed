"""/v1/webhook-endpoints over a real database, and receivers on real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dlr.webhooks import desk as owners
from dlr.webhooks import endpoints
from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.client import WebhookClient
from dlr.webhooks.endpoint_state import State
from dlr.webhooks.endpoints import SecretBox
from dlr.webhooks.owner_desk import OwnerDesk
from storage.ids import parse_id
from storage.keys import ROOT_BYTES, NumberKeys
from tests.dispatch.world import World, running
from tests.dlr.webhooks.raw_receiver import Receiver, answering, receiving
from tests.web.served import Api, running_api

PATH = "/v1/webhook-endpoints"
BOX = SecretBox(NumberKeys(bytes(ROOT_BYTES)))
GOOD = {"url": "https://app.example/hooks", "events": ["message.*"]}
LOCAL = AddressPolicy.of(["127.0.0.0/8"], allow_http=True)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
NO = b"HTTP/1.1 500 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
SCOPES = ("webhooks:read", "webhooks:write")


class Desk(OwnerDesk):
    """Its clock can be turned on; how often others were told of a change is counted."""

    later = timedelta()
    settled = 0

    async def settle(self) -> None:
        self.settled += 1


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with running(database_url) as world:
        yield world


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    client = WebhookClient(LOCAL, user_agent="smsgate/1", monotonic=time.monotonic)
    built: Desk = Desk(
        world.database.read,
        world.database.dedicated("webhooks"),
        tests=owners.Tests(
            world.database.dedicated("webhook-tests"),
            client,
            ids=world.ids,
            now=lambda: datetime.now(UTC) + built.later,
        ),
        policy=LOCAL,
        box=BOX,
        ids=world.ids,
        now=lambda: datetime.now(UTC) + built.later,
        settled=lambda: built.settle(),
    )
    yield built
    await client.close()


@pytest.fixture
async def api(desk: Desk) -> AsyncIterator[Api]:
    async with running_api(webhooks=desk) as api:
        api.headers = api.new_key(1, *SCOPES)
        yield api


async def made(api: Api, **fields: object) -> Any:
    response, body = await api.post(PATH, {**GOOD, **fields})
    assert response.status == 201, body
    return body


async def patched(api: Api, path: str, **fields: object) -> tuple[int, Any]:
    body = msgspec.json.encode(fields)
    headers = {"Content-Type": "application/json"}
    response, answer = await api.call("PATCH", path, body, headers)
    return response.status, answer


async def test_one_is_made_seen_changed_and_ended(api: Api, desk: Desk) -> None:
    response, body = await api.post(PATH, GOOD)
    made: Any = body
    assert response.status == 201
    assert response.headers["Location"] == f"{PATH}/{made['id']}"
    assert response.headers["Cache-Control"] == "no-store"
    assert desk.settled == 1
    assert made["secret"].startswith("whsec_")
    Webhook(made["secret"])
    shown = {name: value for name, value in made.items() if name != "secret"}
    _, one = await api.get(f"{PATH}/{made['id']}")
    assert one == shown
    assert (one["state"], one["numbers"], one["batch_max"]) == ("active", "masked", 1)
    status, changed = await patched(api, f"{PATH}/{made['id']}", events=["final"], ordered=True)
    assert status == 200
    assert changed == {**shown, "events": ["final"], "ordered": True}
    response, _ = await api.call("DELETE", f"{PATH}/{made['id']}", None, {})
    assert response.status == 204
    for method in ("GET", "DELETE"):
        response, _ = await api.call(method, f"{PATH}/{made['id']}", None, {})
        assert response.status == 404
    assert desk.settled == 2


async def test_a_page_holds_the_oldest_first_and_of_one_account(api: Api) -> None:
    ids = [(await made(api))["id"] for _ in range(3)]
    _, first = await api.get(f"{PATH}?limit=2")
    assert [each["id"] for each in first["data"]] == ids[:2]
    assert "secret" not in first["data"][0]
    response, rest = await api.get(f"{PATH}?limit=2&cursor={first['next_cursor']}")
    assert [each["id"] for each in rest["data"]] == ids[2:]
    assert rest["next_cursor"] is None
    other = api.new_key(2, *SCOPES)
    _, theirs = await api.get(PATH, other)
    assert theirs["data"] == []
    for method, path in (("GET", ""), ("POST", "/rotate"), ("POST", "/test"), ("DELETE", "")):
        response, _ = await api.call(method, f"{PATH}/{ids[0]}{path}", None, other)
        assert response.status == 404


async def test_every_mistake_is_told_at_once_and_nothing_is_stored(api: Api) -> None:
    response, body = await api.post(
        PATH,
        {
            "url": "http://10.0.0.1/",
            "events": ["message.*", "message.delivred"],
            "batch_max": 501,
            "batch_wait_ms": -1,
            "numbers": "some",
            "headers": {"Webhook-Id": "x", "X-Ok": "y", "a b": "z", "X-Line": "a\r\nb"},
            "ca": "no certificate",
            "secret": "whsec_AAAA",
            "even": 1,
        },
    )
    told: Any = body
    assert response.status == 422
    found = {(each["code"], each["pointer"]) for each in told["errors"]}
    assert found == {
        ("field_unknown", "/even"),
        ("field_type", "/numbers"),
        ("webhook_url_refused", "/url"),
        ("event_unknown", "/events/1"),
        ("out_of_range", "/batch_max"),
        ("out_of_range", "/batch_wait_ms"),
        ("header_invalid", "/headers/Webhook-Id"),
        ("header_invalid", "/headers/a b"),
        ("header_invalid", "/headers/X-Line"),
        ("ca_invalid", "/ca"),
        ("secret_invalid", "/secret"),
    }
    assert "whsec_AAAA" not in str(told)
    _, page = await api.get(PATH)
    assert page["data"] == []


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"url": 7}, "field_type", "/url"),
        ({"url": "https://8.8.8.8:22/"}, "webhook_url_refused", "/url"),
        ({"events": []}, "out_of_range", "/events"),
        ({"events": "message.*"}, "field_type", "/events"),
        ({"headers": {"X": 7}}, "field_type", "/headers/X"),
        ({"headers": ["X"]}, "field_type", "/headers"),
        ({"headers": {"Host": "other"}}, "header_invalid", "/headers/Host"),
        ({"headers": {f"X-{n}": "y" for n in range(21)}}, "header_invalid", "/headers"),
        ({"signing": "ed25519", "secret": "whsec_AAAA"}, "secret_invalid", "/secret"),
        ({"secret": "whsk_AAAA"}, "secret_invalid", "/secret"),
    ],
)
async def test_what_cannot_be_is_refused(
    api: Api, fields: dict[str, object], code: str, pointer: str
) -> None:
    response, body = await api.post(PATH, {**GOOD, **fields})
    told: Any = body
    assert response.status == 422
    assert (told["code"], told["errors"][0]["pointer"]) == (code, pointer)


async def test_a_change_that_is_wrong_changes_nothing(api: Api) -> None:
    one = await made(api)
    status, told = await patched(
        api, f"{PATH}/{one['id']}", events=["final"], url="https://127.0.0.1:1/", batch_max=0
    )
    assert status == 422
    assert [each["pointer"] for each in told["errors"]] == ["/batch_max"]
    _, stored = await api.get(f"{PATH}/{one['id']}")
    assert stored["events"] == ["message.*"]


async def test_reading_and_writing_take_their_scopes(api: Api) -> None:
    one = await made(api)
    reads, writes = api.new_key(1, "webhooks:read"), api.new_key(1, "webhooks:write")
    assert (await api.post(PATH, GOOD, reads))[0].status == 403
    assert (await api.get(PATH, writes))[0].status == 403
    assert (await api.get(f"{PATH}/{one['id']}", reads))[0].status == 200


async def test_numbers_in_full_take_the_scope_to_see_them(api: Api) -> None:
    admin = api.new_key(1, *SCOPES, "admin")
    for headers in (api.headers, admin):
        response, told = await api.post(PATH, {**GOOD, "numbers": "full"}, headers)
        assert (response.status, told["code"]) == (403, "scope_missing")
    one = await made(api)
    assert (await patched(api, f"{PATH}/{one['id']}", numbers="full"))[0] == 403
    api.headers = api.new_key(1, *SCOPES, "numbers:reveal")
    assert (await made(api, numbers="full"))["numbers"] == "full"
    status, changed = await patched(api, f"{PATH}/{one['id']}", numbers="full")
    assert (status, changed["numbers"]) == (200, "full")
    path = f"{PATH}/{one['id']}"
    api.headers = api.new_key(1, *SCOPES)
    status, told = await patched(api, path, url="https://elsewhere.example/")
    assert (status, told["code"]) == (403, "scope_missing"), "they would be told to somebody else"
    assert (await api.get(path))[1] == changed
    assert (await patched(api, path, url=GOOD["url"], events=["final"]))[0] == 200
    status, changed = await patched(api, path, url="https://elsewhere.example/", numbers="masked")
    assert (status, changed["url"]) == (200, "https://elsewhere.example/")


async def test_an_account_has_so_many_and_no_more(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoints, "ENDPOINTS_MAX", 2)
    await made(api)
    await made(api)
    response, told = await api.post(PATH, GOOD)
    assert (response.status, told["code"]) == (409, "webhook_endpoints_max")


async def signatures(api: Api, receiver: Receiver, endpoint: str) -> dict[str, str]:
    """The headers of a test that is sent now."""
    response, told = await api.post(f"{PATH}/{endpoint}/test", b"", {})
    assert response.status == 200, told
    head = receiver.heads[-1].split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in head if line)


def verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


async def test_w5_secrets_overlap_until_the_old_one_is_retired(api: Api, desk: Desk) -> None:
    async with receiving(answering(OK)) as receiver:
        one = await made(api, url=receiver.url)
        path = f"{PATH}/{one['id']}"
        response, rotated = await api.post(f"{path}/rotate", {"overlap_seconds": 3600})
        assert response.status == 200
        old, new = one["secret"], rotated["secret"]
        assert old != new
        assert [each["until"] is None for each in rotated["keys"]] == [True, False]
        headers = await signatures(api, receiver, one["id"])
        body = receiver.bodies[-1]
        assert verifies(old, headers, body)
        assert verifies(new, headers, body)
        assert headers["webhook-signature"].count("v1,") == 2
        # The overlap ends by itself, or by hand.
        desk.later = timedelta(seconds=3601)
        headers = await signatures(api, receiver, one["id"])
        assert headers["webhook-signature"].count("v1,") == 1
        desk.later = timedelta()
        response, retired = await api.call("POST", f"{path}/retire", None, {})
        assert response.status == 200
        assert len(retired["keys"]) == 1
        headers = await signatures(api, receiver, one["id"])
        body = receiver.bodies[-1]
        assert not verifies(old, headers, body)
        assert verifies(new, headers, body)


async def test_a_secret_of_ones_own_and_an_ed25519_key(api: Api) -> None:
    own = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    assert (await made(api, secret=own))["secret"] == own
    public = await made(api, signing="ed25519")
    assert public["secret"] is None
    [key] = public["keys"]
    assert (key["signing"], key["public_key"][:5]) == ("ed25519", "whpk_")
    response, rotated = await api.call("POST", f"{PATH}/{public['id']}/rotate", None, {})
    assert response.status == 200
    assert [each["signing"] for each in rotated["keys"]] == ["ed25519"] * 2
    response, told = await api.post(
        f"{PATH}/{public['id']}/rotate", {"overlap_seconds": 2_592_001, "secret": "x"}
    )
    assert [each["pointer"] for each in told["errors"]] == ["/overlap_seconds", "/secret"]


async def test_a_test_says_what_the_receiver_said(api: Api) -> None:
    async with receiving(answering(NO)) as receiver:
        one = await made(api, url=receiver.url, headers={"X-Key": "abc"})
        response, told = await api.post(f"{PATH}/{one['id']}/test", b"", {})
    assert response.status == 200
    assert (told["delivered"], told["status"], told["answer"]) == (False, 500, "no")
    assert "X-Key: abc\r\n" in receiver.heads[0]
    event = msgspec.json.decode(receiver.bodies[0])
    assert event["type"] == "webhook.test"
    assert event["data"] == {"endpoint": one["id"]}
    assert one["header_names"] == ["X-Key"]


async def test_what_is_paused_waits_and_what_is_disabled_is_not_paused(api: Api) -> None:
    one = await made(api)
    path = f"{PATH}/{one['id']}"
    for action, state in (("pause", "paused"), ("pause", "paused"), ("disable", "disabled")):
        response, told = await api.call("POST", f"{path}/{action}", None, {})
        assert (response.status, told["state"], told["reason"]) == (200, state, "by hand")
    response, told = await api.call("POST", f"{path}/pause", None, {})
    assert (response.status, told["code"]) == (409, "webhook_disabled")


async def test_w17_enabling_asks_for_a_test_that_succeeds_and_not_twice_in_five_minutes(
    api: Api, desk: Desk
) -> None:
    said = [NO]

    def talk(receiver: Receiver) -> Any:
        async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await receiver.request(reader)
            writer.write(said[0])
            await writer.drain()

        return spoken

    async with receiving(talk) as receiver:
        one = await made(api, url=receiver.url)
        path = f"{PATH}/{one['id']}"
        await api.call("POST", f"{path}/disable", None, {})
        response, told = await api.call("POST", f"{path}/enable", None, {})
        assert (response.status, told["code"]) == (409, "webhook_test_failed")
        assert "500" in told["detail"]
        said[0] = OK
        response, told = await api.call("POST", f"{path}/enable", None, {})
        assert (response.status, told["code"]) == (429, "webhook_test_soon")
        assert 0 < int(response.headers["Retry-After"]) <= 300
        assert len(receiver.heads) == 1
        desk.later = timedelta(minutes=5, seconds=1)
        response, told = await api.call("POST", f"{path}/enable", None, {})
        assert (response.status, told["state"], told["reason"]) == (200, "active", "by hand")
        # One that is active is left alone: nothing is asked, nothing is reset.
        settled = desk.settled
        response, told = await api.call("POST", f"{path}/enable", None, {})
        assert (response.status, told["state"]) == (200, "active")
        assert len(receiver.heads) == 2
        assert desk.settled == settled


async def test_w15_why_and_since_when_an_endpoint_is_disabled_is_shown(
    api: Api, world: World
) -> None:
    one = await made(api)
    since = datetime(2026, 12, 1, tzinfo=UTC)
    number = parse_id("whe", one["id"])
    await endpoints.set_state(
        world.connection, number, State.DISABLED, "it answered 410 Gone", since
    )
    _, shown = await api.get(f"{PATH}/{one['id']}")
    assert (shown["state"], shown["reason"]) == ("disabled", "it answered 410 Gone")
    assert shown["since"] == "2026-12-01T00:00:00Z"


async def test_each_change_is_on_record(api: Api, world: World) -> None:
    one = await made(api)
    path = f"{PATH}/{one['id']}"
    await patched(api, path, ordered=True)
    for action in ("rotate", "retire", "pause"):
        await api.call("POST", f"{path}/{action}", None, {})
    await api.call("DELETE", path, None, {})
    rows = await world.connection.fetch("SELECT action, actor, detail FROM audit ORDER BY id")
    assert [row["action"].partition(".")[2] for row in rows] == [
        "create", "change", "rotate", "retire", "paused", "delete",
    ]  # fmt: skip
    assert {row["actor"] for row in rows} == {"key 1"}


CALLBACKS = "/v1/webhook-callbacks"


async def test_what_signs_callbacks_is_made_exchanged_and_seen(api: Api, world: World) -> None:
    response, none = await api.get(CALLBACKS)
    assert (response.status, none["keys"], none["hosts"]) == (200, [], [])
    response, first = await api.call("POST", f"{CALLBACKS}/rotate", None, {})
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert str(first["secret"]).startswith("whsec_")
    response, told = await api.post(f"{CALLBACKS}/rotate", {"overlap_seconds": 60})
    second: Any = told
    assert [each["until"] is None for each in second["keys"]] == [True, False]
    stored = await endpoints.callback_secrets(world.connection, BOX)
    assert [each.key for each in stored[1]] == [second["secret"], first["secret"]]
    response, told = await api.call("POST", f"{CALLBACKS}/retire", None, {})
    retired: Any = told
    assert (len(retired["keys"]), "secret" in retired) == (1, False)
    _, others = await api.get(CALLBACKS, api.new_key(2, *SCOPES))
    assert others["keys"] == []
    response, told = await api.post(f"{CALLBACKS}/rotate", {"overlap_seconds": -1})
    wrong: Any = told
    assert [each["pointer"] for each in wrong["errors"]] == ["/overlap_seconds"]
    reads = api.new_key(1, "webhooks:read")
    response, _ = await api.call("POST", f"{CALLBACKS}/rotate", None, reads)
    assert response.status == 403
