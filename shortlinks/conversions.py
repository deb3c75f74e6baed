"""Conversions: what links led to, each tied to the person's click that counts.

Owns the table `conversion`, whose message a conversion is of, and which click counts. Must not
check what a request holds (web/api/conversions.py), nor form rates (campaigns).

The click is found once, when the conversion is told. Without a click inside the window it is stored
all the same, and counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec

from shortlinks.classify import ClickClass
from storage.ids import IdSource, id_at
from storage.pool import Connection
from storage.sql import load

CLOCKS_DIFFER = timedelta(seconds=60)  # a site's may be so far behind: its order came first
WINDOW_HOURS = 72
MICROS = 1_000_000
NO_MESSAGE = 0  # of a link of its own
LANDING_EVENT = "visit"  # the page that a link led to was opened: no conversion by itself

_SQL = load("shortlinks")


class Attribution(msgspec.Struct, frozen=True):
    """Which click of a message counts: the last of a person in so many hours, or the first.

    `currency`: the one that an account's values have; "": any.
    """

    window_hours: int = WINDOW_HOURS
    first: bool = False
    currency: str = ""


class ConversionWord(msgspec.Struct, frozen=True, kw_only=True):
    """What is told, checked. Of `click_id`, `message_id` and `link` one is there. `link`: number
    and slot.
    """

    reference: str
    event: str
    occurred_at: datetime | None  # None: now
    value_micros: int | None = None
    currency: str | None = None
    click_id: int | None = None
    message_id: int | None = None
    link: tuple[int, int] | None = None

    @property
    def fingerprint(self) -> bytes:
        """The same for the same words."""
        return sha256(msgspec.json.encode(msgspec.structs.astuple(self))).digest()


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """As it is stored. `click_id` None: no click of a person counts. `message_id` may be
    NO_MESSAGE. `campaign` and `arm` are the message's labels.
    """

    id: int
    reference: str
    fingerprint: bytes
    event: str
    value_micros: int | None
    currency: str | None
    occurred_at: datetime
    message_id: int
    slot: int | None
    click_id: int | None
    campaign: str | None = None
    arm: str | None = None


class Unknown(msgspec.Struct, frozen=True):
    """What a conversion names is not there: the field `click`, `message` or `link`."""

    field: str


class Conflict(msgspec.Struct, frozen=True):
    """Another conversion was told under this id. `fields`: those that differ from it; none where
    it is another click, message, link or time.
    """

    fields: tuple[str, ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """It is stored. `new`: by this request."""

    conversion: Conversion
    new: bool


Outcome = Recorded | Unknown | Conflict


class _Place(msgspec.Struct, frozen=True):
    """The message, and the link of it that was named."""

    message: int
    slot: int | None
    campaign: str | None = None
    arm: str | None = None


def decimal(micros: int) -> str:
    """`"129.9"` for 129 900 000: without needless zeros."""
    whole, rest = divmod(micros, MICROS)
    return f"{whole}.{rest:06}".rstrip("0").rstrip(".") if rest else str(whole)


async def record(
    connection: Connection,
    account: int,
    words: Sequence[ConversionWord],
    *,
    rule: Attribution,
    ids: IdSource,
    now: datetime,
) -> list[Outcome]:
    """Store those that are new, in the caller's transaction: a few statements for all of them.

    One outcome each, in their order. Of two with one id in `words` the second is told again.
    """
    first = {word.reference: word for word in reversed(words)}
    known = await _stored(connection, account, list(first))
    open_words = [word for word in first.values() if word.reference not in known]
    places = await _places(connection, account, open_words)
    found = [(word, place) for word, place in zip(open_words, places, strict=True) if place]
    attributed = await _attributed(connection, found, rule, now)
    rows = [
        Conversion(
            id=ids.next(),
            reference=word.reference,
            fingerprint=word.fingerprint,
            event=word.event,
            value_micros=word.value_micros,
            currency=word.currency,
            occurred_at=word.occurred_at or now,
            message_id=place.message,
            slot=place.slot if click is None else click[1],
            click_id=None if click is None else click[0],
            campaign=place.campaign,
            arm=place.arm,
        )
        for (word, place), click in zip(found, attributed, strict=True)
    ]
    added = await _add(connection, account, rows)
    late = [row.reference for row in rows if row.id not in added]
    known |= {row.reference: row for row in rows if row.id in added}
    known |= await _stored(connection, account, late) if late else {}
    return _outcomes(words, known, added)


def _outcomes(
    words: Sequence[ConversionWord], known: dict[str, Conversion], added: set[int]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    told: set[str] = set()
    for word in words:
        stored = known.get(word.reference)
        if stored is None:
            outcomes.append(Unknown(_named(word)))
        elif stored.fingerprint != word.fingerprint:
            outcomes.append(Conflict(_differing(stored, word)))
        else:
            new = stored.id in added and word.reference not in told
            outcomes.append(Recorded(stored, new))
        told.add(word.reference)
    return outcomes


def _differing(stored: Conversion, word: ConversionWord) -> tuple[str, ...]:
    pairs = {
        "event": (stored.event, word.event),
        "value": (stored.value_micros, word.value_micros),
        "currency": (stored.currency, word.currency),
    }
    return tuple(name for name, (before, now) in pairs.items() if before != now)


def _named(word: ConversionWord) -> str:
    if word.click_id is not None:
        return "click"
    return "message" if word.message_id is not None else "link"


async def account_of_click(connection: Connection, click_id: int) -> int | None:
    """Whose message a click was on; None: it is not stored, or not yet, or no more."""
    account: int | None = await connection.fetchval(_SQL["account_of_click"], click_id)
    return account


async def _stored(
    connection: Connection, account: int, references: Sequence[str]
) -> dict[str, Conversion]:
    rows = await connection.fetch(_SQL["conversions_stored"], account, references)
    return {row["reference"]: Conversion(**dict(row)) for row in rows}


async def _places(
    connection: Connection, account: int, words: Sequence[ConversionWord]
) -> list[_Place | None]:
    """The message of each, and the link where one was named; None where it is not the account's."""
    named = [word.click_id for word in words if word.click_id is not None]
    clicks = await _of_clicks(connection, named)
    numbers = sorted({word.link[0] for word in words if word.link is not None})
    links = {
        row["seq"]: row["message_id"]
        for row in (await connection.fetch(_SQL["conversion_links"], numbers) if numbers else ())
    }
    places: list[_Place | None] = []
    for word in words:
        message = word.message_id or None
        if word.click_id is not None:
            message, owner = clicks.get(word.click_id, (None, None))
            if message == NO_MESSAGE and owner != account:
                message = None
        elif word.link is not None:
            message = links.get(word.link[0])
        slot = None if word.link is None else word.link[1]
        places.append(None if message is None else _Place(message, slot))
    asked = sorted({place.message for place in places if place is not None and place.message})
    if not asked:
        return places
    rows = await connection.fetch(_SQL["conversion_messages"], asked, asked[0], asked[-1], account)
    own: dict[int, tuple[str | None, str | None]] = {NO_MESSAGE: (None, None)}
    own |= {row["id"]: (row["campaign_id"], row["variant"]) for row in rows}
    return [
        _Place(place.message, place.slot, *own[place.message])
        if place is not None and place.message in own
        else None
        for place in places
    ]


