"""What each side has on record: the client, the gateway, the carrier, the endpoint.

Owns asking them. Must not compare (judging.py does), nor break anything.

Of the gateway it asks what an application may ask. Doubts, clicks and webhooks that wait are read
from its tables, by a connection of its own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from benchmarks.faults.judging import Evidence, Standing
from benchmarks.faults.lines import Lines
from benchmarks.faults.load import Load
from benchmarks.faults.sink import Heard
from benchmarks.faults.world import World
from smpp.simulator.ledger import LedgerLine
from storage import sql
from storage.ids import format_id
from storage.pool import Connection, close_connection, connect

PAGE = 1_000
UNCONFIRMED, HOLD = "unconfirmed", "hold"

_SQL = sql.load("benchmarks")


class Books:
    """Of one run. What only grows is read on from where it was left."""

    def __init__(self, world: World, load: Load) -> None:
        self._world = world
        self._load = load
        self._ledger, self._heard = Lines(world.ledger), Lines(world.heard)
        self._standing: dict[str, Standing] = {}
        self._unconfirmed: set[str] = set()  # ever: a doubt that is held has no event of its own
        self._submits: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._places: dict[str, tuple[str, int]] = {}  # the carrier's id: number and part
        self._told: defaultdict[str, set[str]] = defaultdict(set)

    async def evidence(self) -> Evidence:
        """As everything stands now. Raises what a gateway or a database that is away raises."""
        self._read_files()
        await self._ask_standing()
        connection = await connect(self._world.database_url, application_name="judge")
        try:
            found = await self._from_tables(connection)
        finally:
            await close_connection(connection)
        receipts = self._world.receipts
        found.offered = self._by_number(receipts.offered)
        found.acknowledged = self._by_number(receipts.acknowledged)
        found.pressing = frozenset(
            self._places[carrier_id][0]
            for carrier_id in receipts.pressing
            if carrier_id in self._places
        )
        found.counts = await self._world.client.counts()
        return found

    def told(self, message_id: str) -> bool:
        """Whether the endpoint has heard how this message ended."""
        self._read_files()
        return message_id in self._told

    def _read_files(self) -> None:
        for line in self._ledger.new():
            submit = msgspec.json.decode(line, type=LedgerLine)
            if submit.status == 0:
                self._submits[submit.destination][submit.part] += 1
                self._places[submit.message_id] = submit.destination, submit.part
        for line in self._heard.new():
            heard = msgspec.json.decode(line, type=Heard)
            self._told[heard.message].add(heard.status)

    async def _ask_standing(self) -> None:
        """The list, newest first, down to the oldest message that had not ended when last asked."""
        open_ids = {
            message_id
            for message_id in self._load.accepted
            if message_id not in self._standing or not self._standing[message_id].final
        }
        path = f"/v1/messages?limit={PAGE}"
        cursor: str | None = ""
        while open_ids and cursor is not None:
            page: dict[str, Any] = await self._world.client.get(
                path + (f"&cursor={cursor}" if cursor else "")
            )
            for each in page["data"]:
                self._standing[each["id"]] = Standing(each["status"], each["final"])
                if each["status"] == UNCONFIRMED:
                    self._unconfirmed.add(each["id"])
                open_ids.discard(each["id"])
            cursor = page["next_cursor"]

    async def _from_tables(self, connection: Connection) -> Evidence:
        doubts: defaultdict[str, list[str]] = defaultdict(list)
        for message_id, policy in await connection.fetch(_SQL["doubts"]):
            doubts[format_id("msg", message_id)].append(policy)
        for message_id in self._unconfirmed:
            doubts[message_id].append(HOLD)
        untold = await connection.fetch(_SQL["untold"])
        clicks = await connection.fetch("SELECT id FROM click")
        lost = await connection.fetchval("SELECT coalesce(sum(lost), 0)::bigint FROM click_gap")
        return Evidence(
            accepted=dict(self._load.accepted),
            standing=self._standing,
            doubts=doubts,
            submits=self._submits,
            told=self._told,
            untold=frozenset(format_id("msg", row[0]) for row in untold),
            clicks_told=frozenset(self._load.clicks_told),
            clicks_stored=[row[0] for row in clicks],
            clicks_untold=self._load.clicks_untold,
            clicks_asked=self._load.clicks_asked,
            clicks_known_lost=lost,
        )

    def _by_number(self, receipts: dict[str, set[str]]) -> dict[str, dict[int, set[str]]]:
        found: dict[str, dict[int, set[str]]] = {}
        for carrier_id, states in receipts.items():
            if carrier_id in self._places:
                number, part = self._places[carrier_id]
                found.setdefault(number, {}).setdefault(part, set()).update(states)
        return found
