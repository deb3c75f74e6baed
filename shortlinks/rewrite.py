"""Finding links in a message, and putting short ones in their place.

Owns which targets are allowed, and the exact length of a short link. Must not know codes, nor where
a link ends (link_grammar.py). Pure.

A text is first rewritten with placeholders of the same length. So encoding and parts are counted
before a code exists. Every character of a code is one GSM 03.38 septet, like the placeholder's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import idna
import msgspec

from shortlinks import link_grammar
from shortlinks.code import ALPHABET, CODE_LENGTH, SLOTS

TARGET_CHARACTERS_MAX = 2048
TEXT_CHARACTERS_MAX = 5_000  # ten parts hold 1 530; bounds the search of a hostile text
HOST_CHARACTERS_MAX = 253  # RFC 1035
LABEL_CHARACTERS_MAX = 63

PLACEHOLDER_CODE = ALPHABET[0] * CODE_LENGTH

OPT_OUT_MARK = "{{optout}}"  # in a text: the link to the recipient's own opt-out page
OPT_OUT_PLACE = "\0"  # in its stead while links are looked for: no text has it, and no link goes on
NAMED_PLACES = "\1\2\3\4\5\6\7\x08"  # likewise, for each link that a message names
OPT_OUT_TARGET = "optout:"  # of its slot, where others have a URL


class Span(msgspec.Struct, frozen=True, gc=False):
    """One link in a text: text[start:end]. Links with the same target share a slot (0..7)."""

    start: int
    end: int
    slot: int
    target: str  # normalised: ASCII, safe as a Location header


class TooManyLinksError(ValueError):
    """The text has more distinct links than a message has slots. The sender must act."""


class InvalidTargetError(ValueError):
    """The URL cannot be a short link's target. The message says why, and the sender must act."""


