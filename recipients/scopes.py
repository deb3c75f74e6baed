"""Scopes of opt-outs: which senders an opt-out of some senders covers.

Owns that comparison. Must not know words, nor who opted out. Pure.

What is stored are the senders of the brand that a person texted. Which belong together is asked
again when a message is about to go. So a sender that joins a brand is covered, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

NO_BRANDS: Mapping[str, str] = MappingProxyType({})


def plain(address: str) -> str:
    """Sender and destination in one form: carriers leave out the plus, or do not."""
    return address.strip().removeprefix("+")


class OptOutScopes:
    """Of every account. One that is not named covers all of its senders."""

    def __init__(
        self,
        brands: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
        senders: Mapping[int, Collection[str]] = MappingProxyType({}),
    ) -> None:
        """For each account whose opt-outs are of some senders: the brand of each sender that has
        one, in the plain form. A sender without one is by itself. `senders`: the others that are
        known, in the plain form.
        """
        self._brands = brands
        self._senders = senders

    def knows(self, account: int, destination: str) -> bool:
        """Whether this number is written as a sender of the account is."""
        texted = plain(destination)
        return texted in self._brands.get(account, ()) or texted in self._senders.get(account, ())

    def of(self, account: int, destination: str) -> list[str] | None:
        """The senders that an opt-out by a text to this number is stored for; None: all."""
        return self.together(account, destination) if account in self._brands else None

    def together(self, account: int, destination: str) -> list[str]:
        """The senders that belong to this number, itself included."""
        texted = plain(destination)
        brands = self._brands.get(account, NO_BRANDS)
        brand = brands.get(texted)
        others = [each for each, of_brand in brands.items() if of_brand == brand]
        return sorted({texted, *(others if brand is not None else ())})

    def covers(self, account: int, senders: Sequence[str] | None, sender: str) -> bool:
        """Whether an entry of these senders (None: all) forbids a message from this one.

        Where the carrier puts a sender of its own, nobody knows it: then it is forbidden.
        """
        brands = self._brands.get(account)
        if senders is None or brands is None or not sender:
            return True
        wanted = plain(sender)
        if wanted in senders:
            return True
        brand = brands.get(wanted)
        return brand is not None and any(brands.get(each) == brand for each in senders)


WHOLE = OptOutScopes()


def brands_of(brands: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    """Sender to brand. Raises ValueError, one line, for a sender of two."""
    found: dict[str, str] = {}
    for brand, senders in brands:
        for sender in map(plain, senders):
            if found.setdefault(sender, brand) != brand:
                raise ValueError(f"{sender!r} is of {found[sender]!r} and of {brand!r}")
    return found
