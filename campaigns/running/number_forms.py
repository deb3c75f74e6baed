"""The other indexes of numbers of an audience, while numbers may stand under several.

Owns them, and `planned_form`, which a plan asks beside each number's own index. Must not plan.
While the number key changes, a contact may stand under one key's index, and what the person said
under the other's.

Numbers of contacts are not sealed anew while a plan is made (contacts/number_rewriting.py): who is
planned under an index is found under it afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg

from storage import sql
from storage.crypto import NumberVault
from storage.pool import Connection

SLICE_NUMBERS = 500  # between two turns for others: opening a number takes 20 us

_SQL = sql.load("campaigns")


async def note_forms(connection: Connection, account: int, vault: NumberVault) -> None:
    """Write down those of the audience's numbers, in the transaction of the plan, which has read
    the audience.
    """
    await connection.execute(_SQL["plan_forms_table"])
    if vault.several_keys:
        cursor = await connection.cursor(_SQL["plan_numbers"], account)
        while rows := await cursor.fetch(SLICE_NUMBERS):
            await connection.execute(_SQL["plan_forms_add"], *further_indexes(vault, rows))
            await asyncio.sleep(0)
    await connection.execute("ANALYZE planned_form")


def further_indexes(
    vault: NumberVault, rows: Sequence[asyncpg.Record]
) -> tuple[list[bytes], list[bytes]]:
    """Pairs as two lists: the index that a number has, and another one of it. `rows`: its to_idx
    and to_enc. None where the vault has one key.
    """
    own: list[bytes] = []
    forms: list[bytes] = []
    for row in rows if vault.several_keys else ():
        number = vault.open_or_none(row["to_enc"])
        for each in () if number is None else vault.indexes(number):
            if each != row["to_idx"]:
                own.append(row["to_idx"])
                forms.append(each)
    return own, forms
