"""Carriers that send no receipts, and what they say when they are asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.configuration import Connector, Route
from gateway.rehearsal.running import Running
from smpp.pdu import QuerySm
from smpp.vocabulary import MessageState
from tests.integration.carrier import Carrier, Submit, carrier
from tests.integration.running import gateway, message, write_config

ASKING = """query_after_seconds = 1
response_timeout_seconds = 1
window = 8
"""
SPEAKING = "source_ton_npi = { alphanumeric = [5, 9] }\n" + ASKING
# The connector that is looked at first goes to a carrier that does not know query_sm.
ROUTES = (Route(["speaking"], 'sender = ["SHOP"]'), Route(["sim"]))


async def until_results(running: Running, *wanted: str) -> None:
    """Wait until sms_queries_total is exactly so, `connector result count` each."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await results(running) != set(wanted):
            await asyncio.sleep(POLL_SECONDS)


async def results(running: Running) -> set[str]:
    async with running.session.get(running.api + "/metrics") as response:
        lines = (await response.text()).splitlines()
    found = (line.split('"') for line in lines if line.startswith("sms_queries_total{"))
    return {f"{words[1]} {words[3]} {float(words[4][1:]):g}" for words in found}


async def test_without_receipts_carriers_are_asked_once(database_url: str, folder: Path) -> None:
    """All were delivered but the first, which is on its way: no receipt says so, an answer does.
    A carrier that does not know the command is not asked about the next message. What becomes due
    while no gateway runs is asked about by the next, and nothing twice.
    """
    async with carrier(Submit.answer) as deaf, carrier(Submit.answer) as speaking:

        def state_of(query: QuerySm) -> int:
            first = query is speaking.queries[0]
            return MessageState.ENROUTE if first else MessageState.DELIVERED

        speaking.state_of = state_of
        config = write_config(
            folder,
            database_url,
            deaf.port,
            connector=ASKING,
            others=[Connector("speaking", speaking.port, SPEAKING)],
            routes=ROUTES,
        )
        async with gateway(config, {"dispatch.wire.querying.TURN_SECONDS": 0.2}) as running:
            await running.send([message(0, **{"from": "OTHER"})])
            await running.send([message(n) for n in range(1, 7)])
            await until_results(running, "sim refused 1", "speaking open 1", "speaking final 5")
            await running.send([message(7, **{"from": "OTHER"})])
            await deaf.submitted(2)
            await running.send([message(8)])  # due later, on the connector that is looked at later
            await until_results(running, "sim refused 1", "speaking open 1", "speaking final 6")
            counts = await running.until(delivered=6)
            await running.send([message(9)])
            await running.until(sent=10)
            running.kill()
            await running.exit()
        log = (folder / "gateway.log").read_text()
        async with gateway(config) as running:
            await until_results(running, "sim refused 1", "speaking final 1")
            await running.until(delivered=7)
    assert (counts["delivered"], counts["sent"], counts["unconfirmed"]) == (6, 9, 0)
    assert len(deaf.queries) == 2  # one in each life
    assert log.count("queries_not_served") == 1
    assert asked(speaking) == {submit.message_id.encode() for submit in speaking.submits}
    assert len(speaking.queries) == 8
    query = speaking.queries[0]
    assert (query.source_addr_ton, query.source_addr_npi, query.source_addr) == (5, 9, b"SHOP")


def asked(smsc: Carrier) -> set[bytes]:
    return {query.message_id for query in smsc.queries}
