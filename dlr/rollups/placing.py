"""Where folded messages are counted: keys of cells, numbers of codes and of tags, within bounds.

Owns `rollup_key` and `rollup_name`. Must not count. A day has so many cells, a connector's day so
many codes, an account's day so many tags. What comes when that is full is counted together, as
OTHER. What a day has stays, so a later count of it places each message where the first one did.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from dlr.rollups.columns import NO_NAME, OTHER, QUARTERS_PER_DAY, day_of
from storage import sql
from storage.pool import Connection

_SQL = sql.load("dlr")
# The numbers in rollup_name.kind.
SENDER = 1
CAMPAIGN = 2
VARIANT = 3
TAG = 4
CODE = 5
NAME_CHARACTERS_MAX = 200  # of a carrier's code; other names are shorter by themselves
SLICE_ITEMS = 500

_Name = tuple[int, str]
_Key = tuple[int, ...]


class Bounds(msgspec.Struct, frozen=True):
    """How much of each is kept apart."""

    cells: int = 50_000  # a day
    codes: int = 200  # a connector's day
    tags: int = 200  # an account's day


BOUNDS = Bounds()


class _Names:
    """Numbers of names, as far as they were asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[_Name, int] = {}

    async def look_up(self, names: Iterable[_Name]) -> None:
        wanted = [name for name in set(names) if name[1]]
        if wanted:
            self._learn(
                await self._connection.fetch(_SQL["rollup_names"], *zip(*wanted, strict=True))
            )

    async def put(self, names: Iterable[_Name]) -> None:
        """Give numbers to those that have none."""
        new = sorted({name for name in names if name[1] and name not in self._known})
        if new:
            self._learn(
                await self._connection.fetch(_SQL["rollup_names_put"], *zip(*new, strict=True))
            )

    def number(self, kind: int, name: str) -> int | None:
        return self._known.get((kind, name)) if name else NO_NAME

    def _learn(self, rows: Iterable[asyncpg.Record]) -> None:
        self._known.update({(row["kind"], row["name"]): row["id"] for row in rows})


async def place(connection: Connection, bounds: Bounds) -> Counter[str]:
    """Say of everything that was folded where it is counted, in the caller's transaction.

    Returns how many messages are counted as OTHER, by `cells`, `codes` and `tags`.
    """
    await connection.execute(_SQL["rollup_group"])
    left: Counter[str] = Counter()
    left["cells"] = await _place_cells(connection, bounds.cells)
    left["codes"] = await _place_codes(connection, bounds.codes)
    left["tags"] = await _place_tags(connection, bounds.tags)
    return left


async def _place_cells(connection: Connection, cells_max: int) -> int:
    folded = await connection.fetch(_SQL["rollup_cells_folded"])
    if not folded:
        return 0
    names = _Names(connection)
    await names.look_up(name for cell in folded for name in _names_of(cell))
    keys = await _keys(connection, (key for cell in folded if (key := _key(cell, names))))
    there = await _there(
        connection,
        [
            (cell["quarter"], keys[key])
            for cell in folded
            if (key := _key(cell, names)) is not None and key in keys
        ],
    )
    new = [
        cell
        for cell in folded
        if (key := _key(cell, names)) is None or (cell["quarter"], keys.get(key)) not in there
    ]
    left = await _without_room(connection, new, cells_max)
    await names.put(
        name
        for position, cell in enumerate(new)
        if position not in left
        for name in _names_of(cell)
    )
    others = {id(new[position]) for position in left}
    placed: list[_Key] = []
    for position, cell in enumerate(folded):
        if position % SLICE_ITEMS == 0:
            await asyncio.sleep(0)
        key = None if id(cell) in others else _key(cell, names)
        placed.append(_other_key(cell) if key is None else key)
    keys |= await _keys(connection, (key for key in placed if key not in keys), make=True)
    columns = zip(*(tuple(cell)[:-1] for cell in folded), strict=True)
    await connection.execute(_SQL["rollup_placed_put"], *columns, [keys[key] for key in placed])
    return sum(new[position]["messages"] for position in left)


async def _without_room(
    connection: Connection, new: Sequence[asyncpg.Record], cells_max: int
) -> set[int]:
    """Positions of new cells that their day has no room for. The largest have it first."""
    room: dict[int, int] = {}
    left: set[int] = set()
    for position in sorted(range(len(new)), key=lambda place: -new[place]["messages"]):
        day = day_of(new[position]["quarter"])
        if day not in room:
            room[day] = cells_max - await connection.fetchval(
                _SQL["rollup_cells_of_day"], *_quarters(day)
            )
        if room[day] > 0:
            room[day] -= 1
        else:
            left.add(position)
    return left


