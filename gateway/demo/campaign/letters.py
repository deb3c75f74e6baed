"""What each handset got, by the carrier's own ledger.

Owns the step from a submit_sm to a person and the link in their text. Must not ask the gateway.
Pure: the lines are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from gateway.demo.application import LINK
from gateway.demo.campaign.cast import Cast
from gateway.demo.campaign.win_back import text_of
from smpp.simulator.ledger import LedgerLine


class Letter(msgspec.Struct, frozen=True):
    """One text that the carrier took for somebody of the cast. `text`: its place in MARKS. `line`:
    its number in the ledger.
    """

    line: int
    place: int
    text: int
    link: str
    to: str  # digits
    sender: str


def letters(lines: Iterable[LedgerLine], cast: Cast) -> Iterator[Letter]:
    """In the order of sending. Texts to nobody of the cast are left out: tests."""
    for line in lines:
        place = cast.place(line.destination) if line.status == 0 else None
        words = "" if place is None else line.text
        text = text_of(words)
        if place is not None and text is not None:
            link = LINK.search(words)
            yield Letter(
                line=line.n,
                place=place,
                text=text,
                link="" if link is None else link[0],
                to=line.destination,
                sender=line.source,
            )