def find_links(text: str, *, except_under: str = "") -> list[Span]:
    """The http(s) links of `text` in order of appearance.

    What follows a link without a space is told apart by script. Chinese, Japanese, Thai or
    full-width characters end it, as does trailing punctuation. Host names may be internationalised.

    Some things look like a link and stay text: what cannot be a target (user information, no host),
    and what is not surely one. `links_left_alone` says why. Links under `except_under` (our own
    short ones) are left out.

    Raises TooManyLinksError beyond 8 distinct targets, ValueError beyond 5 000 characters.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"text of {len(text)} characters: at most {TEXT_CHARACTERS_MAX}")
    slots: dict[str, int] = {}
    spans: list[Span] = []
    own = _without_scheme(except_under) + "/" if except_under else ""
    for found in link_grammar.search(text):
        url = text[found.start : found.end]
        if found.doubt is not None or (own and (_without_scheme(url) + "/").startswith(own)):
            continue
        try:
            target = normalise_target(url)
        except InvalidTargetError:
            continue
        slot = slots.setdefault(target, len(slots))
        if slot >= SLOTS:
            raise TooManyLinksError(f"more than {SLOTS} different links in one message")
        spans.append(Span(found.start, found.end, slot, target))
    return spans


class LeftAlone(msgspec.Struct, frozen=True):
    """What begins like a link and stays text, and why.

    `link_ambiguous`: there is a scheme within it. `link_host_unclear`: nothing says where its host
    ends. `link_target_invalid`: nothing could lead there.
    """

    code: str
    text: str


def links_left_alone(text: str) -> list[LeftAlone]:
    """What find_links() passes over in `text`, apart from links of our own."""
    left: list[LeftAlone] = []
    for found in link_grammar.search(text[:TEXT_CHARACTERS_MAX]):
        url = text[found.start : found.end]
        code = None if found.doubt is None else found.doubt.value
        if code is None:
            try:
                normalise_target(url)
            except InvalidTargetError:
                code = "link_target_invalid"
        if code is not None:
            left.append(LeftAlone(code, url))
    return left


def targets_of(spans: Sequence[Span]) -> list[str]:
    """The target of each slot, in slot order."""
    by_slot = {span.slot: span.target for span in spans}
    return [by_slot[slot] for slot in range(len(by_slot))]


def rewrite(text: str, spans: Sequence[Span], urls: Sequence[str]) -> str:
    """`text` with each span replaced by the URL of its slot."""
    pieces: list[str] = []
    end = 0
    for span in spans:
        pieces.append(text[end : span.start])
        pieces.append(urls[span.slot])
        end = span.end
    pieces.append(text[end:])
    return "".join(pieces)


def short_urls(base_url: str, codes: Sequence[str]) -> list[str]:
    """The short URL of each code. `base_url` as `parse_base_url` returns it."""
    return [f"{base_url}/{code}" for code in codes]


def with_placeholders(text: str, spans: Sequence[Span], base_url: str) -> str:
    """The text as long as it will be with its codes, in the same GSM 03.38 or UCS-2 units."""
    return rewrite(text, spans, short_urls(base_url, [PLACEHOLDER_CODE] * len(targets_of(spans))))


def with_place(
    text: str,
    targets: Sequence[str],
    slots: Sequence[int],
    base_url: str,
    place: str,
    target: str,
) -> tuple[str, tuple[str, ...], tuple[int, ...]]:
    """(text, targets, slots) with a placeholder for each `place` of a text that has some.

    `text` holds a placeholder for each of `slots` and no other. Raises TooManyLinksError when all
    slots are taken.
    """
    targets = tuple(targets) if target in targets else (*targets, target)
    if len(targets) > SLOTS:
        raise TooManyLinksError(f"more than {SLOTS} different links in one message")
    own = targets.index(target)
    placeholder = short_urls(base_url, [PLACEHOLDER_CODE])[0]
    given = iter(slots)
    pieces = text.split(place)
    numbered = [next(given) for _ in range(pieces[0].count(placeholder))]
    for piece in pieces[1:]:
        numbered.append(own)
        numbered += [next(given) for _ in range(piece.count(placeholder))]
    return placeholder.join(pieces), targets, tuple(numbered)


def fill_placeholders(text: str, base_url: str, urls: Sequence[str]) -> str:
    """`text` with the URLs, in order, where with_placeholders() left room for them.

    Raises ValueError when the text does not hold exactly this many placeholders.
    """
    pieces = text.split(short_urls(base_url, [PLACEHOLDER_CODE])[0])
    if len(pieces) != len(urls) + 1:
        raise ValueError(f"{len(pieces) - 1} placeholders for {len(urls)} links")
    filled = [pieces[0]]
    for url, piece in zip(urls, pieces[1:], strict=True):
        filled += (url, piece)
    return "".join(filled)


def parse_base_url(base_url: str) -> str:
    """The base of short URLs without its last slash: "http://127.0.0.1:8081", or bare "s.example".

    A telephone makes a link of a bare domain too, and that saves eight characters. Raises
    InvalidTargetError.
    """
    base = base_url.rstrip("/")
    url = base if "://" in base else f"https://{base}"
    if normalise_target(url) != url + "/":
        raise InvalidTargetError(
            "base URL: expected scheme, host and port only, in lower-case ASCII"
        )
    return base


def domain_of(base_url: str) -> str:
    """Host and port of a base of short URLs, as `parse_base_url` returns it."""
    return base_url.rpartition("://")[2]


def normalise_target(url: str) -> str:
    """`url` as it goes into a Location header: punycode host, percent-encoded path, printable.

    Raises InvalidTargetError for what is not http or https, has no host, user information, an
    impossible port, or control or space characters. Also above 2 048 characters.
    """
    if len(url) > TARGET_CHARACTERS_MAX:
        raise InvalidTargetError(f"link target: more than {TARGET_CHARACTERS_MAX} characters")
    if any(character <= " " or character in _UNSAFE for character in url):
        raise InvalidTargetError("link target: space, control or backslash character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:  # unbalanced brackets, port out of range
        raise InvalidTargetError(f"link target: {error}") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidTargetError("link target: neither http nor https")
    if "@" in parts.netloc:
        # https://bank.example@evil.example/ deceives a reader, and would put a password in a
        # message.
        raise InvalidTargetError("link target: user information is not allowed")
    host = _ascii_host(parts.hostname or "")
    target = f"{parts.scheme}://{host}{'' if port is None else f':{port}'}"
    target += quote(parts.path or "/", safe=_KEPT)
    if parts.query:
        target += "?" + quote(parts.query, safe=_KEPT)
    if parts.fragment:
        target += "#" + quote(parts.fragment, safe=_KEPT)
    if len(target) > TARGET_CHARACTERS_MAX:
        raise InvalidTargetError(f"link target: more than {TARGET_CHARACTERS_MAX} characters")
    return target


def is_location(target: str) -> bool:
    """Whether `target` may stand in a Location header as it is. What was normalised may."""
    return len(target) <= TARGET_CHARACTERS_MAX and _LOCATION.fullmatch(target) is not None


_UNSAFE = '\x7f\\<>"'
_KEPT = "/?:@!$&'()*+,;=-._~%[]|"
_LOCATION = re.compile(r"https?://[!-;=?-\[\]-~]+")


def _without_scheme(url: str) -> str:
    return url.lower().rpartition("://")[2].rstrip("/")


def _ascii_host(host: str) -> str:
    """`host` in lower case, each non-ASCII label as its A-label (UTS 46, RFC 5891).

    Raises InvalidTargetError.
    """
    mapped = host.lower()
    try:
        if not mapped.isascii():
            mapped = idna.uts46_remap(mapped)
        mapped = mapped.removesuffix(".")
        labels = [
            label if label.isascii() else idna.alabel(label).decode("ascii")
            for label in mapped.split(".")
        ]
    except (idna.IDNAError, UnicodeError):
        raise InvalidTargetError("link target: no valid host name") from None
    if len(".".join(labels)) > HOST_CHARACTERS_MAX or not all(map(_HOST_LABEL.fullmatch, labels)):
        raise InvalidTargetError("link target: no valid host name")
    return ".".join(labels)


_HOST_LABEL = re.compile(rf"[a-z0-9_](?:[a-z0-9_-]{{0,{LABEL_CHARACTERS_MAX - 2}}}[a-z0-9_])?")
