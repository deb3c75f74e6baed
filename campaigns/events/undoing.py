"""Events that are none any more: they are taken back, and out of what was summed of them.

Owns what is asked before that, and the taking. Must not make an event (gathering.py does). All of
it is in the transaction of a step of gathering.py, which holds the cursor of the sums.

What is asked is how things stand now. So it is right in whichever order changes are heard of, and
however often.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from campaigns.events.folding import known_zones
from campaigns.events.naming import What
from dlr.reasons import Reason
from recipients import suppression_desk
from recipients.files import importing
from shortlinks.classify import ClickClass
from storage import sql
from storage.ids import EPOCH_UNIX_MS
from storage.pool import Connection

LISTS = (suppression_desk.SOURCE, importing.SOURCE)  # the sources of an account's own entries
TOLD_BEFORE = timedelta(minutes=5)  # an event may be told before its time

_SQL = sql.load("campaigns")


class NewlyListed(NamedTuple):
    """A contact that its account has listed as opted out since then, and no event says so."""

    account: int
    contact: int
    since: datetime


class Listed(NamedTuple):
    """Of contacts: who is to have an event, and the events of those who are listed no more."""

    new: list[NewlyListed]
    gone: list[int]


async def listed(connection: Connection, contacts: Sequence[int]) -> Listed:
    """How it stands with these contacts, or with what they became part of."""
    if not contacts:
        return Listed([], [])
    rows = await connection.fetch(_SQL["due_listed"], contacts, LISTS, Reason.OPTED_OUT)
    told: dict[int, list[int]] = {row["contact"]: [] for row in rows}
    for row in await connection.fetch(_SQL["events_listed"], list(told)):
        told[row["contact"]].append(row["id"])
    return Listed(
        [
            NewlyListed(row["account"], row["contact"], row["since"])
            for row in rows
            if row["since"] is not None and not told[row["contact"]]
        ],
        [each for row in rows if row["since"] is None for each in told[row["contact"]]],
    )


async def no_person(connection: Connection, clicks: Sequence[int]) -> list[int]:
    """The events of those of these clicks that are no person's now; the clicks have none now."""
    if not clicks:
        return []
    rows = await connection.fetch(
        _SQL["event_sources_forget"],
        clicks, min(clicks), max(clicks), ClickClass.HUMAN, What.CLICK,
    )  # fmt: skip
    return [row["event"] for row in rows]


class Undoing:
    """The taking, of one process."""

    def __init__(self, *, zone: str) -> None:
        """`zone`: of contacts that have none, as the sums have it."""
        self._zone = zone
        self._zones: list[str] | None = None

    async def take_back(
        self, connection: Connection, events: Sequence[int], cursor: int
    ) -> Counter[str]:
        """Delete these events; those up to the position `cursor` are in the sums. Returns how many
        there were, by kind.
        """
        if not events:
            return Counter()
        if self._zones is None:
            self._zones = await known_zones(connection)
        rows = await connection.fetch(
            _SQL["events_take_back"], events, min(events), max(events), cursor, self._zones,
            self._zone, EPOCH_UNIX_MS, TOLD_BEFORE,
        )  # fmt: skip
        return Counter({row["kind"]: row["events"] for row in rows})
