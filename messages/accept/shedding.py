"""What is refused first when the way to the database is crowded: marketing, then service, then
transactional messages; one-time passwords have a lane of their own and are refused last.

Owns the marks and the counts. Must not store anything: it stands before the accepter and lets
through what it does not refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from messages.models import Accepter, GivenIds, Prepared, Refused, Verdict
from storage.categories import Category
from storage.faults import SHED_RETRY_AFTER_SECONDS, Overloaded

PERCENT = 100
# In the order in which they are refused; the last of them at the mark nearest to a full lane.
SHED = (Category.MARKETING, Category.SERVICE, Category.TRANSACTIONAL)


class SheddingAccepter:
    """An Accepter before another one. `waiting` says how many messages wait in the lane of all but
    the one-time passwords, which holds `waiting_max`.
    """

    def __init__(
        self, inner: Accepter, waiting: Callable[[], int], *, waiting_max: int, above_percent: int
    ) -> None:
        self._inner = inner
        self._waiting = waiting
        self.shed = dict.fromkeys(SHED, 0)
        self.follow(waiting_max, above_percent)

    def follow(self, waiting_max: int, above_percent: int) -> None:
        """Marketing is refused from `above_percent` of the lane on; the marks of the other two
        divide what is left of it evenly.
        """
        start = waiting_max * above_percent // PERCENT
        self.marks = {
            category: start + (waiting_max - start) * position // len(SHED)
            for position, category in enumerate(SHED)
        }
        self._lowest = start

    def accept(
        self, items: Sequence[Prepared], *, batch_id: int | None, ids: GivenIds | None = None
    ) -> Coroutine[Any, Any, list[Verdict | Refused]]:
        """As the inner one; of a crowd's messages only those of the shed categories are refused.

        Raises Overloaded when that is all of them. Nothing is refused of a request that came before
        and may be stored already.
        """
        waiting = self._waiting()
        if waiting < self._lowest or (ids is not None and ids.again):
            return self._inner.accept(items, batch_id=batch_id, ids=ids)
        refused = {category for category, mark in self.marks.items() if waiting >= mark}
        return self._accept_some(items, batch_id, ids, refused)

    async def _accept_some(
        self,
        items: Sequence[Prepared],
        batch_id: int | None,
        ids: GivenIds | None,
        refused: set[Category],
    ) -> list[Verdict | Refused]:
        going = [item for item in items if item.category not in refused]
        for category in refused:
            self.shed[category] += sum(item.category == category for item in items)
        if not going:
            raise Overloaded(
                SHED_RETRY_AFTER_SECONDS,
                {policy_of(category): self.marks[category] for category in sorted(refused)},
            )
        if ids is not None:
            pairs = zip(items, ids.ids, strict=True)
            ids = GivenIds([each for item, each in pairs if item.category not in refused])
        verdicts = iter(await self._inner.accept(going, batch_id=batch_id, ids=ids))
        return [
            _refusal(Category(item.category)) if item.category in refused else next(verdicts)
            for item in items
        ]


def policy_of(category: Category) -> str:
    """The name of a mark as a quota policy."""
    return f"waiting-{category.label}"


def _refusal(category: Category) -> Refused:
    detail = f"{category.label} messages are refused while the gateway is busy; send again later"
    return Refused("overloaded", detail)