async def _keys(
    connection: Connection, wanted: Iterable[_Key], *, make: bool = False
) -> dict[_Key, int]:
    """The numbers of these keys; with `make` of all of them."""
    asked = sorted(set(wanted))
    if not asked:
        return {}
    found = await connection.fetch(_SQL["rollup_keys"], *zip(*asked, strict=True))
    numbers = {tuple(row)[1:]: row["id"] for row in found}
    missing = [key for key in asked if key not in numbers]
    if make and missing:
        made = await connection.fetch(_SQL["rollup_keys_put"], *zip(*missing, strict=True))
        numbers |= {tuple(row)[1:]: row["id"] for row in made}
    return numbers


async def _there(connection: Connection, cells: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    if not cells:
        return set()
    rows = await connection.fetch(_SQL["rollup_cells_there"], *zip(*cells, strict=True))
    return {(row["quarter"], row["key"]) for row in rows}


async def _place_codes(connection: Connection, codes_max: int) -> int:
    folded = await connection.fetch(_SQL["rollup_errors_folded"])
    return await _place_names(
        connection, folded, CODE, ("connector", "error"), codes_max,
        of_day="rollup_codes_of_day", put="rollup_coded_put",
    )  # fmt: skip


async def _place_tags(connection: Connection, tags_max: int) -> int:
    folded = await connection.fetch(_SQL["rollup_tags_folded"])
    return await _place_names(
        connection, folded, TAG, ("account", "tag"), tags_max,
        of_day="rollup_tags_of_day", put="rollup_tagged_put",
    )  # fmt: skip


async def _place_names(
    connection: Connection,
    folded: Sequence[asyncpg.Record],
    kind: int,
    columns: tuple[str, str],
    names_max: int,
    *,
    of_day: str,
    put: str,
) -> int:
    """Numbers for the names of a kind, of which each owner has so many a day.

    `columns`: of the owner and of the name. Returns how many messages have none of their own.
    """
    if not folded:
        return 0
    owner, text = columns
    names = _Names(connection)
    await names.look_up((kind, row[text][:NAME_CHARACTERS_MAX]) for row in folded)
    had = {
        day: await _of_day(connection, of_day, day)
        for day in sorted({row["day"] for row in folded})
    }
    room = {
        (day, of): names_max - len(numbers)
        for day, each in had.items()
        for of, numbers in each.items()
    }
    taken: dict[tuple[int, int], set[str]] = defaultdict(set)
    own: list[bool] = []
    for row in sorted(folded, key=lambda row: -row["messages"]):
        place = row["day"], row[owner]
        name = row[text][:NAME_CHARACTERS_MAX]
        known = names.number(kind, name)
        if known in had[row["day"]].get(row[owner], ()) or name in taken[place]:
            own.append(True)
        elif room.setdefault(place, names_max) > 0:
            room[place] -= 1
            taken[place].add(name)
            own.append(True)
        else:
            own.append(False)
    ordered = sorted(folded, key=lambda row: -row["messages"])
    await names.put(
        (kind, row[text][:NAME_CHARACTERS_MAX])
        for row, is_own in zip(ordered, own, strict=True)
        if is_own
    )
    numbers = [
        names.number(kind, row[text][:NAME_CHARACTERS_MAX]) if is_own else OTHER
        for row, is_own in zip(ordered, own, strict=True)
    ]
    await connection.execute(
        _SQL[put],
        [row["day"] for row in ordered],
        [row[owner] for row in ordered],
        [row[text] for row in ordered],
        numbers,
    )
    return sum(row["messages"] for row, is_own in zip(ordered, own, strict=True) if not is_own)


async def _of_day(connection: Connection, statement: str, day: int) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for owner, number in await connection.fetch(_SQL[statement], *_quarters(day)):
        found[owner].add(number)
    return found


def _quarters(day: int) -> tuple[int, int]:
    return day * QUARTERS_PER_DAY, (day + 1) * QUARTERS_PER_DAY


def _names_of(cell: asyncpg.Record) -> tuple[_Name, _Name, _Name]:
    return (SENDER, cell["sender"]), (CAMPAIGN, cell["campaign"]), (VARIANT, cell["variant"])


def _key(cell: asyncpg.Record, names: _Names) -> _Key | None:
    """As rollup_key has it; None if one of its names has no number."""
    numbers = [names.number(*name) for name in _names_of(cell)]
    if None in numbers:
        return None
    sender, campaign, variant = (number or NO_NAME for number in numbers)
    return (
        cell["account"], cell["category"], cell["connector"], sender, cell["country"],
        cell["operator"], campaign, variant,
    )  # fmt: skip


def _other_key(cell: asyncpg.Record) -> _Key:
    return (
        cell["account"], cell["category"], cell["connector"], OTHER, cell["country"],
        cell["operator"], OTHER, OTHER,
    )  # fmt: skip
