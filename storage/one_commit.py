"""One item through a group commit, with the errors that a caller of the API can be given.

Owns that translation: no room is Overloaded, a database that is away is StorageDown. Must not know
what is stored.
"""

from __future__ import annotations

from typing import TypeVar

from storage.faults import Overloaded, StorageDown, is_unavailable
from storage.group_commit import GroupCommit, QueueClosed, QueueFull

T = TypeVar("T")
R = TypeVar("R")


async def committed(commits: GroupCommit[T, R], item: T) -> R:
    """The result of the item, once it is committed. Raises Overloaded, StorageDown, and what else
    the flush raised.
    """
    try:
        [result] = await commits.submit([item])
    except (QueueFull, QueueClosed) as error:
        raise Overloaded() from error
    if not isinstance(result, BaseException):
        return result
    if is_unavailable(result) or isinstance(result, QueueClosed):
        raise StorageDown() from result
    raise result
