"""What can go wrong with the database, split by who must act: time, the operator, the value or we.

Owns the exceptions of connections, and the classification of asyncpg's. Must not open a connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import asyncpg

LOGGED_CHARACTERS_MAX = 200
# What whoever is refused for want of room or of the database is told to wait before the next try.
RETRY_AFTER_SECONDS = 1
SHED_RETRY_AFTER_SECONDS = 2  # a category that is shed: the others have to be through first


class DatabaseDown(Exception):
    """No connection now; the same work may be tried again."""


class DatabaseUnusable(Exception):
    """The operator must act: too old a server, wrong password, no such database. One line."""


class Fenced(Exception):
    """This process's owner term has ended. Another may hold its work, so nothing more may be
    written.
    """


# After these the same work may be tried again. What was being committed may be committed all the
# same.
TRANSIENT: tuple[type[BaseException], ...] = (
    DatabaseDown,
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,  # disk full, too many connections, out of memory
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    # Between the server's goodbye and the end of the stream, asyncpg calls what happens a bug of
    # its own. Another connection will do.
    asyncpg.InternalClientError,
)
# Whatever asyncpg raises: PostgreSQL's own errors, and those of a broken connection.
DATABASE_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
# PostgreSQL's last word to a session.
FATAL = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError)
NO_CONNECTION: tuple[type[BaseException], ...] = (OSError, *TRANSIENT)

# Errors of the values themselves. No repetition helps, and the value alone is at fault.
POISON: tuple[type[Exception], ...] = (
    asyncpg.DataError,
    # Not the whole of class 23: a missing day partition is a CheckViolationError and no value's
    # fault.
    asyncpg.UniqueViolationError,
    asyncpg.NotNullViolationError,
    ValueError,
    OverflowError,
)


# As POISON, and our own mistakes: a statement or a schema that is wrong.
DEFECTS: tuple[type[Exception], ...] = (*POISON, asyncpg.SyntaxOrAccessError)

UNAVAILABLE: tuple[type[BaseException], ...] = (
    DatabaseDown,
    DatabaseUnusable,
    *DATABASE_ERRORS,
)


def in_words(error: BaseException) -> str:
    """What an error says of itself. Some say nothing, and an empty reason helps nobody."""
    return str(error) or ("no answer in time" if isinstance(error, TimeoutError) else repr(error))


def is_unavailable(error: BaseException) -> bool:
    """Whether the database, not the work, is at fault: away, refusing, read-only, full.

    Wider than is_transient: somebody may have to act, and until then the work waits.
    """
    return isinstance(error, UNAVAILABLE) and not isinstance(error, DEFECTS)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may be tried again: TRANSIENT, and two cases that a class does not
    tell.

    asyncpg raises InterfaceError both for a connection that is gone and for wrong use.
    `Database.read` may meet any OSError while it connects; one that names a file is not about a
    socket.
    """
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, ValueError):
        return "closed" in str(error)
    return isinstance(error, TRANSIENT) or (isinstance(error, OSError) and error.filename is None)


def without_values(error: BaseException) -> str:
    """An error for a log line. Behind the first colon may stand the refused value: a number or a
    text.
    """
    return f"{type(error).__name__}: {str(error).partition(':')[0]}"[:LOGGED_CHARACTERS_MAX]


class Overloaded(Exception):
    """No room: nothing was stored. The client may send the same again after a pause.

    `policies` names the marks that were reached, and what they allow to wait.
    """

    def __init__(
        self,
        retry_after_seconds: int = RETRY_AFTER_SECONDS,
        policies: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"no room; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds
        self.policies = policies


class StorageDown(Exception):
    """The database is not available: nothing was stored. The client may send the same again."""

    def __init__(self, retry_after_seconds: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(f"the database is not available; try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


@contextmanager
def or_storage_down() -> Iterator[None]:
    """Around work on the database for a caller of the API. Where the database and not the work is
    at fault (is_unavailable), it raises StorageDown.
    """
    try:
        yield
    except UNAVAILABLE as error:
        if not is_unavailable(error):
            raise
        raise StorageDown() from error
