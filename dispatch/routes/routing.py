"""Routing: which connectors a message may take, in which order, and why.

Owns the decision. It is a pure function of number, sender, category, account, tags and the
connectors' health. Must not know queues or binds. Asked at accept, and again when a connector
refuses or goes down.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import msgspec

from recipients.numbers.origins import NumberOrigins
from storage.categories import Category
from storage.names import NO_CONNECTOR, SANDBOX


class Leg(msgspec.Struct, frozen=True):
    """A connector of a route. `weight` 0 where order alone decides."""

    connector: str
    weight: int = 0


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A rule. Each criterion given must match, by any of its values; without any it matches all.

    `via`: connectors in order of preference, or all with weights to share.
    """

    prefixes: tuple[str, ...] = ()
    senders: frozenset[str] = frozenset()
    categories: frozenset[int] = frozenset()
    accounts: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()  # lower case
    origins: NumberOrigins | None = None  # knows countries and operators
    via: tuple[Leg, ...]
    identity: Hashable = None  # equal for the same rule in another configuration

    def matches(
        self, to: str, sender: str, category: int, account: str, tags: Collection[str]
    ) -> bool:
        """Whether this rule takes the message."""
        return (
            (not self.prefixes or to.startswith(self.prefixes))
            and (not self.categories or category in self.categories)
            and (not self.accounts or account in self.accounts)
            and (not self.senders or sender in self.senders)
            and (not self.tags or not self.tags.isdisjoint(tags))
            and (self.origins is None or self._from_here(to, self.origins))
        )

    def _from_here(self, to: str, origins: NumberOrigins) -> bool:
        return (not self.countries or origins.country(to) in self.countries) and (
            not self.operators or origins.operator(to) in self.operators
        )

    @property
    def shared(self) -> bool:
        """Whether weights decide between its connectors, and not the order."""
        return len(self.via) > 1 and self.via[0].weight > 0

    def mismatches(
        self, to: str, sender: str, category: int, account: str, tags: Collection[str]
    ) -> list[str]:
        """Every criterion that keeps this rule from taking the message, in words."""
        found: list[str] = []
        label = Category(category).label
        labels = frozenset(Category(each).label for each in self.categories)
        for name, value, wanted in (
            ("category", label, labels),
            ("account", account, self.accounts),
            ("sender", sender or "(none)", self.senders),
        ):
            if wanted and value not in wanted:
                found.append(f"{name}: {value} is none of {_listed(wanted)}")
        if self.prefixes and not to.startswith(self.prefixes):
            found.append(f"prefix: {to} begins with none of {_listed(self.prefixes)}")
        if self.tags and self.tags.isdisjoint(tags):
            found.append(f"tag: {_listed(tags) or '(none)'} has none of {_listed(self.tags)}")
        if self.origins is not None:
            for name, origin, names in (
                ("country", self.origins.country, self.countries),
                ("operator", self.origins.operator, self.operators),
            ):
                if names and origin(to) not in names:
                    found.append(f"{name}: {origin(to) or 'unknown'} is none of {_listed(names)}")
        return found


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Connectors in the order to try them: those that are up, then those that may come back.

    `route` is the index of the rule. It is None when none matches; then there are no connectors.
    """

    connectors: tuple[str, ...]
    route: int | None
    down: tuple[str, ...] = ()
    shared: bool = False

    @property
    def reason(self) -> str:
        """The decision in words, for the message's timeline."""
        if self.route is None:
            return "no route matches"
        words = [f"routes[{self.route}]"]
        if self.shared:
            words.append("share of this number")
        if self.down:
            words.append(f"down: {', '.join(self.down)}")
        if len(self.down) == len(self.connectors):
            words.append(f"waits for {self.connectors[0]}")
        return "; ".join(words)


def route(
    to: str,
    sender: str,
    category: int,
    account: str,
    tags: Collection[str],
    *,
    routes: Sequence[Route],
    down: Collection[str] = (),
) -> Decision:
    """The decision by the first route that matches. `to` in E.164; `down` names connectors without
    a bind.

    No other route is asked, even when all connectors of that one are down. A message rather waits
    than leaves by a way it was not meant to take.
    """
    for index, rule in enumerate(routes):
        if rule.matches(to, sender, category, account, tags):
            return _decide(index, rule, to, down)
    return Decision((), None)


