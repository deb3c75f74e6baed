"""Each alert fires when the thing it watches breaks on a running gateway, and rests beside it.

The whole check alone runs this: it takes minutes. One Prometheus watches gateways that are broken
in every way, another one a gateway that is well. AcceptSurge, DiskFull and both ApiBurn are judged
by promtool alone (tests/docker/test_prometheus.py): a day's average, a full disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from campaigns.running.states import CampaignState
from docker.prometheus.alerts import ALERTS
from gateway.rehearsal.client import Client, session_of
from gateway.rehearsal.configuration import Connector, Route
from gateway.rehearsal.processes import free_port, printed
from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from gateway.rehearsal.running import Running
from smpp.pdu import DeliverSm
from storage.ids import id_at
from storage.partitions import ensure_leaf, leaf_name
from storage.pool import Connection, close_connection, connect
from tests.conftest import PostgresTarget
from tests.debian import needs, whole_check_only
from tests.dlr.webhooks.receiver import Heard, receiving
from tests.fork_server import forked
from tests.integration.carrier import RECEIPT, Carrier, Submit, carrier
from tests.integration.prometheus import Prometheus, prometheus
from tests.integration.running import (
    SMOOTH,
    create_key,
    gateway,
    message,
    simulator,
    write_config,
)

BY_PROMTOOL_ALONE = {"SmsAcceptSurge", "SmsDiskFull", "SmsApiBurnFast", "SmsApiBurnSlow"}
WANTED = {each.name for each in ALERTS} - BY_PROMTOOL_ALONE - {"SmsGatewayAbsent"}
SECONDS_MAX = 200
# What no setting says, at about a sixtieth as the rules are.
CONSTANTS: Mapping[str, float] = {
    "dlr.rollups.service.LEFT_ALONE_SECONDS": 6.0,  # naming.LATE_SECONDS are 5
    "dlr.rollups.service.MERGE_SECONDS": 1.0,
    "dlr.rollups.service.RECOUNT_SECONDS": 1.0,
    "dlr.rollups.service.COHORT_SECONDS": 1.0,
    "gateway.maintenance.BACKUP_SECONDS": 1.0,
    "gateway.wiring.inbound.AUDIT_LAG_SECONDS": 2.0,
}
PROFILES = {
    "sim": SMOOTH,
    "mute": 'outcomes = [{ state = "none" }]\n',
    "bad": SMOOTH + 'outcomes = [{ state = "DELIVRD" }, { state = "UNDELIV", error = "001" }]\n',
    "refusing": SMOOTH + "submit_errors = { ESME_RINVDSTADR = 0.5 }\n",
    "throttling": SMOOTH + "submit_errors = { ESME_RTHROTTLED = 0.5 }\n",
    "dropping": SMOOTH + "disconnect_after_submits = 3\n",
    "slow": "answer_latency_ms = 60000\n",
}
BULK = {"mute": 600, "bad": 700, "refusing": 2_000, "throttling": 400, "dropping": 200}


def texts(connector: str, count: int, **fields: object) -> list[dict[str, object]]:
    """Messages that are routed to it by their sender, each to a number of its own."""
    first = 1_000 * (list(PROFILES).index(connector) + 1 if connector in PROFILES else 9)
    named = {"from": connector.upper(), "category": "transactional", **fields}
    return [message((first + n) % 10_000, **named) for n in range(count)]


class Ward:
    """A gateway that is broken, and its database."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self._url = url

    async def send(self, bodies: Sequence[dict[str, object]]) -> None:
        for start in range(0, len(bodies), 500):
            await self.running.send(bodies[start : start + 500])

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[Connection]:
        connection = await connect(self._url, application_name="test")
        try:
            yield connection
        finally:
            await close_connection(connection)


async def row(connection: Connection, statement: str) -> Any:
    """Wait for what it finds."""
    while (found := await connection.fetchval(statement)) is None:
        await asyncio.sleep(0.2)
    return found


