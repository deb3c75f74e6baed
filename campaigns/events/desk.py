"""Events as accounts tell them, committed with their references.

Owns these transactions. Must not check what a request holds. An event told again under its id
within 72 hours is one; told otherwise it is a conflict. An event of nobody known is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from storage import sql
from storage.crypto import NumberVault
from storage.ids import IdSource, id_at
from storage.pool import Connection, Dedicated
from storage.turns import Turns

KNOWN_HOURS = 72
REQUESTS_WAITING_MAX = 100
REFS_PER_STEP_MAX = 5_000

_SQL = sql.load("campaigns")


class EventWord(msgspec.Struct, frozen=True, kw_only=True):
    """A checked event. It names one of `contact`, `external_id` and `number`. `amount` in
    millionths.
    """

    event_id: str
    kind: str
    contact: int | None = None
    external_id: str | None = None
    number: str | None = None
    at: datetime | None = None  # None: now
    amount: int | None = None
    props: Mapping[str, object] | None = None

    @property
    def field(self) -> str:
        """By which it names its contact."""
        if self.contact is not None:
            return "contact"
        return "external_id" if self.external_id is not None else "to"


class EventTaken(msgspec.Struct, frozen=True):
    """It is committed. `new` False: it was told before."""

    id: int
    contact: int | None
    new: bool


class EventUnknown(msgspec.Struct, frozen=True):
    """Nobody is known by this field."""

    field: str


class EventConflict(msgspec.Struct, frozen=True):
    """Another event was told under this id."""


Outcome = EventTaken | EventUnknown | EventConflict


class EventDesk:
    """Implements EventBook."""

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        vault: NumberVault,
        ids: IdSource,
        wall_ms: Callable[[], int],
    ) -> None:
        self._turns = Turns(dedicated, REQUESTS_WAITING_MAX)
        self._vault = vault
        self._ids = ids
        self._wall_ms = wall_ms
        self.answered: Counter[str] = Counter()

    async def record(self, account: int, words: Sequence[EventWord]) -> list[Outcome]:
        """One outcome each, in their order, once committed. Raises Overloaded, StorageDown."""
        async with self._turns.one() as connection:
            outcomes = await self._record(connection, account, words)
        for outcome in outcomes:
            self.answered[_told(outcome)] += 1
        return outcomes

    async def _record(
        self, connection: Connection, account: int, words: Sequence[EventWord]
    ) -> list[Outcome]:
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        contacts = await self._contacts(connection, account, words)
        prints = [self._fingerprint(word) for word in words]
        await connection.execute(_SQL["events_gate_share"])
        ids = self._ids.take(len(words))
        first: dict[str, int] = {}
        for place, word in enumerate(words):
            if contacts[place] is not None:
                first.setdefault(word.event_id, place)
        places = [first[name] for name in sorted(first)]
        claimed = await connection.fetch(
            _SQL["event_refs_claim"],
            account,
            [words[place].event_id for place in places],
            [ids[place] for place in places],
            [prints[place] for place in places],
            id_at(now - timedelta(hours=KNOWN_HOURS)),
        )
        new = {row["event_id"] for row in claimed}
        known = await connection.fetch(
            _SQL["event_refs"], account, list({word.event_id for word in words})
        )
        stands = {row["event_id"]: (row["id"], row["fingerprint"]) for row in known}
        records = []
        outcomes: list[Outcome] = []
        for place, word in enumerate(words):
            contact = contacts[place]
            earlier = stands.get(word.event_id)
            if earlier is not None and earlier[1] != prints[place]:
                outcomes.append(EventConflict())
            elif earlier is None or contact is None:
                outcomes.append(
                    EventUnknown(word.field)
                    if earlier is None
                    else EventTaken(earlier[0], contact, new=False)
                )
            else:
                fresh = word.event_id in new and first[word.event_id] == place
                outcomes.append(EventTaken(earlier[0], contact, fresh))
                if fresh:
                    at = now if word.at is None else word.at
                    records.append(
                        (ids[place], account, contact, word.kind, at, word.amount, word.props)
                    )
        if records:
            await connection.execute(_SQL["events_add"], *_columns(records))
        return outcomes

    async def _contacts(
        self, connection: Connection, account: int, words: Sequence[EventWord]
    ) -> list[int | None]:
        """Whom each word names; the contacts stay until the transaction ends."""
        indexes = {
            other: word.number
            for word in words
            if word.number is not None
            for other in self._vault.indexes(word.number)
        }
        names = list({word.external_id for word in words if word.external_id is not None})
        given = list({word.contact for word in words if word.contact is not None})
        named = await connection.fetch(_SQL["contacts_by_external_id"], account, names)
        numbers = await connection.fetch(_SQL["contacts_by_number"], account, list(indexes))
        by_name = {row["external_id"]: row["id"] for row in named}
        by_number = {indexes[row["to_idx"]]: row["contact"] for row in numbers}
        wanted = {*given, *by_name.values(), *by_number.values()}
        stays: dict[int, int] = {}
        while wanted:  # a contact may be merged away while we wait for it
            rows = await connection.fetch(_SQL["contacts_stay"], account, list(wanted))
            stays |= {row["id"]: row["merged_into"] or row["id"] for row in rows}
            wanted = set(stays.values()) - stays.keys() if rows else set()

        def named_by(word: EventWord) -> int | None:
            if word.contact is not None:
                return word.contact
            if word.external_id is not None:
                return by_name.get(word.external_id)
            return None if word.number is None else by_number.get(word.number)

        return [_last(stays, named_by(word)) for word in words]

    def _fingerprint(self, word: EventWord) -> bytes:
        """Of what the event says; the number's own is keyed."""
        values = msgspec.to_builtins(word)
        return self._vault.fingerprint_of(msgspec.json.encode(values, order="sorted").decode())


def _last(stays: Mapping[int, int], contact: int | None) -> int | None:
    """What a contact has become part of; None where it is gone."""
    while contact is not None and stays.get(contact) != contact:
        contact = stays.get(contact)
    return contact


def _columns(records: Iterable[tuple[object, ...]]) -> list[list[object]]:
    *columns, props = (list(column) for column in zip(*records, strict=True))
    texts = [None if each is None else msgspec.json.encode(each).decode() for each in props]
    return [*columns, list(texts)]


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, EventTaken):
        return "recorded" if outcome.new else "repeated"
    return "conflict" if isinstance(outcome, EventConflict) else "unknown"


async def forget(connection: Connection, now: datetime) -> None:
    """Delete references that no longer count, a bounded number at once."""
    before = id_at(now - timedelta(hours=KNOWN_HOURS))
    await connection.execute(_SQL["event_refs_purge"], before, REFS_PER_STEP_MAX)
