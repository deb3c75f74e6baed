"""Which account owns the number that was texted.

Owns the table from senders to accounts. Must not look at messages: which message was answered says
more, and callers look there first.
"""

from __future__ import annotations

from collections.abc import Iterable

from recipients.scopes import plain

NOBODY = 0


class SenderOwners:
    """Accounts by the senders configured for them. A single account owns every number."""

    def __init__(self, accounts: Iterable[tuple[int, Iterable[str]]]) -> None:
        """(account, its senders) of each account. A sender of two accounts belongs to nobody."""
        listed = list(accounts)
        self._only = listed[0][0] if len(listed) == 1 else NOBODY
        self._accounts: dict[str, int] = {}
        for account, senders in listed:
            for sender in {plain(sender) for sender in senders}:
                self._accounts[sender] = NOBODY if sender in self._accounts else account

    def owner(self, destination: str) -> int:
        """The account; NOBODY where none or several have this number."""
        return self._only or self._accounts.get(plain(destination), NOBODY)
