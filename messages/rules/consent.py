"""Consent where an account demands it, checked at accept and again before the wire.

Owns both checks. Must not take any word but the ledger's (recipients/consent.py): a number that is
not in it has not consented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dispatch.message import Ended, ReadyMessage, StopVerdict
from dlr.reasons import Reason
from dlr.status import Status
from messages.accepting import Accepting
from recipients import consent
from storage.pool import Connection
from storage.suppression import Recipient

_ENDED = Ended(Status.SUPPRESSED, Reason.NO_CONSENT, "consent")


class ConsentRules:
    """Which categories of which accounts need consent."""

    def __init__(self, categories: Mapping[int, frozenset[int]]) -> None:
        self._categories = categories
        self._none = not any(categories.values())

    def __bool__(self) -> bool:
        return not self._none

    def concerns(self, account: int, category: int) -> bool:
        """Whether such a message needs consent."""
        return category in self._categories.get(account, ())


class ConsentCheck:
    """A FlushCheck: a recipient without consent is not written to."""

    def __init__(self, rules: ConsentRules) -> None:
        self._rules = rules

    def concerns(self, item: Accepting) -> bool:
        """Whether the account demands consent for the category."""
        return self._rules.concerns(item.prepared.account, item.prepared.category)

    async def decide(self, connection: Connection, items: Sequence[Accepting]) -> None:
        if not self._rules:
            return
        asked = [item for item in items if self.concerns(item)]
        if not asked:
            return
        accounts = {item.prepared.account for item in asked}
        granted = await consent.granted(
            connection, {item.to_idx for item in asked}, accounts, _old(asked)
        )
        for item in asked:
            message = item.prepared
            if (item.to_idx, message.account, message.category) not in granted:
                item.ended = _ENDED


class ConsentLook:
    """A LastLook: a consent may be withdrawn while a message waits."""

    def __init__(self, rules: ConsentRules) -> None:
        self._rules = rules

    def asks(self, messages: Sequence[ReadyMessage]) -> bool:
        rules = self._rules
        return bool(rules) and any(rules.concerns(each.account, each.category) for each in messages)

    async def decide(
        self, connection: Connection, messages: Sequence[ReadyMessage]
    ) -> Mapping[int, StopVerdict]:
        asked = [each for each in messages if self._rules.concerns(each.account, each.category)]
        if not asked:
            return {}
        accounts = {message.account for message in asked}
        granted = await consent.granted(
            connection, {each.to_idx for each in asked}, accounts, _old(asked)
        )
        return {
            message.id: _ENDED
            for message in asked
            if (message.to_idx, message.account, message.category) not in granted
        }


def _old(recipients: Sequence[Recipient]) -> Mapping[bytes, bytes]:
    """The other indexes of these recipients, and whose each is."""
    return {old: each.to_idx for each in recipients for old in each.old_idx}
