"""A million people of an account, as a campaign's benchmark needs them: made by COPY.

Owns their rows. Must not measure. Everybody has a number and five attributes; one in fifty is
suppressed.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.running import say
from dlr.reasons import Reason
from storage.crypto import NumberVault
from storage.ids import IdSource
from storage.pool import Connection

COPY_ROWS = 20_000
SUPPRESSED_EVERY = 50  # 2 %
EVERY_CATEGORY = -1
ATTRIBUTES = {
    "city": "text", "level": "number", "login": "date", "member": "bool", "place": "number",
}  # fmt: skip
CITIES = ("北京", "上海", "广州", "深圳", "成都", "杭州", "武汉", "西安")
LEVELS = 10
DAYS = 28


def number(place: int) -> str:
    """Whom the person of this place is texted at."""
    return f"+86138{place:08d}"


async def make(connection: Connection, vault: NumberVault, ids: IdSource, count: int) -> None:
    """So many, with statistics that are as cold as after an import."""
    account = await connection.fetchval("SELECT id FROM account WHERE name = 'default'")
    await connection.executemany(
        "INSERT INTO attribute_def (account, name, type) VALUES ($1, $2, $3)",
        [(account, name, kind) for name, kind in ATTRIBUTES.items()],
    )
    for places in _slices(count):
        contacts = ids.take(len(places))
        indexes = [vault.index(number(place)) for place in places]
        await connection.copy_records_to_table(
            "contact",
            records=[
                (contact, account, _attributes(place), f"crm-{place}")
                for contact, place in zip(contacts, places, strict=True)
            ],
            columns=("id", "account", "attrs", "external_id"),
        )
        await connection.copy_records_to_table(
            "contact_number",
            records=[
                (account, index, vault.seal(number(place)), contact, 0)
                for index, place, contact in zip(indexes, places, contacts, strict=True)
            ],
            columns=("account", "to_idx", "to_enc", "contact", "rank"),
        )
        await connection.copy_records_to_table(
            "suppression",
            records=[
                (index, account, EVERY_CATEGORY, int(Reason.NUMBER_INVALID), "api")
                for index, place in zip(indexes, places, strict=True)
                if place % SUPPRESSED_EVERY == 0
            ],
            columns=("to_idx", "account", "category", "reason", "source"),
        )
    say(f"{count} people are there")


def _attributes(place: int) -> dict[str, object]:
    return {
        "city": CITIES[place % len(CITIES)],
        "level": place // len(CITIES) % LEVELS,
        "login": f"2026-10-{place // 100 % DAYS + 1:02d}",
        "member": place % 3 == 0,
        "place": place,
    }


def _slices(count: int) -> Iterator[range]:
    for first in range(0, count, COPY_ROWS):
        yield range(first, min(first + COPY_ROWS, count))
