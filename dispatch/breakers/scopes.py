"""What a breaker is about, and which messages it covers.

Owns the names of scopes and subjects, and the comparison with a message. Must not know states
(machine.py) nor tables. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from dispatch.message import ReadyMessage
from storage.categories import Category
from storage.ids import format_id, parse_id
from storage.names import SANDBOX

SUBJECT_CHARACTERS_MAX: Final = 100
SEPARATOR: Final = ":"  # between the two names of a subject; names of connectors have none


class Scope(StrEnum):
    """Narrow ones first: of several that cover a message, the first is told."""

    BATCH = "batch"
    CAMPAIGN = "campaign"
    SENDER = "sender"
    OPERATOR = "operator"
    CONNECTOR = "connector"

    @property
    def of_route(self) -> bool:
        """Whether another connector is a way out."""
        return self in (Scope.OPERATOR, Scope.CONNECTOR)


_ORDER: Final[Mapping[Scope, int]] = {scope: place for place, scope in enumerate(Scope)}


class Target(msgspec.Struct, frozen=True, gc=False):
    """What is covered. `name`: the operator in lower case, the campaign or the sender.

    An operator is that of the number's range, on one connector. Campaigns and senders are an
    account's.
    """

    scope: Scope
    subject: str
    connector: int | None = None
    account: int | None = None
    batch_id: int | None = None
    name: str | None = None


class UnknownSubject(Exception):
    """There is no such connector, account or batch id."""


def target_of(
    scope: Scope, subject: str, connectors: Mapping[str, int], accounts: Mapping[str, int]
) -> Target:
    """What `scope` and `subject` name. Raises UnknownSubject.

    A connector by its name, a batch by its id. An operator as `connector:operator`, a campaign or a
    sender as `account:name`.
    """
    subject = spelled(scope, subject)
    if scope is Scope.BATCH:
        try:
            return Target(scope, subject, batch_id=parse_id("bat", subject))
        except ValueError as error:
            raise UnknownSubject(str(error)) from error
    if scope is Scope.CONNECTOR:
        return Target(scope, subject, connector=_number(subject, connectors, "connector"))
    owner, separator, name = subject.partition(SEPARATOR)
    if not separator or not name:
        raise UnknownSubject(f"{subject!r}: expected two names with {SEPARATOR!r} between them")
    if scope is Scope.OPERATOR:
        known = _number(owner, connectors, "connector")
        return Target(scope, subject, connector=known, name=name)
    return Target(scope, subject, account=_number(owner, accounts, "account"), name=name)


def spelled(scope: Scope, subject: str) -> str:
    """A subject as it is stored: operators are in lower case. Raises UnknownSubject."""
    if len(subject) > SUBJECT_CHARACTERS_MAX or not subject.isprintable():
        raise UnknownSubject("a subject is at most 100 printable characters")
    owner, separator, name = subject.partition(SEPARATOR)
    return f"{owner}{separator}{name.lower()}" if scope is Scope.OPERATOR else subject


def batch_subject(batch_id: int) -> str:
    """A batch as a subject."""
    return format_id("bat", batch_id)


def _number(name: str, numbers: Mapping[str, int], what: str) -> int:
    number = numbers.get(name)
    if number is None or number == SANDBOX:
        raise UnknownSubject(f"there is no {what} {name!r}")
    return number


class Covering(msgspec.Struct, frozen=True, gc=False):
    """A breaker that holds messages back. `probing`: some may pass."""

    id: int
    target: Target
    probing: bool


class Board:
    """The breakers that hold messages back now, as this process knows them."""

    def __init__(self, operator_of: Callable[[str], str | None], *, otp: bool = False) -> None:
        """`operator_of`: of a number. `otp`: whether one-time passwords are held, too."""
        self._operator_of = operator_of
        self.otp = otp
        self._batches: dict[int, Covering] = {}
        self._routes: dict[int, list[Covering]] = {}  # by connector
        self._named: dict[tuple[Scope, int, str], Covering] = {}
        self._campaigns: frozenset[int] = frozenset()  # accounts
        self.known: tuple[Covering, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.known)

    def learn(self, covering: Iterable[Covering]) -> None:
        """These and no others."""
        self.known = tuple(covering)
        self._batches, self._routes, self._named = {}, {}, {}
        for each in self.known:
            target = each.target
            if target.batch_id is not None:
                self._batches[target.batch_id] = each
            elif target.connector is not None:
                self._routes.setdefault(target.connector, []).append(each)
            else:
                assert target.account is not None
                assert target.name is not None
                self._named[target.scope, target.account, target.name] = each
        self._campaigns = frozenset(
            account for scope, account, _ in self._named if scope is Scope.CAMPAIGN
        )

    def may_cover(self, message: ReadyMessage) -> bool:
        """Whether its connector and campaign have to be asked for."""
        if not self.known or (message.category == Category.OTP and not self.otp):
            return False
        return bool(
            self._routes
            or (message.batch_id is not None and message.batch_id in self._batches)
            or (Scope.SENDER, message.account, message.sender) in self._named
            or message.account in self._campaigns
        )

    def covering(
        self, message: ReadyMessage, connector: int, campaign: str | None
    ) -> list[Covering]:
        """Every breaker that holds it on this connector, the narrowest first."""
        if connector == SANDBOX or (message.category == Category.OTP and not self.otp):
            return []
        found: list[Covering | None] = []
        if message.batch_id is not None:
            found.append(self._batches.get(message.batch_id))
        if self._named:
            if campaign is not None:
                found.append(self._named.get((Scope.CAMPAIGN, message.account, campaign)))
            found.append(self._named.get((Scope.SENDER, message.account, message.sender)))
        for each in self._routes.get(connector, ()):
            name = each.target.name
            if name is None or name == self._operator_of(message.to):
                found.append(each)
        return sorted(
            (each for each in found if each is not None), key=lambda each: _ORDER[each.target.scope]
        )
