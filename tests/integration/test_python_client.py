"""The Python client with a gateway that runs: every noun, and all that its README shows."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from smpp.simulator import InboundMessage, Simulator
from smpp.simulator.profile import parse_profile
from smsgate_client import (
    AsyncClient,
    Category,
    Client,
    Conflict,
    Connector,
    CustomTlv,
    DeliveryState,
    EndpointState,
    EventKind,
    EventType,
    Forbidden,
    InvalidRequest,
    NewComplaint,
    NewConsent,
    NewEndpoint,
    NewMessage,
    NewSuppression,
    NotFound,
    Policy,
    Reason,
    Replay,
    SendWindow,
    Status,
    Unauthorized,
    Webhooks,
)
from tests.dlr.webhooks.receiver import Receiver, receiving
from tests.docs.pages import blocks
from tests.integration.running import SMOOTH, create_key, gateway, write_config

PATIENCE_SECONDS = 40.0
POLL_SECONDS = 0.05
README = Path(__file__).parents[2] / "clients" / "python" / "README.md"
SCOPES = (
    "messages:send", "messages:read", "reports:read", "inbound:read", "suppressions:read",
    "suppressions:write", "suppressions:end_opt_outs", "numbers:read", "numbers:reveal",
    "consents:read", "consents:write",
    "webhooks:read", "webhooks:write", "complaints:read", "complaints:write", "connectors:read",
    "admin",
)  # fmt: skip
HANDSET = "+8613800001000"
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


@dataclass
class Carried:
    """Where the gateway is, its keys, and the carrier it is bound to."""

    api: str
    key: str
    narrow: str
    simulator: Simulator
    system_id: str


@asynccontextmanager
async def carried(folder: Path, database_url: str, rest: str = "") -> AsyncIterator[Carried]:
    """A gateway, its carrier, and keys: one for everything, one for reading messages."""
    simulator = Simulator(parse_profile(SMOOTH, "smooth"), "127.0.0.1", 0)
    await simulator.start()
    try:
        config = write_config(folder, database_url, simulator.port, rest=rest)
        async with gateway(config) as running:
            yield Carried(
                api=running.api,
                key=await create_key(config, "client", "--scopes", *SCOPES),
                narrow=await create_key(config, "narrow", "--scopes", "messages:read"),
                simulator=simulator,
                system_id=tomllib.loads(config.read_text())["connectors"][0]["system_id"],
            )
    finally:
        await simulator.stop()


async def ended(client: AsyncClient, message_id: str) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (message := await client.messages.get(message_id)).final:
            await asyncio.sleep(POLL_SECONDS)
    return message


async def test_the_async_client_from_preview_to_report(folder: Path, database_url: str) -> None:
    async with (
        carried(folder, database_url) as found,
        AsyncClient(found.api, found.key) as client,
    ):
        await messages_and_batches(client)
        await recipients(client)
        found.simulator.send_message(
            InboundMessage(found.system_id, HANDSET[1:].encode(), b"10690001", b"Hello from here")
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (
                inbound := [each async for each in client.inbound.list(reveal=True, reason="test")]
            ):
                await asyncio.sleep(POLL_SECONDS)
        assert (inbound[0].sender, inbound[0].text) == (HANDSET, "Hello from here")
        await reports_and_connectors(client)


async def messages_and_batches(client: AsyncClient) -> None:
    message = NewMessage(
        HANDSET, "Hello {all}", sender="SHOP", category=Category.SERVICE, priority=3,
        client_ref="order-1", campaign_id="spring", variant="B", tags=["x", "y"], expires_in=3600,
        max_parts=2, send_window=SendWindow(start="00:00", end="23:59", tz="UTC"),
        tlvs=[CustomTlv(tag="0x1403", text="id")],
    )  # fmt: skip
    (previewed,) = (await client.messages.preview([message])).items
    assert previewed.message is not None
    assert (previewed.message.parts, previewed.message.route.connector) == (1, "sim")
    sent = await client.messages.send(message, idempotency_key="order-1")
    assert await client.messages.send(message, idempotency_key="order-1") == sent
    found = await ended(client, sent.id)
    assert (found.status, found.tags, found.campaign_id) == (Status.DELIVERED, ("x", "y"), "spring")
    assert found.created_at.tzinfo is not None
    kinds = [event.kind async for event in client.messages.events(sent.id, limit=2)]
    assert kinds[0] is EventKind.ACCEPTED
    assert {EventKind.SUBMITTED, EventKind.RECEIPT} <= set(kinds)

    later = datetime.now(UTC) + timedelta(hours=2)
    waiting = [
        NewMessage(f"+86138{number:08}", "Later", send_at=later, tags=["later"])
        for number in range(11, 18)
    ]
    batch = await client.messages.send_batch([*waiting, NewMessage("12345", "nobody")])
    assert (batch.accepted, batch.rejected) == (7, 1)
    assert batch.items[7].error is not None
    assert batch.items[7].error.errors[0].pointer == "/messages/7/to"
    listed = [each async for each in client.messages.list(batch_id=batch.batch_id, limit=3)]
    assert [each.id for each in listed] == [each.id for each in reversed(batch.items[:7])]
    assert {each.status for each in listed} == {Status.SCHEDULED}
    assert all(one.created_at >= other.created_at for one, other in pairwise(listed))
    assert (await client.messages.cancel(listed[0].id)).status is Status.CANCELED
    with pytest.raises(Conflict, match="not_cancelable"):
        await client.messages.cancel(sent.id)
    assert (await client.batches.pause(batch.batch_id)).state == "paused"
    assert (await client.batches.set_rate(batch.batch_id, "5/s")).rate == "5/s"
    assert (await client.batches.set_rate(batch.batch_id, None)).rate is None
    assert (await client.batches.resume(batch.batch_id)).state == "active"
    assert (await client.batches.cancel(batch.batch_id)).state == "canceled"
    assert (await client.batches.get(batch.batch_id)).counts["accepted"] == 7


async def recipients(client: AsyncClient) -> None:
    added = await client.suppressions.add(
        [NewSuppression(HANDSET, category="marketing"), NewSuppression("12345")]
    )
    assert (added.added, added.rejected) == (1, 1)
    refused = await client.messages.send(NewMessage(HANDSET, "Sale", category="marketing"))
    assert (refused.status, refused.reason) == (Status.SUPPRESSED, Reason.OPTED_OUT)
    (entry,) = [each async for each in client.suppressions.list(reveal=True, reason="test")]
    assert (entry.number, entry.source) == (HANDSET, "api")
    number = await client.numbers.get(HANDSET)
    assert (number.valid, number.delivered, len(number.suppressions)) == (True, 1, 1)
    assert (await client.suppressions.remove(HANDSET, reason="test")).removed == 1
    assert [each async for each in client.suppressions.list()] == []

    at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    consent = await client.consents.record(
        NewConsent(HANDSET, "granted", "form", text_version="3", evidence="page 1", at=at)
    )
    (kept,) = [each async for each in client.consents.list(to=HANDSET)]
    assert (kept, kept.at) == (consent, at)
    complaint = NewComplaint("12321-7", "regulator", to=HANDSET, source_name="12321", text="Stop")
    assert (await client.complaints.record(complaint)) == (
        await client.complaints.record(complaint)
    )
    assert [each.id async for each in client.complaints.list(source="regulator")] == ["12321-7"]
    proof = await client.consents.proof(HANDSET, reveal=True, reason="test")
    assert (proof.to, proof.complete, len(proof.consents), len(proof.complaints)) == (
        HANDSET, True, 1, 1,
    )  # fmt: skip


async def reports_and_connectors(client: AsyncClient) -> None:
    report = await client.reports.delivery(group_by=["campaign", "category"], limit=1)
    groups = [
        each
        async for each in client.reports.delivery_groups(group_by=["campaign", "category"], limit=1)
    ]
    assert list(report.groups) == groups[:1]
    assert sum(each.counts["accepted"] for each in groups) == report.total.counts["accepted"]
    assert {"campaign": "spring", "category": "service"} in [each.key for each in groups]
    assert report.total.rates["delivery_rate"].denominator >= 1
    assert (await client.reports.replies()).groups == ()
    assert (await client.reports.funnel()).total.counts["accepted"] == 9
    since = datetime.now(UTC) - timedelta(hours=1)
    assert (await client.reports.failures(since=since)).complete
    assert (await client.reports.latency(since=since)).accepted_to_submit[0].parts == 1
    (connector,) = [each async for each in client.connectors.list()]
    assert isinstance(connector, Connector)
    assert (connector.name, connector.up) == ("sim", True)
    assert (await client.connectors.set_rate("sim", "50/s")).rate == "50/s"
    assert (await client.connectors.pause("sim")).paused
    assert not (await client.connectors.pause("sim", paused=False)).paused


async def test_what_an_endpoint_is_told_is_verified(folder: Path, database_url: str) -> None:
    async with (
        carried(folder, database_url, LOCAL_WEBHOOKS) as found,
        receiving() as receiver,
        AsyncClient(found.api, found.key) as client,
    ):
        endpoint = await client.webhook_endpoints.create(
            NewEndpoint(receiver.url, ["final"], batch_max=10, batch_wait_ms=200)
        )
        assert endpoint.secret is not None
        assert (await client.webhook_endpoints.test(endpoint.id)).delivered
        rotated = await client.webhook_endpoints.rotate(endpoint.id, overlap_seconds=3600)
        assert len(rotated.keys) == 2
        assert rotated.secret not in (None, endpoint.secret)
        sent = await client.messages.send_batch([NewMessage(HANDSET, f"{n}") for n in range(4)])
        ids = {item.id for item in sent.items}
        for known in (endpoint.secret, rotated.secret):
            assert known is not None
            assert await told(receiver, Webhooks(known), ids) == {EventType.MESSAGE_DELIVERED}
        await endpoint_as_it_stands(client, endpoint.id)


async def told(receiver: Receiver, webhooks: Webhooks, ids: set[str | None]) -> set[EventType]:
    """The types of what was told of these messages, once each was told of."""
    count = 1  # the test came first
    while True:
        heard = await receiver.until(count)
        events = [
            event
            for each in heard[1:]
            for event in webhooks.verify(each.body, each.headers).events()
        ]
        assert all(event.id for event in events)
        if {event.data["id"] for event in events} == ids:
            return {event.type for event in events}
        count = len(heard) + 1


async def endpoint_as_it_stands(client: AsyncClient, endpoint_id: str) -> None:
    hooks = client.webhook_endpoints
    changed = await hooks.change(endpoint_id, events=["message.*"], ordered=True)
    assert (changed.events, changed.ordered) == (("message.*",), True)
    assert len((await hooks.retire(endpoint_id)).keys) == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not [each async for each in hooks.deliveries(endpoint_id, state="delivered")]:
            await asyncio.sleep(POLL_SECONDS)
    (first, *_) = [each async for each in hooks.deliveries(endpoint_id, limit=1)]
    assert (first.state, first.status) == (DeliveryState.DELIVERED, 204)
    assert (await hooks.redeliver(endpoint_id, first.id)).id == first.id
    since = datetime.now(UTC) - timedelta(hours=1)
    replayed = await hooks.replay(endpoint_id, Replay(since, states=["skipped"]))
    assert (replayed.events, replayed.next_cursor) == (0, None)
    assert (await hooks.pause(endpoint_id)).state is EndpointState.PAUSED
    assert (await hooks.enable(endpoint_id)).state is EndpointState.ACTIVE
    assert (await hooks.disable(endpoint_id)).state is EndpointState.DISABLED
    assert [each.id async for each in hooks.list()] == [endpoint_id]
    await hooks.delete(endpoint_id)
    with pytest.raises(NotFound):
        await hooks.get(endpoint_id)
    assert (await client.webhook_callbacks.rotate()).secret is not None
    assert len((await client.webhook_callbacks.get()).keys) == 1
    assert len((await client.webhook_callbacks.retire()).keys) == 1


async def test_the_blocking_client_and_the_readme(
    folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with carried(folder, database_url) as found:
        await asyncio.to_thread(refusals, found.api, found.key, found.narrow)
        monkeypatch.setenv("SMSGATE_URL", found.api)
        monkeypatch.setenv("SMSGATE_API_KEY", found.key)
        monkeypatch.setenv("SMSGATE_WEBHOOK_SECRET", SECRET)
        said = await asyncio.to_thread(readme)
    first, *more = said
    assert first.startswith("msg_")
    assert first.endswith(" accepted 1")
    assert "20 number_invalid" in more
    assert any(line.endswith(" accepted") for line in more)
    assert any(line.startswith("Rate(numerator=") for line in more)
    assert any("('/to', 'number_invalid'), ('/text', 'text_empty')" in line for line in more)
    assert any(re.fullmatch(r"whe_\w+ True", line) for line in more)
    assert more[-1] == "evt_1 message.sent {'sequence': 2}"


def refusals(api: str, key: str, narrow: str) -> None:
    with Client(api, key) as client:
        with pytest.raises(InvalidRequest) as raised:
            client.messages.send(
                NewMessage("12345", "", priority=77, policy=Policy(quiet_hours="ignore"))
            )
        assert {each.pointer for each in raised.value.errors} >= {"/to", "/text", "/priority"}
        assert raised.value.request_id
        with pytest.raises(NotFound):
            client.messages.get("msg_0akw0xgzm0000")
    with Client(api, "sk_nobody") as client, pytest.raises(Unauthorized, match="key_unknown"):
        next(client.messages.list())
    with Client(api, narrow) as client, pytest.raises(Forbidden, match="scope_missing"):
        client.messages.send(NewMessage(HANDSET, "Hello"))


def readme() -> list[str]:
    """What its Python prints, from top to bottom as a reader would type it."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for block in blocks(README, README.parent):
            if block.language == "python":
                exec(compile("\n".join(block.lines), f"README:{block.line}", "exec"), names)
        now = datetime.now(UTC)
        body = '{"type":"message.sent","timestamp":"2026-12-01T00:00:00Z","data":{"sequence":2}}'
        headers = {
            "Webhook-Id": "evt_1", "Webhook-Timestamp": str(int(now.timestamp())),
            "Webhook-Signature": Webhook(SECRET).sign("evt_1", now, body),
        }  # fmt: skip
        assert names["receive"](body.encode(), headers) == 204
        assert names["receive"](body.encode() + b" ", headers) == 400
        names["client"].close()
    return printed.getvalue().splitlines()