@contextlib.asynccontextmanager
async def ward(
    postgres_target: PostgresTarget,
    folder: Path,
    ports: Mapping[str, int],
    rest: str = "",
    api_port: int = 0,
) -> AsyncIterator[Ward]:
    """A gateway with a connector to each of these ports, on a database of its own."""
    url = await asyncio.to_thread(postgres_target.create_database)
    quick = 'code_table = "map"\nreconnect_seconds_min = 0.1\nreconnect_seconds_max = 0.2\n'
    rates = {"throttling": "20/s"}
    config = write_config(
        folder,
        url,
        free_port(),
        others=[
            Connector(name, port, f'{quick}rate = "{rates.get(name, "100/s")}"\n')
            for name, port in ports.items()
        ],
        routes=[Route([name], f'sender = ["{name.upper()}"]') for name in ports],
        rest=rest,
    )
    text = config.read_text()
    text = text.replace('listen = "127.0.0.1:0"', f'listen = "127.0.0.1:{api_port}"', 1)
    # The connector that every such file has is not wanted here: it leads nowhere.
    before, _, after = text.partition('[[connectors]]\nname = "sim"')
    config.write_text(before + "[[connectors]]" + after.partition("[[connectors]]")[2])
    try:
        async with gateway(config, CONSTANTS) as running:
            yield Ward(running, url)
    finally:
        await asyncio.to_thread(postgres_target.drop_database, url)


async def bulk(sick: Ward) -> None:
    """Receipts that do not come, or are bad; refusals, throttling, sessions that end."""
    await asyncio.gather(*(sick.send(texts(name, count)) for name, count in BULK.items()))


async def waiting(sick: Ward) -> None:
    """Nobody is where `down` leads."""
    await sick.send(texts("down", 1, category="otp") + texts("down", 1))


async def unknown_receipts(smsc: Carrier) -> None:
    await smsc.until(lambda: smsc.live is not None)
    assert smsc.live is not None
    for number in range(400):
        words = f"id:ffffff{number:04d} sub:001 dlvrd:001 stat:DELIVRD err:000 text:".encode()
        pdu = DeliverSm(
            0, esm_class=RECEIPT, source_addr=b"86199%08d" % number, short_message=words
        )
        submit = Submit(pdu=None, session=smsc.live, message_id="")  # type: ignore[arg-type]
        smsc.live.deliver([(pdu, submit)])
        await asyncio.sleep(0.05)


async def held_back(sick: Ward) -> None:
    status, _ = await sick.running.call(
        "POST", "/v1/breakers/connector/sim/open", {"reason": "a test", "seconds": 3600}
    )
    assert status == 200


async def refused_by_the_database(sick: Ward) -> None:
    async with sick.database() as connection:
        await connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION USING ERRCODE = ''22P02''; END'"
        )
        await connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON submission FOR EACH ROW"
            " WHEN (NEW.parts = 4) EXECUTE FUNCTION refuse()"
        )
        await sick.send(texts("mute", 1, text="x" * 500))


async def texted_after_an_opt_out(sick: Ward) -> None:
    async with sick.database() as connection:
        await row(connection, "SELECT 1 FROM submission LIMIT 1")
        await sick.send(texts("bad", 1, to="+8613999991000", category="marketing"))
        await row(connection, "SELECT 1 FROM submission WHERE category = 3")
        await connection.execute(
            "INSERT INTO suppression (to_idx, account, category, reason, source, created_at)"
            " SELECT to_idx, 0, -1, 9, 'api', now() - interval '1 hour' FROM message"
            " WHERE category = 3 ON CONFLICT DO NOTHING"
        )


