"""Finding links in a message and putting short ones in their place.

Owns what counts as a link in running text, which targets are allowed, and the exact length that a
short link will have. Pure. Must not know codes: a text is first rewritten with placeholders of the
same length, so that encoding and parts are counted before a code exists (every code character is
one GSM 03.38 septet, like the placeholder's).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

import msgspec

from shortlinks.code import ALPHABET, CODE_LENGTH, SLOTS

TARGET_CHARACTERS_MAX = 2048
TEXT_CHARACTERS_MAX = 5_000  # ten parts hold 1 530; keeps the search of a hostile text short
HOST_CHARACTERS_MAX = 253  # RFC 1035
LABEL_CHARACTERS_MAX = 63
PORT_MAX = 65_535

PLACEHOLDER_CODE = ALPHABET[0] * CODE_LENGTH


class Span(msgspec.Struct, frozen=True, gc=False):
    """One link in a text: text[start:end]. Links with the same target share a slot (0..7)."""

    start: int
    end: int
    slot: int
    target: str  # normalised: ASCII, safe as a Location header


class TooManyLinksError(ValueError):
    """The text has more distinct links than a message has slots. The sender must act."""


class InvalidTargetError(ValueError):
    """The URL cannot be the target of a short link; the message says why. The sender must act."""


def find_links(text: str, *, except_under: str = "") -> list[Span]:
    """The http(s) links of `text` in order of appearance.

    What follows a link without a space is told apart by script: Chinese, Japanese, Thai or
    full-width characters end it, as does trailing punctuation. Host names may be internationalised.
    What looks like a link but cannot be a target (user information, no host) stays text. Links
    under `except_under` (our own short ones) are left out.

    Raises TooManyLinksError beyond 8 distinct targets, ValueError beyond 5 000 characters.
    """
    if len(text) > TEXT_CHARACTERS_MAX:
        raise ValueError(f"text of {len(text)} characters: at most {TEXT_CHARACTERS_MAX}")
    slots: dict[str, int] = {}
    spans: list[Span] = []
    own = _without_scheme(except_under) + "/" if except_under else ""
    for match in _LINK.finditer(text):
        url = _trimmed(match)
        if own and (_without_scheme(url) + "/").startswith(own):
            continue
        try:
            target = normalise_target(url)
        except InvalidTargetError:
            continue
        slot = slots.setdefault(target, len(slots))
        if slot >= SLOTS:
            raise TooManyLinksError(f"more than {SLOTS} different links in one message")
        spans.append(Span(match.start(), match.start() + len(url), slot, target))
    return spans


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
    """The short URL of each code; `base_url` as `parse_base_url` returned it."""
    return [f"{base_url}/{code}" for code in codes]


def with_placeholders(text: str, spans: Sequence[Span], base_url: str) -> str:
    """The text as long, and in the same GSM 03.38 or UCS-2 units, as it will be with its codes."""
    return rewrite(text, spans, short_urls(base_url, [PLACEHOLDER_CODE] * len(targets_of(spans))))


def fill_placeholders(text: str, base_url: str, urls: Sequence[str]) -> str:
    """`text` with the URLs, in order, where with_placeholders left room for them.

    Raises ValueError when the text does not hold exactly so many placeholders.
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

    A telephone makes a link of a bare domain too, and eight characters are saved. Raises
    InvalidTargetError.
    """
    base = base_url.rstrip("/")
    url = base if "://" in base else f"https://{base}"
    if normalise_target(url) != url + "/":
        raise InvalidTargetError(
            "base URL: expected scheme, host and port only, in lower-case ASCII"
        )
    return base


def normalise_target(url: str) -> str:
    """`url` as it goes into a Location header: punycode host, percent-encoded path, printable.

    Raises InvalidTargetError unless it is http or https, names a host without user information,
    has a possible port, no control or space characters, and at most 2 048 characters.
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
        # https://bank.example@evil.example/ is how a reader is deceived, and it would put a
        # password in a message.
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
    """Whether `target` may stand in a Location header as it is, as all that was normalised may."""
    return len(target) <= TARGET_CHARACTERS_MAX and _LOCATION.fullmatch(target) is not None


