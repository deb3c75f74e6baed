"""Conversions behind the API: what sites tell, in few transactions, with what webhooks are told.

Owns these transactions and the reading of codes and click ids. Must not decide which click counts
(conversions.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from shortlinks.click_ids import ClickIds
from shortlinks.code import CODE_LENGTH, CodePermutation, split_value
from shortlinks.conversions import (
    LANDING_EVENT,
    Attribution,
    Conflict,
    Conversion,
    ConversionWord,
    Outcome,
    Recorded,
    Unknown,
    account_of_click,
    record,
)
from shortlinks.visit_door import Visited
from storage.group_commit import GroupCommit
from storage.ids import IdSource, unix_ms_of
from storage.one_commit import committed
from storage.pool import Connection, Dedicated

REQUESTS_PER_FLUSH_MAX = 8
REQUESTS_WAITING_MAX = 100
CLICK_LOADED_MS = 60_000  # a click that old is stored, or never will be

# What is new, of an account and by its rule, in the transaction that stores it.
Told = Callable[[Connection, int, Attribution, Sequence[Conversion]], Awaitable[None]]


class _Told(msgspec.Struct):
    account: int | None  # None: the one whose click it is
    words: Sequence[ConversionWord]


class ConversionDesk:
    """Implements ConversionBook and VisitBook. `rules` by account.

    Counts since start: new conversions in `counts`, and in `answered` all that was told. There,
    `forged` click ids are none of ours. What `unknown` ones name, the account does not have.
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
        self.answered: Counter[str] = Counter(
            recorded=0, repeated=0, conflict=0, unknown=0, forged=0
        )
        self.commits: GroupCommit[_Told, list[Outcome]] = GroupCommit(
            self._flush,
            name="conversions",
            items_per_flush_max=REQUESTS_PER_FLUSH_MAX,
            items_waiting_max=REQUESTS_WAITING_MAX,
        )

    async def record(self, account: int, words: Sequence[ConversionWord]) -> list[Outcome]:
        """One outcome each, in their order, once committed. Raises Overloaded, StorageDown."""
        outcomes: list[Outcome] = await committed(self.commits, _Told(account, words))
        self._count(outcomes)
        return outcomes

    async def visited(self, text: str) -> Visited:
        """As VisitBook says."""
        click_id = self.click(text)
        if click_id is None:
            return "forged"
        word = ConversionWord(
            reference=f"{LANDING_EVENT} {text}",
            event=LANDING_EVENT,
            occurred_at=None,
            click_id=click_id,
        )
        [outcome] = await committed(self.commits, _Told(None, [word]))
        if isinstance(outcome, Unknown):
            age_ms = self._wall_ms() - unix_ms_of(click_id)
            return "awaited" if age_ms < CLICK_LOADED_MS else "unknown"
        self._count([outcome])
        return "recorded"

    def rule(self, account: int) -> Attribution:
        """Which click counts for an account."""
        return self.rules.get(account, Attribution())

    def click(self, text: str) -> int | None:
        """The click that an id names; None: it is none of ours."""
        click_id = self._click_ids.read(text)
        if click_id is None:
            self.answered["forged"] += 1
        return click_id

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
        account = told.account
        if account is None:
            account = await account_of_click(connection, told.words[0].click_id or 0)
        if account is None:
            return [Unknown("click")]
        rule = self.rule(account)
        outcomes = await record(connection, account, told.words, rule=rule, ids=self._ids, now=now)
        new = _new(outcomes)
        if new:
            await self._told(connection, account, rule, new)
        return outcomes

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Recorded):
                self.answered["recorded" if outcome.new else "repeated"] += 1
            else:
                self.answered["conflict" if isinstance(outcome, Conflict) else "unknown"] += 1


def _new(outcomes: Sequence[Outcome]) -> list[Conversion]:
    return [each.conversion for each in outcomes if isinstance(each, Recorded) and each.new]
