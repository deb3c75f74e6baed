"""What may have become of contacts, written down in the transaction that makes it true.

Owns the rows of `contact_event_due` as they are put in, one for each transaction. Must not judge
whether there is an event of it: gathering.py does, and finds out whom most of it is about.

Naming the same twice is harmless, and forgetting it is not. Where nobody has contacts nothing is
written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum

from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")
IDS_PER_ROW_MAX = 2_000


class What(IntEnum):
    """The code in `contact_event_due.what`, and of what table its ids are."""

    DELIVERED = 1  # message
    FAILED = 2  # message: another would fail as well
    CLICK = 3  # click: a person's
    INBOUND = 4  # inbound_message
    PAGE_OPT_OUT = 5  # message: on whose page its recipient opted out
    COMPLAINT = 6  # complaint
    CONVERSION = 7  # conversion
    PAID = 8  # conversion: its value is in the one currency of its account
    LISTED = 9  # contact: what its account lists of its numbers has changed
    NO_PERSON = 10  # click: a person's no more


CONVERSIONS = (What.CONVERSION, What.PAID)


async def name(
    connection: Connection,
    what: What,
    ids: Sequence[int],
    accounts: Collection[int] | None = None,
) -> None:
    """These have happened, in the caller's transaction.

    `accounts`: whose they are, so that nothing is written where none has contacts; None: anybody's.
    """
    for start in range(0, len(ids), IDS_PER_ROW_MAX):
        some = list(ids[start : start + IDS_PER_ROW_MAX])
        if accounts is None:
            await connection.execute(_SQL["event_due_put"], what, some)
        else:
            await connection.execute(_SQL["event_due_put_of"], what, some, sorted(set(accounts)))


async def inbound(connection: Connection, ids: Sequence[int], accounts: Collection[int]) -> None:
    """These messages came from handsets."""
    await name(connection, What.INBOUND, ids, accounts)


async def page_opt_outs(
    connection: Connection, ids: Sequence[int], accounts: Collection[int]
) -> None:
    """The recipients of these messages opted out on their pages."""
    await name(connection, What.PAGE_OPT_OUT, ids, accounts)


async def complaints(connection: Connection, ids: Sequence[int], accounts: Collection[int]) -> None:
    """These were recorded."""
    await name(connection, What.COMPLAINT, ids, accounts)


async def conversions(
    connection: Connection, account: int, *, paid: Sequence[int], others: Sequence[int]
) -> None:
    """These were recorded; those in `paid` with a value in the one currency of the account."""
    await name(connection, What.PAID, paid, [account])
    await name(connection, What.CONVERSION, others, [account])


async def clicks(connection: Connection, people: Sequence[int], no_more: Sequence[int]) -> None:
    """Those in `people` are a person's, those in `no_more` are not, and were taken for one's."""
    await name(connection, What.CLICK, people)
    await name(connection, What.NO_PERSON, no_more)


async def listed(connection: Connection, account: int, indexes: Collection[bytes]) -> None:
    """An account has put numbers on its list of suppressions, or taken them off it.

    `indexes`: every index of each. Whose they are is found at once: by the time that gathering.py
    asks, another number key may have given them another index.
    """
    ordered = sorted(indexes)
    for start in range(0, len(ordered), IDS_PER_ROW_MAX):
        some = ordered[start : start + IDS_PER_ROW_MAX]
        await connection.execute(_SQL["event_due_put_listed"], What.LISTED, account, some)


class MessageOutcomes:
    """Implements Outcomes: names messages of accounts that have contacts, as they end."""

    async def accounts(self, connection: Connection) -> list[int]:
        """Whose messages are asked about."""
        rows = await connection.fetch(_SQL["accounts_with_contacts"])
        return [row["id"] for row in rows]

    async def ended(
        self, connection: Connection, delivered: Sequence[int], failed: Sequence[int]
    ) -> None:
        """In the transaction that counts them so."""
        await name(connection, What.DELIVERED, delivered)
        await name(connection, What.FAILED, failed)
