"""What matching has to know of carriers: which connectors are one, so that what is sent on one may
be reported on another (E20), and which send one receipt for all parts of a message (E100).

Owns the look-up from a connector to the others of its group. Must not match receipts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class ConnectorGroups:
    """Made of (connector, name of its group or None). Without any, each connector is alone, and
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
        """Every (connector, other), as two columns."""
        flat = [(one, other) for one, others in self._others.items() for other in others]
        return [one for one, _ in flat], [other for _, other in flat]


ALONE = ConnectorGroups()
