"""What a short link leads to, and the memory of links that have a name of their own.

Owns the shape that the redirect asks for, and that memory with its bounds. Must not know the table
of such links: whoever owns it hands over how they are fetched. Must not know HTTP.

A link in memory goes on to lead while the database is away. While that answers, a change of a link
is known after FRESH_SECONDS.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from storage.faults import UNAVAILABLE
from storage.group_commit import GroupCommit, QueueClosed, QueueFull

NAMES_REMEMBERED_MAX = 100_000  # 50 MB at 200 characters a target
MISSING_REMEMBERED_MAX = 16_384  # apart, so that guesses push out no link
FRESH_SECONDS = 2.0
ANSWER_SECONDS_MAX = 0.25  # for a link in memory; then it leads where it last did
PAUSE_SECONDS = 1.0  # after the database did not answer
NAMES_PER_QUERY_MAX = 200
NAMES_WAITING_MAX = 2_000


class LookupUnavailableError(Exception):
    """A link cannot be read now: the database is down, or too many look-ups wait. Try again."""


class Destination(msgspec.Struct, frozen=True, gc=False):
    """Where a link leads until `expires_at` (Unix seconds; infinity: for ever), and whose it is.

    A recipient's link has `message_id`, `link_seq` and `slot`; any other has `link_id`. `fallback`:
    where it leads afterwards; "": a page says that it expired.
    """

    target: str
    expires_at: float = math.inf
    message_id: int = 0
    link_seq: int = 0
    slot: int = 0
    link_id: int = 0
    fallback: str = ""


class _Entry(msgspec.Struct, gc=False):
    """`fresh_until`: Unix seconds."""

    destination: Destination
    fresh_until: float


Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Destination]]]


class NamedLinks:
    """Links by name, in memory: at most `names_max`. The least recently used go.

    Counts since start: hits, misses, and stale answers, given while the database was away.
    """

    def __init__(
        self,
        fetch: Fetch,
        clock: Callable[[], float],
        *,
        names_max: int = NAMES_REMEMBERED_MAX,
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        """`fetch` answers with those links that exist, by name. It may raise what a database does.
        `clock`: Unix time in seconds.
        """
        self.hits = 0
        self.misses = 0
        self.stale = 0
        self._clock = clock
        self._names_max = names_max
        self._fresh_seconds = fresh_seconds
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._missing_until: OrderedDict[str, float] = OrderedDict()
        self._fetch = fetch
        self._asking: GroupCommit[str, Destination | None] = GroupCommit(
            self._ask,
            name="named_links",
            items_per_flush_max=NAMES_PER_QUERY_MAX,
            items_waiting_max=NAMES_WAITING_MAX,
        )
        self._pause_until = 0.0

    def __len__(self) -> int:
        return len(self._entries)

    async def close(self) -> None:
        """Finish the look-ups under way, and take no more."""
        await self._asking.close()

    def cached(self, name: str) -> Destination | None:
        """The link, if it is in memory and fresh."""
        entry = self._entries.get(name)
        if entry is None or entry.fresh_until <= self._clock():
            return None
        self._entries.move_to_end(name)
        self.hits += 1
        return entry.destination

    def __contains__(self, name: str) -> bool:
        """Whether the link is in memory, fresh or not."""
        return name in self._entries

    async def find(self, name: str) -> Destination | None:
        """The link; None: there is none. Raises LookupUnavailableError for one not in memory."""
        found = self.cached(name)
        if found is not None:
            return found
        if self._missing_until.get(name, 0.0) > self._clock():
            self.hits += 1
            return None
        self.misses += 1
        entry = self._entries.get(name)
        if entry is None:
            return await self._asked(name)
        return await self._looked_again(name, entry.destination)

    async def _looked_again(self, name: str, known: Destination) -> Destination | None:
        if self._pause_until <= self._clock():
            try:
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    return await self._asked(name)
            except (LookupUnavailableError, TimeoutError):
                self._pause_until = self._clock() + PAUSE_SECONDS
        self.stale += 1
        self._entries.move_to_end(name)
        return known

    async def _asked(self, name: str) -> Destination | None:
        try:
            (found,) = await self._asking.submit([name])
        except (QueueFull, QueueClosed) as error:
            raise LookupUnavailableError("too many link lookups are waiting") from error
        if isinstance(found, UNAVAILABLE):
            raise LookupUnavailableError("the database cannot be asked for a link") from found
        if isinstance(found, BaseException):
            raise found
        return found

    async def _ask(self, names: list[str], _attempt: int) -> list[Destination | None]:
        found = await self._fetch(list(dict.fromkeys(names)))
        fresh_until = self._clock() + self._fresh_seconds
        answers = [found.get(name) for name in names]
        for name, destination in zip(names, answers, strict=True):
            if destination is None:
                self._entries.pop(name, None)
                self._missing_until[name] = fresh_until
                self._missing_until.move_to_end(name)
            else:
                self._missing_until.pop(name, None)
                self._entries[name] = _Entry(destination, fresh_until)
                self._entries.move_to_end(name)
        while len(self._entries) > self._names_max:
            self._entries.popitem(last=False)
        while len(self._missing_until) > MISSING_REMEMBERED_MAX:
            self._missing_until.popitem(last=False)
        return answers
