"""What to think of numbers before anything is sent to them: one word for each.

Owns the order in which the words are asked for. Must not change anything, nor send anything to find
out. A number's history is that of the accounts that ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Literal, get_args

import asyncpg
import msgspec

from dlr.reasons import Reason
from recipients.number_history import History, histories
from recipients.numbers.origins import NumberOrigins
from recipients.numbers.plan import NumberPlan, country_and_kind
from storage import suppression
from storage.crypto import NumberVault
from storage.reading import reading

SLICE_ITEMS = 50  # each is parsed by phonenumbers, in 20 to 100 us
Verdict = Literal[
    "invalid_format", "not_mobile", "suppressed", "dead", "risky", "unknown", "good"
]  # fmt: skip
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)  # the first that fits
_MOBILE = (None, "mobile", "fixed_line_or_mobile")  # None: its digits do not tell


class Checked(msgspec.Struct, kw_only=True):
    """One number. `history` None: it is no valid number."""

    number: str
    verdict: Verdict
    fault: str | None = None
    country: str | None = None
    kind: str | None = None
    operator: str | None = None
    suppressed: str | None = None  # the reason
    history: History | None = None


class NumberCheck:
    """Implements NumberValidator."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        vault: NumberVault,
        wall_ms: Callable[[], int],
    ) -> None:
        self._pool = pool
        self._vault = vault
        self._wall_ms = wall_ms
        self._plan = NumberPlan()
        self._origins = NumberOrigins()

    async def check(self, account: int, numbers: Sequence[str], category: int) -> list[Checked]:
        """What to think of each, in order. `category`: of what would be sent; -1: of anything."""
        checked: list[Checked] = []
        for start in range(0, len(numbers), SLICE_ITEMS):
            checked += [self._form(number) for number in numbers[start : start + SLICE_ITEMS]]
            await asyncio.sleep(0)
        valid = [each for each in checked if each.fault is None]
        today = datetime.fromtimestamp(self._wall_ms() / 1000, UTC).date()
        written = [each.number for each in valid]
        indexes = [self._vault.indexes(number) for number in written]
        async with reading(self._pool) as connection:
            entries = await suppression.look_up(
                connection, [index for several in indexes for index in several]
            )
            known = await histories(connection, self._vault, [account], written, today)
        for each, (index, *older), history in zip(valid, indexes, known, strict=True):
            reason = entries.reason(index, account, category, older)
            each.suppressed = None if reason is None else Reason(reason).label
            each.history = history
            if each.kind not in _MOBILE:
                each.verdict = "not_mobile"
            elif each.suppressed is not None:
                each.verdict = "suppressed"
            else:
                each.verdict = history.score.verdict
        return checked

    def _form(self, number: str) -> Checked:
        fault = self._plan.fault(number)
        if fault is not None:
            return Checked(number=number, verdict="invalid_format", fault=fault)
        country, kind = country_and_kind(number)
        operator = self._origins.operator(number)
        return Checked(
            number=number, verdict="unknown", country=country, kind=kind, operator=operator
        )
