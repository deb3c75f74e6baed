"""What matching receipts needs to know of carriers: which connectors belong to one carrier.

Owns the look-up from a connector to the others of its group. Must not match receipts. What was sent
on one connector of a group may be reported on another (E20). Some connectors send one receipt for
all parts of a message (E100).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class ConnectorGroups:
    """Groups of connectors that one carrier is behind.

    `members` are (connector, name of its group or None). By default each connector is alone, and
    each receipt is about one part.
    """

    def __init__(
        self,
        members: Iterable[tuple[int, str | None]] = (),
        *,
        receipts_per_message: Iterable[int] = (),
    ) -> None:
        """`receipts_per_message`: the connectors whose receipts are about whole messages."""
        self.receipts_per_message = frozenset(receipts_per_message)
        named: dict[str, list[int]] = {}
        for connector, group in members:
            if group is not None:
                named.setdefault(group, []).append(connector)
        self._others = {
            connector: tuple(other for other in group if other != connector)
            for group in named.values()
            for connector in group
        }

    def of(self, connector: int) -> tuple[int, ...]:
        """This connector first, then the others of its group."""
        return connector, *self._others.get(connector, ())

    def pairs(self) -> tuple[Sequence[int], Sequence[int]]:
        """Every (connector, other of its group), as two columns of equal length."""
        flat = [(one, other) for one, others in self._others.items() for other in others]
        return [one for one, _ in flat], [other for _, other in flat]


ALONE = ConnectorGroups()