# Scripts that are written without spaces would swallow the words behind a link: only word
# characters below the Thai block (Latin, Greek, Cyrillic, Hebrew, Arabic, Indic) continue one.
_SPACED = r"[^\W\u0e00-\U0010ffff]"
_UNSPACED = r"[\u0e00-\u0eff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
# A label of a host is of one kind: "shop查看" is a label, then text. Digits go with both.
_SPACED_LABEL = rf"{_SPACED}(?:{_SPACED}|-)*+"
_LABEL = rf"(?:{_SPACED_LABEL}|{_UNSPACED}(?:{_UNSPACED}|[0-9-])*+)"
# Top-level domains in such scripts are known by name: text follows "例子.中国" with no mark
# between, and what follows "example.com." is text too.
_UNSPACED_TOP_LEVEL = (
    "中文网|我爱你|新加坡|组织机构|中国|中國|公司|网络|網絡|网址|网站|在线|香港|台湾|台灣|"
    "澳門|商城|商标|商店|集团|政务|公益|移动|手机|信息|机构|时尚|游戏|娱乐|广东|佛山|餐厅|"
    "购物|书籍|健康|招聘|慈善|企业|点看|八卦|世界|网店|"
    "みんな|コム|セール|ストア|クラウド|ファッション|グーグル|ポイント|한국|닷컴|닷넷|삼성|ไทย|คอม|ລາວ"
)
# Atomic, like the labels: a hostile text costs one pass, not one for each place to give up at.
_HOST = rf"(?>(?:{_LABEL}\.)+(?:{_UNSPACED_TOP_LEVEL}|{_SPACED_LABEL})|{_LABEL})"
_TAIL = rf"(?:{_SPACED}|[-._~:/?#\[\]@!$&'()*+,;=%|{{}}^`])*"
_LINK = re.compile(
    rf"(?<![A-Za-z])(?i:https?)://(?P<host>{_HOST})(?P<port>:[0-9]{{1,5}})?+(?![^\s/?#]*@)"
    rf"(?P<tail>[/?#]{_TAIL})?"
)
_TRAILING = ".,;:!?'*|^`"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_UNSAFE = '\x7f\\<>"'
_KEPT = "/?:@!$&'()*+,;=-._~%[]|"
_LOCATION = re.compile(r"https?://[!-;=?-\[\]-~]+")


def _trimmed(match: re.Match[str]) -> str:
    """The matched link without the punctuation that belongs to the sentence around it."""
    text, start, end = match.string, match.end(), match.end()
    if match["tail"]:
        start = match.start("tail")
    tail = text[start:end]
    unopened = {
        close: tail.count(close) - tail.count(opening) for close, opening in _BRACKETS.items()
    }
    while end > start:
        last = text[end - 1]
        if last not in _TRAILING and unopened.get(last, 0) <= 0:
            break
        if last in unopened:
            unopened[last] -= 1
        end -= 1
    return text[match.start() : end]


def _without_scheme(url: str) -> str:
    return url.lower().rpartition("://")[2].rstrip("/")


def _ascii_host(host: str) -> str:
    """`host` in lower case, each non-ASCII label as punycode (RFC 5891), or InvalidTargetError."""
    mapped = unicodedata.normalize("NFKC", host).lower().replace("。", ".").removesuffix(".")
    if any(
        unicodedata.category(character)[0] not in "LMN"
        for character in mapped
        if character not in _HOST_MARKS
    ):
        raise InvalidTargetError("link target: no valid host name")
    labels = mapped.split(".")
    ascii_labels = [
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in labels
    ]
    ascii_host = ".".join(ascii_labels)
    if len(ascii_host) > HOST_CHARACTERS_MAX or not all(
        _HOST_LABEL.fullmatch(label) for label in ascii_labels
    ):
        raise InvalidTargetError("link target: no valid host name")
    return ascii_host


_HOST_MARKS = "-._"
_HOST_LABEL = re.compile(rf"[a-z0-9_](?:[a-z0-9_-]{{0,{LABEL_CHARACTERS_MAX - 2}}}[a-z0-9_])?")
