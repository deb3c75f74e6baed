"""Parts of one message that reached two processes: one process gets all of them.

Owns who that is, and the hand-over through the table of parts. Whoever holds the part that came
first gets the others. Must not join parts (smpp/reassembly.py does).

A part is always in a living process's memory, or in the table for the next one. So a crash at any
line loses none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from dispatch.inbound import parts
from dispatch.inbound.intake import MessageIntake
from dispatch.inbound.parts import HeldPart
from smpp.reassembly import Assembled
from storage.pool import Connection, Dedicated

Store = Callable[[MessageIntake, Sequence[Assembled]], Awaitable[None]]
Message = tuple[int, bytes, str, int, int]  # connector, handset, destination, reference, total


class Joining:
    """What this process gives away and what it is given."""

    def __init__(self, dedicated: Dedicated, term: int, store: Store) -> None:
        """`store` takes messages that were completed here."""
        self._dedicated = dedicated
        self._term = term
        self._store = store
        self._got: set[int] = set()  # in memory, and not yet known to be marked so
        self.given = 0

    async def turn(self, intakes: Mapping[int, MessageIntake], now: datetime, wall_ms: int) -> None:
        """Take what others gave us, then give away what belongs to others."""
        await self._get(await self._dedicated.connection(), intakes, wall_ms)
        await self._give(intakes, now, wall_ms)

    async def _get(
        self, connection: Connection, intakes: Mapping[int, MessageIntake], wall_ms: int
    ) -> None:
        held = await parts.given(connection, list(intakes), self._term)
        if not held:
            return
        new = [part for part in held if part.row.id not in self._got]
        self._got.update(part.row.id for part in new)
        await self._restore(intakes, new, wall_ms)
        await parts.got(connection, [part.row.id for part in held], self._term)
        self._got.clear()

    async def _give(
        self, intakes: Mapping[int, MessageIntake], now: datetime, wall_ms: int
    ) -> None:
        connection = await self._dedicated.connection()
        found = await parts.elsewhere(connection, list(intakes), self._term, now)
        if not found:
            return
        messages: dict[Message, list[HeldPart]] = defaultdict(list)
        for part, _ in found:
            row = part.row
            key = (row.connector, row.from_enc, row.destination, row.reference, row.total)
            messages[key].append(part)
        gone: list[HeldPart] = []
        try:
            async with self._dedicated.transaction() as connection:
                homes = {part.row.id: home for part, home in found}
                await parts.give(connection, homes, self._term)
                # Up to the commit nothing may come between what memory and the table say.
                kept: list[int] = []
                for (connector, *_), held in messages.items():
                    if intakes[connector].withdraw(held):
                        gone += held
                    else:  # more of it has come, or all: the next turn looks again
                        kept += [part.row.id for part in held]
                await parts.keep(connection, kept, self._term)
        except BaseException:
            # Whether or not it was committed: in two memories is better than in none.
            await self._restore(intakes, gone, wall_ms)
            raise
        self.given += len(gone)

    async def _restore(
        self, intakes: Mapping[int, MessageIntake], held: Sequence[HeldPart], wall_ms: int
    ) -> None:
        for connector, intake in intakes.items():
            own = [part for part in held if part.row.connector == connector]
            if own:
                await self._store(intake, intake.restored(own, wall_ms))
