"""Conversions behind the API: what sites tell, in few transactions, with what webhooks are told.

Owns these transactions and the reading of codes and click ids. Must not decide which click counts
(conversions.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from shortlinks.click_ids import ClickIds
from shortlinks.code import CODE_LENGTH, CodePermutation, split_value
from shortlinks.conversions import (
    Attribution,
    Conversion,
    ConversionWord,
    Outcome,
    Recorded,
    record,
)
from storage.group_commit import GroupCommit
from storage.ids import IdSource
from storage.one_commit import committed
from storage.pool import Connection, Dedicated

REQUESTS_PER_FLUSH_MAX = 8
REQUESTS_WAITING_MAX = 100

# What is new, of an account and by its rule, in the transaction that stores it.
Told = Callable[[Connection, int, Attribution, Sequence[Conversion]], Awaitable[None]]


class _Told(msgspec.Struct):
    account: int
    words: Sequence[ConversionWord]


class ConversionDesk:
    """Implements ConversionBook. `rules` by account. Counts conversions since start, in
    `counts`.
    """

    def __init__(
        self,
        dedicated: Dedicated,
        *,
        rules: Mapping[int, Attribution],
        click_ids: ClickIds,
        codes: CodePermutation,
        ids: IdSource,
        wall_ms: Callable[[], int],
        told: Told,
    ) -> None:
        self._dedicated = dedicated
        self.rules = rules
        self._click_ids = click_ids
        self._codes = codes
        self._ids = ids
        self._wall_ms = wall_ms
        self._told = told
        self.counts: Counter[str] = Counter(attributed=0, without_click=0)
        self.commits: GroupCommit[_Told, list[Outcome]] = GroupCommit(
            self._flush,
            name="conversions",
            items_per_flush_max=REQUESTS_PER_FLUSH_MAX,
            items_waiting_max=REQUESTS_WAITING_MAX,
        )

    async def record(self, account: int, words: Sequence[ConversionWord]) -> list[Outcome]:
        """One outcome each, in their order, once committed. Raises Overloaded, StorageDown."""
        outcomes: list[Outcome] = await committed(self.commits, _Told(account, words))
        return outcomes

    def rule(self, account: int) -> Attribution:
        """Which click counts for an account."""
        return self.rules.get(account, Attribution())

    def click(self, text: str) -> int | None:
        """The click that an id names; None: it is none of ours."""
        return self._click_ids.read(text)

    def click_text(self, click_id: int) -> str:
        """As a link's target was told."""
        return self._click_ids.text(click_id)

    def link(self, text: str) -> tuple[int, int] | None:
        """Number and slot of a short link or its code; None: it is none of ours."""
        value = self._codes.decode(text.rstrip("/").rpartition("/")[2][:CODE_LENGTH])
        return None if value is None else split_value(value)

    async def close(self) -> None:
        """Store what was told, then stop."""
        await self.commits.close()

    async def _flush(self, told: list[_Told], _attempt: int) -> list[list[Outcome]]:
        now = datetime.fromtimestamp(self._wall_ms() / 1000, UTC)
        async with self._dedicated.transaction() as connection:
            outcomes = [await self._record(connection, each, now) for each in told]
        for conversion in (new for each in outcomes for new in _new(each)):
            counted = "without_click" if conversion.click_id is None else "attributed"
            self.counts[counted] += 1
        return outcomes

    async def _record(self, connection: Connection, told: _Told, now: datetime) -> list[Outcome]:
        rule = self.rule(told.account)
        outcomes = await record(
            connection, told.account, told.words, rule=rule, ids=self._ids, now=now
        )
        new = _new(outcomes)
        if new:
            await self._told(connection, told.account, rule, new)
        return outcomes


def _new(outcomes: Sequence[Outcome]) -> list[Conversion]:
    return [each.conversion for each in outcomes if isinstance(each, Recorded) and each.new]