async def figures(sick: Ward) -> None:
    """Yesterday was bad, a day is missing, and then nothing is counted any more."""
    async with sick.database() as connection:
        await row(
            connection,
            "SELECT 1 FROM rollup_cell c JOIN rollup_key k ON k.id = c.key JOIN connector n"
            " ON n.id = k.connector WHERE n.name = 'bad' GROUP BY n.name HAVING sum(c.sent) > 600",
        )
        await connection.execute(
            "INSERT INTO rollup_cell SELECT (jsonb_populate_record(c, jsonb_build_object('quarter',"
            " c.quarter - 8))).* FROM rollup_cell c"
        )
        day = datetime.now(UTC).date() - timedelta(days=6)
        for table in ("message", "submission"):
            await ensure_leaf(connection, table, day)
            moved = "(id - ((6 * 86400000)::bigint << 22))"
            more = f", 'message_id', (message_{moved[1:]}" if table == "submission" else ""
            await connection.execute(
                f"INSERT INTO {leaf_name(table, day)} SELECT (jsonb_populate_record(t,"
                f" jsonb_build_object('id', {moved}{more}))).* FROM {table} t LIMIT 50"
            )
        await row(
            connection,
            "SELECT 1 FROM rollup_cell c HAVING min(c.quarter) * 900"
            " < extract(epoch FROM now() - interval '5 days')",
        )
        await connection.execute(
            "DO $$ BEGIN PERFORM FROM rollup_state FOR UPDATE; PERFORM pg_sleep(60); END $$"
        )


async def stalled(sick: Ward) -> None:
    """Its database holds up what is stored, and the renewal of its term, for eight seconds."""

    async def knock() -> None:
        for _ in range(60):
            await sick.running.call(
                "POST", "/v1/messages/batch", {"messages": texts("sim", 90, category="marketing")}
            )
            await asyncio.sleep(0.1)

    knocking: list[asyncio.Task[None]] = []
    try:
        async with sick.database() as connection, connection.transaction():
            await connection.execute("LOCK TABLE message, owner_term IN ACCESS EXCLUSIVE MODE")
            knocking = [asyncio.create_task(knock()) for _ in range(3)]
            await asyncio.sleep(8.5)
    finally:
        for each in knocking:
            each.cancel()


async def killed(sick: Ward) -> None:
    """With messages on the wire; it stays dead for a while, and then knows of them."""
    async with sick.database() as connection:
        await sick.send(texts("slow", 5))
        await row(connection, "SELECT 1 FROM submit_intent LIMIT 1")
        sick.running.kill()
        await sick.running.exit()


def gone(_: Heard) -> web.Response:
    return web.Response(status=410)


async def hooked(sick: Ward, urls: Sequence[str]) -> None:
    key = await create_key(sick.running.config, "hooks", "--scopes", "webhooks:write")
    async with session_of(key) as session:
        hooks = Client(session, sick.running.api, key)
        for url in urls:
            body = {"url": url, "events": ["message.*"]}
            status, _ = await hooks.call("POST", "/v1/webhook-endpoints", body)
            assert status == 201


async def backed_up(ward: Ward) -> None:
    command = ["database", "backup", "--taken-elsewhere", "--json"]
    config = ward.running.config
    told = await printed(
        [*command, "--config", str(config)], config.with_suffix(".log"), start=forked
    )
    assert "taken_at" in json.loads(told)
    while not await ward.running.metric("sms_backup_last_timestamp_seconds"):
        await asyncio.sleep(0.1)


async def unmade(sick: Ward) -> None:
    """An event of contacts waits that only a later release can make, and there is none."""
    async with sick.database() as connection:
        await connection.execute(
            "INSERT INTO contact_event_due (what, at, ids)"
            " VALUES (999, now() - interval '1 hour', '{1}')"
        )


async def overslept(sick: Ward) -> None:
    """A campaign that began a day ago, and that nobody has fed."""
    async with sick.database() as connection:
        await connection.execute(
            "INSERT INTO campaign (id, account, state, planned_at, planned, started_at)"
            " VALUES ($1, 1, $2, now(), 1, now() - interval '1 day')",
            id_at(datetime.now(UTC)), CampaignState.RUNNING,
        )  # fmt: skip


async def busy(well: Ward) -> None:
    number = 0
    while True:
        await well.send(
            [message(number % 9_000 + n, category=c, **{"from": "SIM"})
             for n, c in enumerate(("otp", "service", "transactional"))]
        )  # fmt: skip
        number += 3
        await asyncio.sleep(0.3)


