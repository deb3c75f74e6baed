"""Load shedding by category: what is refused first while the database is behind.

Owns the marks at which a category is refused, and the counts. Must not store anything: it stands in
front of an accepter and passes on what it does not refuse.

Marketing is refused first, then service, then transactional. One-time passwords have a lane of
their own and are not shed here.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from messages.models import Accepter, GivenIds, Prepared, Refused, Verdict
from storage.categories import Category
from storage.faults import SHED_RETRY_AFTER_SECONDS, Overloaded

PERCENT = 100
# In the order of refusal; the mark of the last is the nearest to a full lane.
SHED = (Category.MARKETING, Category.SERVICE, Category.TRANSACTIONAL)


class SheddingAccepter:
    """An Accepter in front of another one.

    `waiting` says how many messages wait in the lane of all categories but one-time passwords. That
    lane holds `waiting_max`.
    """

    def __init__(
        self, inner: Accepter, waiting: Callable[[], int], *, waiting_max: int, above_percent: int
    ) -> None:
        self._inner = inner
        self._waiting = waiting
        self.shed = dict.fromkeys(SHED, 0)
        self.follow(waiting_max, above_percent)

    def follow(self, waiting_max: int, above_percent: int) -> None:
        """Set the marks. Marketing is refused from `above_percent` (0 to 100) of the lane on. The
        other two marks divide the rest evenly.
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
        """As the inner accepter; above a mark, messages of its category are refused and the others
        go on.

        Raises Overloaded when all of them are refused. A request that came before is never refused,
        since it may be stored already.
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
            kept = [each for item, each in pairs if item.category not in refused]
            ids = msgspec.structs.replace(ids, ids=kept)
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
