"""Whose number was texted.

Owns the table from senders to accounts. Must not look at messages: that one was answered says more
than this, and whoever asks looks there first.
"""

from __future__ import annotations

from collections.abc import Iterable

NOBODY = 0


class SenderOwners:
    """Accounts by the senders they are configured with. An only account owns every number."""

    def __init__(self, accounts: Iterable[tuple[int, Iterable[str]]]) -> None:
        """(account, its senders) of each account; a sender of two accounts is nobody's."""
        listed = list(accounts)
        self._only = listed[0][0] if len(listed) == 1 else NOBODY
        self._accounts: dict[str, int] = {}
        for account, senders in listed:
            for sender in {plain(sender) for sender in senders}:
                self._accounts[sender] = NOBODY if sender in self._accounts else account

    def owner(self, destination: str) -> int:
        """The account, or NOBODY."""
        return self._only or self._accounts.get(plain(destination), NOBODY)


def plain(address: str) -> str:
    """Sender and destination in one form: carriers leave out the plus, or do not."""
    return address.strip().removeprefix("+")
