"""The requests for one person's link: an app that draws its card, then the person's taps.

Owns their order and headers, each from a network of the person's own. Must not send any. Pure.
"""

from __future__ import annotations

from gateway.demo.campaign.cast import Behaviour
from gateway.rehearsal.phones import LANGUAGES, PAGE, PEOPLE, PERSON, PREVIEWERS, Visit


def visits(link: str, place: int, does: Behaviour) -> list[Visit]:
    """What this person's text brings to the link's server."""
    address = f"10.{place >> 8 & 255}.{place & 255}.7"
    found = []
    if does.preview is not None:
        method, headers = PREVIEWERS[does.preview]
        found.append(Visit(link, "preview", method, {**headers, "X-Forwarded-For": address}))
    tap = {
        "User-Agent": PEOPLE[place % len(PEOPLE)],
        "Accept": PAGE,
        "Accept-Language": LANGUAGES[place % len(LANGUAGES)],
        "X-Forwarded-For": address,
    }
    return found + [Visit(link, PERSON, "GET", tap)] * does.taps


def kept(does: Behaviour) -> int:
    """How many of them are stored as clicks: HEAD is none."""
    return sum(visit.method != "HEAD" for visit in visits("", 0, does))
