"""Transactions that never leave their connection unusable.

Owns what happens when BEGIN, COMMIT or ROLLBACK itself fails, as after a pg_cancel_backend. Must
not decide what is tried again.

asyncpg then believes that a transaction is open which never was. It takes each later one for a part
of that, and nothing written there succeeds any more. So such a connection is ended, and its owner
opens another.
"""

from __future__ import annotations

from typing import Literal

import asyncpg
from asyncpg.transaction import Transaction

Isolation = Literal["read_uncommitted", "read_committed", "repeatable_read", "serializable"]


class CleanTransaction(Transaction):
    """As asyncpg's. After an error it is out of the transaction, or without a connection."""

    def __init__(
        self,
        connection: asyncpg.Connection[asyncpg.Record],
        isolation: Isolation | None,
        readonly: bool,
        deferrable: bool,
    ) -> None:
        super().__init__(connection, isolation, readonly, deferrable)
        self._owner = connection
        self._outermost = not connection.is_in_transaction()

    async def start(self) -> None:
        """BEGIN, or SAVEPOINT."""
        try:
            await super().start()
        except BaseException:
            if self._outermost:
                self._owner.terminate()
            raise

    async def __aexit__(self, extype: object, ex: object, tb: object) -> None:
        """COMMIT or ROLLBACK, or their equals for a savepoint."""
        try:
            await super().__aexit__(extype, ex, tb)
        finally:
            owner = self._owner
            if self._outermost and not owner.is_closed() and owner.is_in_transaction():
                owner.terminate()


class CleanConnection(asyncpg.Connection):
    """A connection with such transactions."""

    __slots__ = ()

    def transaction(
        self,
        *,
        isolation: Isolation | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> CleanTransaction:
        """As asyncpg's."""
        return CleanTransaction(self, isolation, readonly, deferrable)
