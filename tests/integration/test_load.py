"""`smsgate load` against a running gateway: each message is accounted for, the exit code judges."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from gateway.rehearsal.client import Client, session_of
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import Running
from tests.integration.running import create_key, gateway, simulator, write_config

SCOPES = ("messages:send", "messages:read", "webhooks:write")
ALL_DELIVERED = "receipt_delay_ms = [0, 50]\nscripted_destinations = false\n"
PROFILE = """
batch_share = 0.5
batch_size = 20
retry = true
[[messages]]
text = "Number {n}"
category = "transactional"
[thresholds]
delivered_share_min = 1.0
failed_share_max = 0.0
"""


async def load(running: Running, key: str, *more: str) -> tuple[int, dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway.cli", "load", running.api, "--for", "1s", "--json", *more,
        env=os.environ | {"SMSGATE_API_KEY": key},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode is not None
    found: dict[str, Any] = json.loads(printed)
    return process.returncode, found


async def test_a_load_accounts_for_every_message(database_url: str, folder: Path) -> None:
    profile = folder / "load.toml"
    profile.write_text(PROFILE)
    async with simulator(folder, ALL_DELIVERED) as carrier:
        config = write_config(folder, database_url, carrier.port, rest=LOCAL_WEBHOOKS)
        async with gateway(config) as running:
            key = await create_key(config, "load", "--scopes", *SCOPES)
            code, found = await load(
                running, key, "--rate", "200/s", "--profile", str(profile),
                "--listen", "127.0.0.1:0", "--wait", "2h",  # and not so long, once all is told
            )  # fmt: skip
            assert (found["planned"], found["accepted"], found["refused"]) == (200, 200, {})
            assert (found["statuses"], found["open"]) == ({"delivered": 200}, 0)
            assert {each["name"]: each["met"] for each in found["thresholds"]} == {
                "delivered_share_min": True,
                "failed_share_max": True,
            }
            assert code == 0
            assert len(carrier.accepted()) == 200
            reader = await create_key(config, "reader", "--scopes", "webhooks:read")
            async with session_of(reader) as session:
                endpoints = await Client(session, running.api, reader).get("/v1/webhook-endpoints")
            assert endpoints["data"] == []

            code, found = await load(running, reader, "--rate", "20/s", "--profile", str(profile))
            assert (found["accepted"], found["refused"]) == (0, {"403 scope_missing": 20})
            assert code == 1
