"""What is answered about the items of a flush once it is over.

Owns the step from an item, or from what its flush raised, to a verdict. Must not store anything.
"""

from __future__ import annotations

import asyncio

import msgspec

from dispatch.holds import Hold
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from messages.models import Refused, Verdict
from messages.reading.statuses import of_hold
from storage.faults import StorageDown, is_unavailable
from storage.group_commit import QueueClosed, QueueFull

_ACCEPTED = Status.ACCEPTED.label


def verdict_of(item: Accepting) -> Verdict | Refused:
    """The verdict of a message that is stored, or that repeats one."""
    if item.repeat_of is not None:
        first = item.repeat_of
        if isinstance(first, Accepting):
            first = verdict_of(first)
            if isinstance(first, Verdict):
                first = msgspec.structs.replace(first, deduplicated=True)
        return first
    if item.ended is not None:
        reason = item.ended.reason
        label = None if reason is Reason.NONE else reason.label
        return Verdict(item.id, item.ended.status.label, label, item.text)
    if item.hold is Hold.NONE:
        return Verdict(item.id, _ACCEPTED, None, item.text)
    stands = of_hold(item.hold, item.not_before)
    if stands.status is Status.QUEUED:
        return Verdict(item.id, _ACCEPTED, None, item.text)
    return Verdict(item.id, stands.status.label, stands.why, item.text, held_until=stands.until)


def failed(
    count: int, error: BaseException
) -> asyncio.Future[list[Verdict | Refused | BaseException]]:
    """What a lane would answer that took none of so many items."""
    future: asyncio.Future[list[Verdict | Refused | BaseException]] = (
        asyncio.get_running_loop().create_future()
    )
    future.set_result([error] * count)
    return future


def answers(results: list[Verdict | Refused | BaseException]) -> list[Verdict | Refused]:
    """Failures as refusals of their items, or as one exception when nothing at all was stored."""
    failures = [result for result in results if isinstance(result, BaseException)]
    if not failures:
        return [result for result in results if not isinstance(result, BaseException)]
    for failure in failures:
        if not (isinstance(failure, (QueueFull, QueueClosed)) or is_unavailable(failure)):
            raise failure
    if len(failures) == len(results):
        raise StorageDown() from failures[0]
    return [
        result
        if not isinstance(result, BaseException)
        else Refused("storage_unavailable", "not stored: the database is not available; send again")
        for result in results
    ]
