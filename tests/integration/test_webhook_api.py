"""Endpoints and callbacks made over the API of a running gateway, and who hears of messages."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.rehearsal.client import PATIENCE_SECONDS, Client, session_of
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import create_key
from tests.dlr.webhooks.receiver import Heard, Receiver, receiving
from tests.fork_server import forked
from tests.integration.running import gateway, message, write_config

ACCOUNT = """
[[accounts]]
name = "default"
callback_hosts = ["127.0.0.1"]
"""
SCOPES = ("webhooks:read", "webhooks:write")


async def heard_of(receiver: Receiver, message_id: str) -> Heard:
    """The request that tells the last status of this message."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for each in receiver.heard:
                data = each.told["data"]
                if data.get("id") == message_id and data["final"]:
                    return each
            await receiver.until(len(receiver.heard) + 1)


async def test_what_is_made_over_the_api_hears_of_messages(database_url: str, folder: Path) -> None:
    async with receiving() as receiver, receiving() as other:
        config = write_config(folder, database_url, 1, rest=LOCAL_WEBHOOKS + ACCOUNT)
        async with gateway(config) as life:
            key = await create_key(config, "hooks", "--scopes", *SCOPES, start=forked)
            async with session_of(key) as session:
                hooks = Client(session, life.api, key)
                body = {"url": receiver.url, "events": ["message.*"]}
                status, made = await hooks.call("POST", "/v1/webhook-endpoints", body)
                assert status == 201
                status, signs = await hooks.call("POST", "/v1/webhook-callbacks/rotate")
                assert (status, signs["hosts"]) == (200, ["127.0.0.1"])
                callback = {"url": f"{other.url}?order=7", "data": {"order": 7}}
                sandboxed = {**message(1), "sandbox": True}
                [plain, told] = await life.send([sandboxed, {**sandboxed, "callback": callback}])
                for each in (plain, told):
                    request = await heard_of(receiver, each["id"])
                    request.verify(made["secret"])
                request = await heard_of(other, told["id"])
                request.verify(signs["secret"])
                assert request.path == "/hooks?order=7"
                assert request.told["data"]["callback_data"] == {"order": 7}
                shown = (await life.message(told["id"]))["callback"]
                assert shown == {**callback, "events": ["final"]}
                assert "callback" not in await life.message(plain["id"])
                page = await hooks.get(f"/v1/webhook-endpoints/{made['id']}/deliveries")
                assert {each["state"] for each in page["data"]} == {"delivered"}
    assert {each.told["data"]["id"] for each in other.heard} == {told["id"]}