def after(decision: Decision, connector: str, tried: Collection[str] = ()) -> str | None:
    """The connector to try when `connector` failed this message; None when no other is up.

    It is the next of its route that is up, but for those of its ways before (`tried`). After the
    last comes the first.
    """
    up = decision.connectors[: len(decision.connectors) - len(decision.down)]
    if tried:
        up = tuple(name for name in up if name not in tried)
    if connector not in up:
        return up[0] if up else None
    return up[(up.index(connector) + 1) % len(up)] if len(up) > 1 else None


class RouteTable:
    """The routes, the numbers of the connectors, and which are down right now.

    `down` is a live collection that its owner keeps up to date. It is read at each decision.
    """

    def __init__(
        self, routes: Sequence[Route], connectors: Mapping[str, int], down: Collection[str]
    ) -> None:
        self._down = down
        self.replace(routes, connectors)

    def replace(self, routes: Sequence[Route], connectors: Mapping[str, int]) -> None:
        """Follow a changed configuration from now on."""
        self._routes = routes
        self._connectors = connectors
        self._names = {number: name for name, number in connectors.items()}

    def decide(
        self, to: str, sender: str, category: int, account: str, tags: Collection[str]
    ) -> Decision:
        """All connectors for this message, in order, with the reason."""
        return route(to, sender, category, account, tags, routes=self._routes, down=self._down)

    def identity(
        self, to: str, sender: str, category: int, account: str, tags: Collection[str]
    ) -> Hashable:
        """The rule that takes this message, the same after others were put before it; None without
        one.
        """
        for rule in self._routes:
            if rule.matches(to, sender, category, account, tags):
                return rule.identity
        return None

    def first(
        self, to: str, sender: str, category: int, account: str, tags: Collection[str]
    ) -> int:
        """The number of the connector to try first; NO_CONNECTOR when no route matches."""
        # Without a Decision to explain it, which would cost three times as much
        for rule in self._routes:
            if rule.matches(to, sender, category, account, tags):
                leg = rule.via[0].connector
                if rule.shared or leg in self._down:
                    break
                return self._connectors[leg]
        decision = self.decide(to, sender, category, account, tags)
        return self._connectors[decision.connectors[0]] if decision.connectors else NO_CONNECTOR

    def elsewhere(
        self,
        connector: int,
        to: str,
        sender: str,
        category: int,
        account: str,
        tags: Collection[str],
        tried: Collection[int] = (),
    ) -> tuple[int, Decision]:
        """(number of the connector to try after this one failed the message, decision behind it).

        NO_CONNECTOR when the message had better stay. In the sandbox it always stays. `tried`: by
        its ways before.
        """
        if connector == SANDBOX:
            return NO_CONNECTOR, Decision((), None)
        decision = self.decide(to, sender, category, account, tags)
        names = [self._names.get(number, "") for number in tried]
        name = after(decision, self._names.get(connector, ""), names)
        return (NO_CONNECTOR if name is None else self._connectors[name]), decision

    def untried(self, decision: Decision, tried: Collection[int]) -> int:
        """The number of the first connector of a route that a message was not at; NO_CONNECTOR
        without one.
        """
        numbers = (self._connectors[name] for name in decision.connectors)
        return next((number for number in numbers if number not in tried), NO_CONNECTOR)

    def has_other(self, connector: int) -> bool:
        """Whether any route names this connector beside one that is up.

        A connector that no route names any more has others, too. The sandbox never has any.
        """
        if connector == SANDBOX:
            return False
        name = self._names.get(connector)
        routes = [
            route for route in self._routes if name in {leg.connector for leg in route.via}
        ] or self._routes
        legs = {leg.connector for route in routes for leg in route.via}
        return any(leg != name and leg not in self._down for leg in legs)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(sorted(values))


def _decide(index: int, rule: Route, to: str, down: Collection[str]) -> Decision:
    via, shared = rule.via, rule.shared
    if shared:
        via = tuple(sorted(via, key=lambda leg: _share(to, leg), reverse=True))
    names = tuple(leg.connector for leg in via)
    if not down:
        return Decision(names, index, shared=shared)
    missing = tuple(name for name in names if name in down)
    up = tuple(name for name in names if name not in down)
    return Decision(up + missing, index, missing, shared)


def _share(to: str, leg: Leg) -> float:
    """Weighted rendezvous hashing: the highest score wins with a probability of weight / sum.

    The same number always takes the same connector. When one goes down only its own numbers move,
    spread over the others by weight. The score is -w / ln(u) for u uniform in (0, 1).
    """
    digest = hashlib.blake2b(f"{leg.connector}|{to}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 0.5) / 2**64
    return -leg.weight / math.log(uniform)