async def _of_clicks(
    connection: Connection, click_ids: Sequence[int]
) -> dict[int, tuple[int | None, int | None]]:
    """The message that each click was on; and of a link of its own, the account."""
    if not click_ids:
        return {}
    rows = await connection.fetch(
        _SQL["conversion_clicks"], click_ids, min(click_ids), max(click_ids)
    )
    return {row["id"]: (row["message_id"], row["link_account"]) for row in rows}


async def _attributed(
    connection: Connection,
    found: Sequence[tuple[ConversionWord, _Place]],
    rule: Attribution,
    now: datetime,
) -> list[tuple[int, int] | None]:
    """(click, slot) that counts for each; None: there is none. Many people may have a link of its
    own: there, the click that was named counts.
    """
    window = timedelta(hours=rule.window_hours)
    asked = []
    for number, (word, place) in enumerate(found):
        moment = word.occurred_at or now
        since, until = id_at(moment - window), id_at(moment + CLOCKS_DIFFER)
        asked.append((number, place.message, place.slot, since, until, word.click_id))
    of_messages = [each for each in asked if each[1] != NO_MESSAGE]
    of_links = [each for each in asked if each[1] == NO_MESSAGE]
    by_place: dict[int, tuple[int, int]] = {}
    if of_messages:
        places, messages, slots, since_ids, until_ids, _ = zip(*of_messages, strict=True)
        rows = await connection.fetch(
            _SQL["conversion_attributed"],
            messages,
            slots,
            since_ids,
            until_ids,
            ClickClass.HUMAN,
            rule.first,
        )
        by_place |= {places[row["place"] - 1]: (row["id"], row["slot"]) for row in rows}
    if of_links:
        places, _, _, since_ids, until_ids, named = zip(*of_links, strict=True)
        rows = await connection.fetch(
            _SQL["conversion_own_clicks"], named, since_ids, until_ids, ClickClass.HUMAN
        )
        counting = {row["id"] for row in rows}
        by_place |= {
            place: (click, 0)
            for place, click in zip(places, named, strict=True)
            if click in counting
        }
    return [by_place.get(place) for place in range(len(found))]


async def _add(connection: Connection, account: int, rows: Sequence[Conversion]) -> set[int]:
    if not rows:
        return set()
    columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
    added = await connection.fetch(_SQL["conversions_add"], account, *map(list, columns))
    return {row["id"] for row in added}
