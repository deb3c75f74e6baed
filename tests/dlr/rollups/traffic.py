"""A small traffic of messages, written as the gateway writes it and named as it names it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from dlr import in_doubt
from dlr.changed import messages_of, receipts_changed, rows_changed
from dlr.ledger import SubmissionRow, apply_receipts, insert_submissions, retract_unsent
from dlr.parked import sweep_unmatched
from dlr.reasons import Reason
from dlr.rollups.merger import Merged
from dlr.rollups.naming import name_changed, name_new
from dlr.silence import give_up
from dlr.status import Status
from dlr.ways import settle_ways
from storage import sql
from storage.ids import id_at
from tests.dlr.rows import CONNECTOR, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlr.rollups.merger import Merger
    from storage.pool import Connection

OTHER_CONNECTOR = CONNECTOR + 1
SANDBOX = -1


class Traffic:
    """`messages` and `submits` are in the order in which they were made."""

    def __init__(self, connection: Connection, world: World | None = None) -> None:
        self.connection = connection
        self.world = world or World()
        self.messages: list[int] = []
        self.parts: dict[int, int] = {}
        self.submits: list[SubmissionRow] = []

    async def accept(
        self,
        *,
        parts: int = 1,
        connector: int = CONNECTOR,
        tags: Sequence[str] | None = None,
        campaign: str | None = None,
        ended: Status | None = None,
        late: bool = False,
        sender: str = "S",
        expires_in: timedelta = timedelta(hours=2),
    ) -> int:
        """A message that waits, or that `ended` at once. `late`: its transaction names it."""
        world = self.world
        message = world.ids.next()
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO message (id, account, category, connector, data_coding, parts,"
                " sender, to_enc, to_idx, text, campaign_id, tags, expires_at, country, operator)"
                " VALUES ($1, 1, 1, $2, 0, $3, $4, '', '', '', $5, $6, $7, 3, 4)",
                message, connector, parts, sender, campaign, tags, world.now + expires_in,
            )  # fmt: skip
            if ended is None:
                await self.connection.execute(
                    "INSERT INTO outbox (id, owner, connector, category, account, parts)"
                    " VALUES ($1, 0, $2, 1, 1, $3)",
                    message, connector, parts,
                )  # fmt: skip
            else:
                await insert_submissions(self.connection, [self._without_wire(message, ended)])
            if late:
                await name_new(self.connection, [message])
        self.messages.append(message)
        self.parts[message] = parts
        return message

    async def submit(
        self,
        message: int,
        part: int = 1,
        status: Status = Status.SENT,
        *,
        connector: int = CONNECTOR,
        reason: Reason = Reason.NONE,
        error: str | None = None,
    ) -> SubmissionRow:
        """A result of the wire."""
        row = self.world.part(
            f"c{len(self.submits)}",
            message_id=message,
            part=part,
            parts=self.parts[message],
            status=status,
            reason=reason,
            error=error,
            connector=connector,
        )
        row.way = await self._way(message)
        async with self.connection.transaction():
            await insert_submissions(self.connection, [row])
            await rows_changed(self.connection, [row], self.world.ids)
        self.submits.append(row)
        return row

    async def another_way(self, message: int, connector: int = OTHER_CONNECTOR) -> None:
        """It waits to go by another connector, if it waits for nothing else and was sent by one.

        What has ended without the wire is settled: no carrier will tell of it.
        """
        if not any(row.message_id == message for row in self.submits):
            return
        async with self.connection.transaction():
            await self.connection.execute(
                "INSERT INTO outbox (id, owner, connector, category, account, parts, way)"
                " VALUES ($1, 0, $2, 1, 1, $3, $4) ON CONFLICT DO NOTHING",
                message, connector, self.parts[message], await self._way(message) + 1,
            )  # fmt: skip
            await settle_ways(self.connection, [message])
            await name_changed(self.connection, [message])

    async def _way(self, message: int) -> int:
        way: int = await self.connection.fetchval(
            "SELECT coalesce((SELECT way FROM outbox WHERE id = $1),"
            " (SELECT max(way) FROM submission WHERE message_id = $1), 0)",
            message,
        )
        return way

    async def done(self, message: int) -> None:
        """Nothing of it is left to be sent."""
        async with self.connection.transaction():
            await self.connection.execute("DELETE FROM outbox WHERE id = $1", message)
            await settle_ways(self.connection, [message])
            await name_changed(self.connection, [message])

    async def receipt(
        self,
        submit: int,
        status: Status,
        *,
        reason: Reason = Reason.NONE,
        error: str | None = "000",
    ) -> None:
        """About the submit at this place."""
        row = self.submits[submit]
        said = self.world.receipt(
            row.carrier_id or "", status, connector=row.connector, reason=reason, error=error
        )
        async with self.connection.transaction():
            applied = await apply_receipts(
                self.connection, [said], self.world.ids, now=self.world.now
            )
            await receipts_changed(self.connection, applied, self.world.ids)
            assert set(messages_of(applied)) <= {row.message_id}

    async def early_receipt(self, status: Status) -> None:
        """About the next submit; it waits until the sweep finds that."""
        said = self.world.receipt(f"c{len(self.submits)}", status)
        async with self.connection.transaction():
            await apply_receipts(self.connection, [said], self.world.ids, now=self.world.now)

    async def sweep(self) -> None:
        """Receipts that were early find their submits."""
        async with self.connection.transaction():
            until = self.world.now + timedelta(seconds=1)
            applied = await sweep_unmatched(self.connection, until, self.world.ids)
            await receipts_changed(self.connection, applied, self.world.ids)

    async def doubt(self, *, drop: bool) -> None:
        """What is in doubt is given up, or sent again."""
        rows = await self.connection.fetch(
            "SELECT DISTINCT message_id FROM submission WHERE status = $1", Status.UNCONFIRMED
        )
        ids = [row["message_id"] for row in rows]
        async with self.connection.transaction():
            await (in_doubt.drop if drop else in_doubt.mark_resent)(self.connection, ids)
            if not drop:
                await self.connection.execute(
                    "INSERT INTO outbox (id, owner, connector, category, account, parts, in_doubt)"
                    " SELECT id, 0, connector, category, account, parts, true FROM message"
                    " WHERE id = ANY($1::bigint[]) ON CONFLICT DO NOTHING",
                    ids,
                )
            await name_changed(self.connection, ids)

    async def give_up(self) -> None:
        """Everything that was sent and has no receipt is unknown."""
        async with self.connection.transaction():
            given_up = await give_up(
                self.connection, 0, self.world.now + timedelta(seconds=1), after_hours=0
            )
            await name_changed(self.connection, (message for message, _ in given_up.changed))

    async def end(self, message: int, status: Status) -> None:
        """It ends without the wire, if it waits."""
        async with self.connection.transaction():
            gone = await self.connection.fetch(
                "DELETE FROM outbox WHERE id = $1 RETURNING id, way", message
            )
            if gone:
                row = self._without_wire(message, status)
                row.way = gone[0]["way"]
                await insert_submissions(self.connection, [row])
                await rows_changed(self.connection, [row], self.world.ids)

    async def retract(self, message: int) -> None:
        """Its accept has not happened; only where nothing of it was sent."""
        if any(row.message_id == message for row in self.submits):
            return
        statements = sql.load("messages")
        async with self.connection.transaction():
            await self.connection.execute(statements["retract_outbox"], [message])
            await retract_unsent(self.connection, [message])
            gone = await self.connection.fetch(statements["retract_message"], [message])
            await name_changed(self.connection, (row["id"] for row in gone))
        self.messages.remove(message)

    def passed(self) -> int:
        """An id that is later than all that was made."""
        return id_at(self.world.now + timedelta(seconds=1))

    def _without_wire(self, message: int, status: Status) -> SubmissionRow:
        return self.world.part(
            message_id=message,
            part=0,
            parts=self.parts.get(message, 1),
            status=status,
            reason=Reason.OPTED_OUT,
            error="ours",
            connector=0,
        )


async def merge_all(connection: Connection, merger: Merger) -> Merged:
    """Merges until there is no more; what they did in sum."""
    counted = changed = dirty = 0
    while True:
        merged = await merger.merge(connection)
        counted += merged.counted
        changed += merged.changed
        dirty += merged.dirty
        if not merged.more:
            return Merged(counted, changed, dirty)
