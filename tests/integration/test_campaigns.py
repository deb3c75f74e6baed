"""A campaign over two gateways, one of which is killed: everybody gets it, and nobody twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS, session_of
from gateway.rehearsal.running import Running, create_key
from storage.ids import IdSource
from storage.pool import Connection, close_connection, connect
from tests.fork_server import forked
from tests.integration.running import SMOOTH, gateway, simulator, write_config
from tests.messages.accept.world import VAULT, wall_ms

PEOPLE = 2_000
OPEN = "SELECT count(*) FROM campaign_chunk WHERE NOT done"
QUICK = {"campaigns.running.watch.LOOK_SECONDS": 0.2, "gateway.maintenance.RECOVER_SECONDS": 0.2}
SCOPES = (
    "campaigns:read", "campaigns:write", "campaigns:send", "templates:write", "messages:read",
)  # fmt: skip
TEMPLATE = {
    "name": "win-back",
    "category": "marketing",
    "body": "{{name}}, 20 off today",
    "signature": "【Shop】",
    "suffix": "拒收请回复R",
    "variables": {"name": {"type": "text", "max": 8, "source": "attr.name", "fallback": "Guest"}},
}


def _number(place: int) -> str:
    return f"+86138{place:08d}"


async def people(
    connection: Connection, count: int, number: Callable[[int], str] = _number
) -> None:
    """Contacts of account `default` with a number and a name each."""
    account = await connection.fetchval("SELECT id FROM account WHERE name = 'default'")
    contacts = IdSource(200, wall_ms).take(count)
    numbers = [number(n) for n in range(count)]
    await connection.execute(
        "INSERT INTO attribute_def (account, name, type) VALUES ($1, 'name', 'text')", account
    )
    await connection.copy_records_to_table(
        "contact",
        records=[(each, account, {"name": f"N{n}"}) for n, each in enumerate(contacts)],
        columns=("id", "account", "attrs"),
    )
    await connection.copy_records_to_table(
        "contact_number",
        records=[
            (account, VAULT.index(number), VAULT.seal(number), contact, 0)
            for number, contact in zip(numbers, contacts, strict=True)
        ],
        columns=("account", "to_idx", "to_enc", "contact", "rank"),
    )


class Caller:
    """One of the gateways, asked with a key for campaigns."""

    def __init__(self, running: Running) -> None:
        self.running = running

    async def say(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        status, answer = await self.running.call(method, f"/v1/{path}", body)
        assert status in (200, 201), answer
        found: dict[str, Any] = answer
        return found

    async def until(self, path: str, **wanted: object) -> dict[str, Any]:
        """Until the answer has these fields."""
        answer: dict[str, Any] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not wanted.items() <= answer.items():
                answer = await self.say("GET", path)
                await asyncio.sleep(POLL_SECONDS)
        return answer


async def test_c1_c6_everybody_gets_it_once_although_a_gateway_is_killed(
    database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C1, C6: plan, test, canary, kill -9 in the middle, and the other one goes on."""
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", bytes(range(64)).hex())
    async with simulator(folder, SMOOTH) as sim:
        homes = [folder / "one", folder / "two"]
        for home in homes:
            home.mkdir()
        first_config, second_config = (write_config(home, database_url, sim.port) for home in homes)
        async with gateway(first_config, QUICK) as one, gateway(second_config, QUICK) as two:
            connection = await connect(database_url, application_name="test")
            await people(connection, PEOPLE)
            key = await create_key(first_config, "ads", "--scopes", *SCOPES, start=forked)
            async with session_of(key) as session:
                first = Caller(Running(one.child, first_config, session, key))
                second = Caller(Running(two.child, second_config, session, key))
                campaign = await started(first)
                await second.until(f"campaigns/{campaign}", state="running")
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while len(sim.accepted()) < PEOPLE // 3:
                        await asyncio.sleep(POLL_SECONDS)
                one.kill()
                found = await second.until(f"campaigns/{campaign}", fed=PEOPLE)
                assert found["skipped"] == {}
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while await connection.fetchval(OPEN):
                        await asyncio.sleep(POLL_SECONDS)  # the dead one's are taken over
                    while not await two.metric("sms_campaigns"):
                        await asyncio.sleep(POLL_SECONDS)  # it has looked
                stored = await connection.fetch(
                    "SELECT to_idx FROM message WHERE campaign_id = $1", campaign
                )
                assert len({row["to_idx"] for row in stored}) == len(stored) == PEOPLE
                report = await second.say("GET", f"campaigns/{campaign}/report")
                assert report["total"]["counts"]["accepted"] == PEOPLE
            await close_connection(connection)
        sent = Counter(line.destination for line in sim.accepted())
        assert max(sent.values()) == 1
        assert len(sent) <= PEOPLE + 1  # and the test


async def started(caller: Caller) -> str:
    """A campaign from its template to its start."""
    template = await caller.say("POST", "templates", TEMPLATE)
    spec = {
        "name": "win-back",
        "audience": {"segment": "has name"},
        "arms": [{"template": f"{template['id']}@1"}],
        "schedule": {"rate": 1_500},
    }
    path = f"campaigns/{(await caller.say('POST', 'campaigns', spec))['id']}"
    plan = await caller.say("POST", f"{path}/plan")
    assert (plan["segment"], plan["planned"], plan["canary"]) == (PEOPLE, PEOPLE, 200)
    tested = await caller.say("POST", f"{path}/test", {"to": ["+8613900000000"]})
    [text] = tested["messages"]
    assert "Guest, 20 off today" in text["text"]
    await caller.until(f"messages/{text['id']}", status="delivered")
    started = await caller.say("POST", f"{path}/start", {"confirm_recipients": plan["planned"]})
    assert started["state"] == "canary"
    return path.removeprefix("campaigns/")