def folders(parent: Path, *names: str) -> list[Path]:
    for name in names:
        (parent / name).mkdir()
    return [parent / name for name in names]


def firing(alert: str) -> str:
    return f'ALERTS{{alertname="{alert}",alertstate="firing"}}'


async def all_fired(watch: Prometheus, sick: Ward) -> None:
    lacking = WANTED
    for _ in range(SECONDS_MAX):
        fired = await watch.fired(sick.running.session)
        lacking = WANTED - fired.keys()
        if not lacking:
            return
        await asyncio.sleep(1)
    pytest.fail(f"never fired: {sorted(lacking)}\n{await told_by(sick)}")


async def told_by(sick: Ward) -> str:
    """What its log says of its background work, and what its database does now."""
    said = [line for line in sick.running.log().splitlines() if "waits_for_database" in line]
    async with sick.database() as connection:
        doing = await connection.fetch(
            "SELECT application_name, state, wait_event, now() - xact_start AS age, left(query, 80)"
            " FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
        )
        counted = await connection.fetch(
            "SELECT cursor, merged_at, now(), (SELECT count(*) FROM rollup_cell),"
            " (SELECT count(*) FROM rollup_change) FROM rollup_state"
        )
    return "\n".join((*said[-20:], *map(str, doing), *map(str, counted)))


@pytest.mark.timeout(360)
async def test_each_alert_fires_where_its_thing_breaks_and_rests_where_all_is_well(
    postgres_target: PostgresTarget, folder: Path
) -> None:
    whole_check_only()
    needs("prometheus", "prometheus")
    api_port = free_port()
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        ports = {"down": free_port()}
        for name, profile in PROFILES.items():
            ports[name] = (await enter(simulator(folder, profile, name=name))).port
        smsc = await enter(carrier())
        hears, is_gone = await enter(receiving()), await enter(receiving(gone))
        homes = folders(folder, "sick", "stalled", "dead", "healthy", "watching", "beside")
        sick = await enter(
            ward(postgres_target, homes[0], {**ports, "odd": smsc.port}, LOCAL_WEBHOOKS)
        )
        sim = {"sim": ports["sim"]}
        tight = "[accept]\nwaiting_max = 100\nshed_above_percent = 10\n"
        slow = await enter(ward(postgres_target, homes[1], sim, tight))
        dead = await enter(ward(postgres_target, homes[2], {"slow": ports["slow"]}, "", api_port))
        healthy = await enter(ward(postgres_target, homes[3], sim, LOCAL_WEBHOOKS))
        await backed_up(healthy)
        targets = [each.running.address for each in (sick, slow, dead)]
        watch = await enter(prometheus(homes[4], *targets))
        other = await enter(prometheus(homes[5], healthy.running.address))
        await watch.has(sick.running.session, "count(up == 1) == 3")
        await other.has(sick.running.session, "sms_build_info")
        looked_since = asyncio.get_running_loop().time()
        await hooked(sick, [f"http://127.0.0.1:{free_port()}/hooks", is_gone.url])
        await hooked(healthy, [hears.url])
        async with asyncio.TaskGroup() as group:
            breaks = [
                waiting(sick), unknown_receipts(smsc), held_back(sick),
                refused_by_the_database(sick), texted_after_an_opt_out(sick), figures(sick),
                unmade(sick), overslept(sick), bulk(sick), stalled(slow), killed(dead),
                busy(healthy),
            ]  # fmt: skip
            tasks = [group.create_task(each) for each in breaks]
            await tasks[-2]
            await watch.has(sick.running.session, firing("SmsGatewayDown"))
            async with gateway(dead.running.config, CONSTANTS):
                await all_fired(watch, sick)
            for each in tasks:
                each.cancel()
        watch.look_at([])
        await watch.has(sick.running.session, firing("SmsGatewayAbsent"))
        # The tests' own disk may be filling.
        looked = int(asyncio.get_running_loop().time() - looked_since) - 1
        fired = await other.fired(sick.running.session, looked)
        assert fired.keys() - BY_PROMTOOL_ALONE == set(), fired
