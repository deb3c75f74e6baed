"""Names of accounts and connectors, and the small numbers that stand for them in every row.

Owns the tables `account` and `connector`. Must not delete from them. A name once used keeps its
number for ever, so reports of last year can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storage import sql
from storage.pool import Connection

_SQL = sql.load("storage")
DEFAULT_ACCOUNT = "default"
# Carriers have the numbers of table `connector`, from 1 on.
NO_CONNECTOR = 0  # of a message that ended without the wire, or that no route takes
SANDBOX = -1  # the built-in sink; written out in SQL that leaves its messages out
SANDBOX_NAME = "sandbox"


class Registry:
    """name -> number and back, for accounts and connectors, as last read."""

    def __init__(self, accounts: Mapping[str, int], connectors: Mapping[str, int]) -> None:
        self.adopt(accounts, connectors)

    def adopt(self, accounts: Mapping[str, int], connectors: Mapping[str, int]) -> None:
        """Take over the names as they are now."""
        self.accounts = accounts
        self.connectors = connectors
        self._account_names = {number: name for name, number in accounts.items()}
        self._connector_names = {number: name for name, number in connectors.items()}

    def account_name(self, number: int) -> str:
        """The account's name; its number in words when the name is not known here."""
        return self._account_names.get(number, f"account {number}")

    def connector_name(self, number: int) -> str | None:
        """The connector's name; None for 0, a message without one."""
        if number == NO_CONNECTOR:
            return None
        return self._connector_names.get(number, f"connector {number}")


async def register_account(connection: Connection, name: str) -> None:
    """Give this account a number, if it has none."""
    await connection.execute(_SQL["accounts_register"], [name])


async def register(
    connection: Connection, accounts: Iterable[str], connectors: Iterable[str]
) -> Registry:
    """Give these names numbers, if they have none. Returns all that exist."""
    async with connection.transaction():
        await connection.execute(_SQL["accounts_register"], sorted({*accounts, DEFAULT_ACCOUNT}))
        await connection.execute(_SQL["connectors_register"], sorted(set(connectors)))
    known_accounts = await connection.fetch(_SQL["accounts"])
    known_connectors = await connection.fetch(_SQL["connectors"])
    return Registry(
        {row["name"]: row["id"] for row in known_accounts},
        {row["name"]: row["id"] for row in known_connectors} | {SANDBOX_NAME: SANDBOX},
    )
