"""What this package's tables hold of one person: messages, and the references of their senders.

Owns the export and the erasure of these rows. Must not decide whose (storage/persons.py).
"""

from __future__ import annotations

from typing import NamedTuple

from dlr.status import Status
from storage import sql
from storage.persons import Person, PersonStep, erased, exported
from storage.pool import Connection

_SQL = sql.load("messages")

STEPS = (
    PersonStep(
        "client_ref",
        exported(_SQL["person_references"], "indexes", "accounts"),
        erased(_SQL["person_references_erase"], "indexes", "accounts", "before"),
    ),
    PersonStep(
        "message",
        exported(_SQL["person_messages"], "indexes", "accounts"),
        erased(_SQL["person_messages_erase"], "indexes", "accounts", "before"),
    ),
)


class Waiting(NamedTuple):
    """Messages to one person that have no end yet, and the id of the first; none: 0 and None."""

    messages: int
    first: int | None


async def waiting(connection: Connection, whom: Person) -> Waiting:
    """What of a person waits to be sent, or may have been sent without anybody knowing."""
    row = await connection.fetchrow(
        _SQL["person_waits"], whom.indexes, whom.accounts, whom.before, int(Status.UNCONFIRMED)
    )
    assert row is not None  # an aggregate
    return Waiting(row["messages"], row["first"])
