"""The last look for messages that a breaker covers: they go elsewhere, wait, or go as probes.

Owns that choice, in the transaction of the intent. So the probes of a round are counted exactly,
whichever process sends them, and a probe counted is a message in an intent. While no breaker holds
anything it costs one look at an empty tuple for each intent. Must not change a breaker but by
counting its probes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from dispatch.answers.outcomes import Elsewhere
from dispatch.breakers import machine, rows
from dispatch.breakers.machine import State
from dispatch.breakers.scopes import Board, Covering
from dispatch.holds import Hold
from dispatch.message import Later, Move, ReadyMessage, StopVerdict
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dispatch")


class _Covered(msgspec.Struct):
    message: ReadyMessage
    connector: int
    campaign: str | None
    by: list[Covering]


class BreakerLook:
    """Implements LastLook."""

    def __init__(self, board: Board, elsewhere: Elsewhere, wall_ms: Callable[[], int]) -> None:
        """`elsewhere` finds the next connector of a message's route that is up."""
        self._board = board
        self._elsewhere = elsewhere
        self._wall_ms = wall_ms

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        board = self._board
        return bool(board) and any(board.may_cover(message) for message in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        covered = await self._covered(connection, messages)
        if not covered:
            return {}
        through = await self._probes(connection, covered)
        verdicts: dict[int, StopVerdict] = {}
        held: list[tuple[int, int]] = []
        for each in covered:
            by = [one for one in each.by if (one.id, each.message.id) not in through]
            if not by:
                continue
            first = by[0]
            detour = self._way(each) if all(one.target.scope.of_route for one in by) else None
            about = f"{first.target.scope} {first.target.subject}"
            if detour is not None:
                verdicts[each.message.id] = Move(detour, f"breaker of {about}")
                continue
            held.append((first.id, each.message.id))
            told = (("scope", str(first.target.scope)), ("subject", first.target.subject))
            verdicts[each.message.id] = Later(None, Hold.BREAKER, told)
        await rows.hold(connection, held)
        return verdicts

    async def _covered(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> list[_Covered]:
        asked = {message.id: message for message in messages if self._board.may_cover(message)}
        if not asked:
            return []
        places = await connection.fetch(_SQL["breaker_places"], list(asked), min(asked))
        found: list[_Covered] = []
        for row in places:
            message, connector, campaign = asked[row["id"]], row["connector"], row["campaign_id"]
            by = self._board.covering(message, connector, campaign)
            if by:
                found.append(_Covered(message, connector, campaign, by))
        return sorted(found, key=lambda each: each.message.id)

    async def _probes(
        self, connection: Connection, covered: Sequence[_Covered]
    ) -> set[tuple[int, int]]:
        """(breaker, message) of what passes: probes, old and new, and what a breaker that has
        closed meanwhile covers. A message covered by several passes them all, or takes no room.
        """
        candidates = [each for each in covered if all(one.probing for one in each.by)]
        asked = {one.id for each in candidates for one in each.by}
        if not asked:
            return set()
        now = self._wall_ms()
        stored = await rows.probing(connection, asked)
        through = await rows.probes_of(connection, asked, [each.message.id for each in candidates])
        room = {breaker: machine.room(each.breaker) for breaker, each in stored.items()}
        closed = {
            breaker
            for breaker in asked
            if breaker not in stored or not stored[breaker].breaker.state.holds
        }
        new: list[tuple[int, int, int]] = []
        for each in candidates:
            message = each.message.id
            through |= {(one.id, message) for one in each.by if one.id in closed}
            wanted = [one.id for one in each.by if (one.id, message) not in through]
            if wanted and all(room[breaker] > 0 for breaker in wanted):
                for breaker in wanted:
                    room[breaker] -= 1
                    through.add((breaker, message))
                    new.append((breaker, message, stored[breaker].breaker.round))
        for breaker, before in stored.items():
            count = machine.room(before.breaker) - room[breaker]
            if count:
                assert before.breaker.state is State.HALF_OPEN
                after = machine.taken(before.breaker, count, now)
                await rows.update(connection, before, after, before.actor, before.reason)
        await rows.put_probes(connection, new)
        return through

    def _way(self, covered: _Covered) -> int | None:
        """Another connector of its route that is up and that no breaker holds it on. What may have
        been sent stays, and what was sent in part (E80).
        """
        message = covered.message
        if message.in_doubt or message.parts_done:
            return None
        at, tried = covered.connector, {covered.connector}
        while (detour := self._elsewhere(at, message)) is not None:
            at = detour.connector
            if at in tried:
                return None
            if not self._board.covering(message, at, covered.campaign):
                return at
            tried.add(at)
        return None
