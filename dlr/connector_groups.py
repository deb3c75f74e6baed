"""Connectors that are one carrier: what is sent on one may be reported on another (E20).

Owns the look-up from a connector to the others of its group. Must not match receipts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class ConnectorGroups:
    """Made of (connector, name of its group or None). Without any, each connector is alone."""

    def __init__(self, members: Iterable[tuple[int, str | None]] = ()) -> None:
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
