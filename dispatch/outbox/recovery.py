"""Recovery of what a process that died has left.

Owns the take-over of a dead term. Must not run after this process has claimed anything.

The dead term's database sessions are ended first, because its last COMMIT may still be landing.
Then what its open intents name is in doubt. What they do not name was certainly not sent.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec
import structlog

from dispatch.answers.doubt import Doubt, OutcomePolicy
from dlr.changed import rows_changed
from dlr.in_doubt import GIVEN_UP
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.reasons import Reason
from dlr.status import Status
from storage import events, sql
from storage.codecs import array_text
from storage.events import Event
from storage.ids import IdSource
from storage.pool import Connection
from storage.terms import FenceFailed, HostIdentity, dead_terms, fence

_SQL = sql.load("dispatch")

_log = structlog.get_logger(__name__)


class Recovered(msgspec.Struct):
    """What was found: terms taken over, messages freed, and messages in doubt by what became of
    them.
    """

    terms: int = 0
    freed: int = 0
    resent: int = 0
    held: int = 0
    failed: int = 0
    settled: int = 0  # named by an intent whose results were all stored

    def add(self, other: Recovered) -> None:
        """Sum up several runs."""
        for field in self.__struct_fields__:
            setattr(self, field, getattr(self, field) + getattr(other, field))


async def recover(
    connection: Connection,
    host: HostIdentity,
    *,
    own_term: int,
    ids: IdSource,
    policy: OutcomePolicy,
) -> Recovered:
    """Take over every dead term. Safe to run again at any point, and in two processes at once."""
    found = Recovered()
    for term in await dead_terms(connection, host, own_term=own_term):
        try:
            await fence(connection, term)
        except FenceFailed as error:
            _log.warning(
                "take_over_waits", term=term, error=str(error)
            )  # the next turn tries again
    terms = [row["term"] for row in await connection.fetch(_SQL["ended_terms_with_work"])]
    if terms:
        async with connection.transaction():
            await connection.execute(_SQL["recovery_lock"])
            await _settle_intents(connection, terms, ids, policy, found)
            freed = await connection.execute(_SQL["outbox_take_over"], terms)
            found.freed = int(freed.split()[-1])
        found.terms = len(terms)
        _log.warning("recovered", **msgspec.structs.asdict(found))
    return found


async def _settle_intents(
    connection: Connection,
    terms: Sequence[int],
    ids: IdSource,
    policy: OutcomePolicy,
    found: Recovered,
) -> None:
    intents = await connection.fetch(_SQL["intents_of_terms"], terms)
    named = [message for intent in intents for message in intent["message_ids"]]
    if named:
        rows = await connection.fetch(_SQL["in_doubt"], named, terms)
        found.settled = len(named) - len(rows)
        await _settle_doubt(connection, rows, ids, policy, found)
    await connection.execute(_SQL["intent_close"], [intent["id"] for intent in intents])


async def _settle_doubt(
    connection: Connection,
    rows: Sequence[asyncpg.Record],
    ids: IdSource,
    policy: OutcomePolicy,
    found: Recovered,
) -> None:
    decided = {row["id"]: policy.in_doubt(row["category"], row["attempt"]) for row in rows}
    again = [row["id"] for row in rows if decided[row["id"]] is Doubt.RESEND]
    ended = [row for row in rows if decided[row["id"]] is not Doubt.RESEND]
    if again:
        await connection.execute(_SQL["outbox_resend"], again)
    if ended:
        results = await unanswered_parts(connection, ended, ids)
        for result in results:
            if decided[result.message_id] is Doubt.FAIL:
                fail(result)
        await insert_submissions(connection, results)
        await rows_changed(connection, results, ids)
        await connection.execute(_SQL["results_close"], array_text(row["id"] for row in ended), [])
    await events.append(
        connection,
        [
            Event(
                ids.next(),
                row["id"],
                "in_doubt",
                {
                    "policy": decided[row["id"]].value,
                    "cause": "the gateway died between intent and result",
                },
            )
            for row in rows
        ],
    )
    found.resent = len(again)
    found.failed = sum(policy is Doubt.FAIL for policy in decided.values())
    found.held = len(ended) - found.failed


def fail(row: SubmissionRow) -> None:
    """Give up a part that was in doubt."""
    row.status = Status.FAILED
    row.reason = Reason.UNKNOWN
    row.error = GIVEN_UP


async def unanswered_parts(
    connection: Connection, rows: Sequence[asyncpg.Record], ids: IdSource
) -> list[SubmissionRow]:
    """One unconfirmed row for each part without a result: it may have been sent."""
    named = [row["id"] for row in rows]
    results = await connection.fetch(_SQL["parts_done"], named, min(named))
    done = {(row["message_id"], row["part"]) for row in results}
    # Perhaps begun with other parts than were counted at accept.
    parts = {row["message_id"]: row["parts"] for row in results}
    return [
        SubmissionRow(
            id=ids.next(),
            message_id=row["id"],
            part=part,
            parts=parts.get(row["id"], row["parts"]),
            account=row["account"],
            category=row["category"],
            connector=row["connector"],
            status=Status.UNCONFIRMED,
            way=row["way"],
        )
        for row in rows
        for part in range(1, parts.get(row["id"], row["parts"]) + 1)
        if (row["id"], part) not in done
    ]
