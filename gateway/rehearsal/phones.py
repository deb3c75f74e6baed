"""Simulated phones, and the machines that open links around them, with the truth known.

Owns who visits which link, what each sends, and how often a person did. Must not open a link, nor
know how the gateway judges. The same seed makes the same visits. Pure.

Each person has a network of their own. Messaging apps fetch from the phone's network. A security
gateway walks through all links of a carrier from one network, before anybody reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from types import MappingProxyType

import msgspec

PERSON = "human"
PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

_WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_BLINK = "AppleWebKit/537.36 (KHTML, like Gecko)"
_IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {_WEBKIT}"
_ANDROID = "Mozilla/5.0 (Linux; Android 15; {model}) " + _BLINK
_CHROME = f"{_ANDROID.format(model='K')} Chrome/137.0.0.0 Mobile Safari/537.36"
PEOPLE = (
    _CHROME,
    f"{_IPHONE} Version/18.5 Mobile/15E148 Safari/604.1",
    f"{_IPHONE} Mobile/15E148 MicroMessenger/8.0.59(0x18003b2e) NetType/4G Language/zh_CN",
    f"{_ANDROID.format(model='SM-S928B')} SamsungBrowser/27 Chrome/125 Mobile Safari/537.36",
    f"{_ANDROID.format(model='ALN-AL00')} Chrome/114.0 HuaweiBrowser/15.0 Mobile Safari/537.36",
    f"{_ANDROID.format(model='V23')} Version/4.0 Chrome/123.0 MQQBrowser/16.2 Mobile Safari/537.36",
    f"{_IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/515.0.0.38.90;FBBV/737372636;FBDV/iPhone16,2]",
    "Mozilla/5.0 (Android 15; Mobile; rv:139.0) Gecko/139.0 Firefox/139.0",
)
LANGUAGES = ("zh-CN,zh;q=0.9", "en-GB,en;q=0.9", "zh-TW", "id-ID,id;q=0.9,en;q=0.8")
# As messaging apps draw the card of a link: method, headers.
PREVIEWERS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("GET", {"User-Agent": "GoogleMessages", "Accept": PAGE}),
    (
        "GET",
        {
            "User-Agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 "
            "(KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot "
            "Twitterbot/1.0",
            "Accept": "*/*",
            "Accept-Language": "en-us",
        },
    ),
    ("GET", {"User-Agent": "WhatsApp/2.25.14.77 A", "Accept": "*/*"}),
    ("HEAD", {"User-Agent": "WhatsApp/2.25.14.77 A"}),
)
PREFETCHERS: Sequence[Mapping[str, str]] = (
    {"Sec-Purpose": "prefetch;prerender"},
    {"Sec-Purpose": "prefetch;anonymous-client-ip"},
    {"Purpose": "prefetch"},
    {"X-Moz": "prefetch"},
)
SCANNERS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("GET", {"User-Agent": "Barracuda Sentinel (EE)", "Accept": PAGE}),
    ("GET", {"User-Agent": "python-requests/2.32.3", "Accept": "*/*"}),
    ("HEAD", {"User-Agent": _CHROME, "Accept": PAGE, "Accept-Language": "en"}),
    ("GET", {"User-Agent": "Mozilla/5.0"}),
    ("GET", {"User-Agent": _CHROME, "Accept": "*/*"}),  # says it is a phone, and asks like none
)
MONITOR: Mapping[str, str] = MappingProxyType(
    {"User-Agent": "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)"}
)


class Visit(msgspec.Struct, frozen=True):
    """One request for a link. `who`: PERSON, or which machine."""

    link: str
    who: str
    method: str
    headers: Mapping[str, str]


TRUSTED = 'trusted_proxies = ["127.0.0.1/32"]\n'
"""Of [links]: a gateway that believes in the networks of these visitors."""


class Rehearsal(msgspec.Struct, frozen=True):
    """`before`: visits of machines that come ahead of every person; `then`: the others."""

    before: Sequence[Visit]
    then: Sequence[Visit]

    @property
    def visits(self) -> Sequence[Visit]:
        """All of them."""
        return [*self.before, *self.then]

    @property
    def people(self) -> Counter[str]:
        """How often people opened each link that any of them opened."""
        return Counter(visit.link for visit in self.then if visit.who == PERSON)

    @property
    def kept(self) -> int:
        """How many visits are stored as clicks: HEAD is none."""
        return sum(visit.method != "HEAD" for visit in self.visits)

    @property
    def machines(self) -> int:
        """How many visits are no person's."""
        return sum(visit.who != PERSON for visit in self.visits)


def rehearse(links: Sequence[str], seed: int, *, person_share: float = 0.4) -> Rehearsal:
    """Who visits these links, each of one recipient. So large a share of them is opened by its
    person, some of them several times.
    """
    chance = Random(seed)
    method, headers = chance.choice(SCANNERS)
    walk = [_visit(link, "scanner", method, headers, "198.51.100.9") for link in links]
    then: list[Visit] = []
    for number, link in enumerate(links):
        address = f"10.{number >> 8 & 255}.{number & 255}.7"
        if chance.random() < 0.5:
            method, headers = chance.choice(PREVIEWERS)
            then.append(_visit(link, "preview", method, headers, address))
        if chance.random() < 0.1:
            method, headers = chance.choice(SCANNERS)
            then.append(_visit(link, "scanner", method, headers, "203.0.113.20"))
        if chance.random() < 0.1:
            then.append(_visit(link, "monitor", "GET", MONITOR, "192.0.2.33"))
        if chance.random() < person_share:
            then += _person(chance, link, address)
    chance.shuffle(then)
    return Rehearsal(walk, then)


def _person(chance: Random, link: str, address: str) -> list[Visit]:
    """The taps of one person, and what the browser loads ahead of them."""
    headers = {
        "User-Agent": chance.choice(PEOPLE),
        "Accept": PAGE,
        "Accept-Language": chance.choice(LANGUAGES),
    }
    visits = [_visit(link, PERSON, "GET", headers, address)] * chance.choice((1, 1, 1, 2, 3))
    if chance.random() < 0.2:
        ahead = {**headers, **chance.choice(PREFETCHERS)}
        visits.append(_visit(link, "prefetch", "GET", ahead, address))
    return visits


def _visit(link: str, who: str, method: str, headers: Mapping[str, str], address: str) -> Visit:
    return Visit(link, who, method, {**headers, "X-Forwarded-For": address})
