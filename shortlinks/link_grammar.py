"""Where a link begins and ends in running text.

Owns the grammar: which characters continue a link, and when what follows a host is text. Must not
decide which targets are allowed. Pure. A host is never cut: it is taken whole, or stays text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum

import msgspec


class Doubt(Enum):
    """Why what begins like a link stays text."""

    HOST = "link_host_unclear"  # nothing says where the host ends and words begin
    # A scheme within: two links in one, or one written twice. Or a path or value that begins in a
    # script without spaces: nothing says whether it belongs to the link.
    AMBIGUOUS = "link_ambiguous"


class Found(msgspec.Struct, frozen=True, gc=False):
    """text[start:end]: a link; or, with `doubt`, what only begins like one."""

    start: int
    end: int
    doubt: Doubt | None = None


def search(text: str) -> Iterator[Found]:
    """What begins with http:// or https:// in `text`, in order, without overlap."""
    start = _SCHEME.search(text)
    while start is not None:
        found = _at(text, start.start(), start.end())
        yield found
        start = _SCHEME.search(text, found.end)


def _at(text: str, start: int, at: int) -> Found:
    if _NESTED.match(text, at):
        return Found(start, _word_end(text, at), Doubt.AMBIGUOUS)
    run = _host_run(text, at)
    if not run:  # an IPv6 address, a sign
        return Found(start, _word_end(text, at), Doubt.HOST)
    port = _PORT.match(text, at + len(run))
    after = at + len(run) if port is None else port.end()
    length = _host_length(run, port is not None or text[after : after + 1] in _CLOSING)
    if length is None or _reads_on(text, after, port is not None):
        # The next link may follow this one's words without a space.
        return Found(start, max(after, at + len(run)), Doubt.HOST)
    if length < len(run):
        return Found(start, at + length)
    tail = _TAIL.match(text, after)
    if tail is None:
        return Found(start, after)
    if _BEGUN.match(text, tail.end() - 1):
        return Found(start, tail.end(), Doubt.AMBIGUOUS)  # a path in its own script, or words?
    end = _trimmed_end(text, after, tail.end())
    if _GLUED.search(text, after, end):
        return Found(start, tail.end(), Doubt.AMBIGUOUS)
    return Found(start, end)


def _host_run(text: str, at: int) -> str:
    """All that might be a host, up to a space or a sign, without a scheme that follows it."""
    run = _RUN.match(text, at)
    assert run is not None  # it matches nothing, too
    found = run[0]
    if text.startswith("://", run.end()):
        found = _SCHEME_BEHIND.sub("", found)
    elif _CLOSED.match(text, run.end()):
        return found
    return found.rstrip(".-")


def _host_length(run: str, closed: bool) -> int | None:
    """How much of a run is the host; None if nobody can say.

    `closed`: a path or a port follows, so all of it has to be.
    """
    if closed:
        labels = run.removesuffix(".").split(".")
        if not _ONE_KIND.fullmatch(labels[-1]):
            return None  # "shop.example查看/a": words with a slash between, or a name
        if _UNSPACED_FIRST.match(labels[-1]) and labels[-1] not in _TOP_LEVELS:
            # "shop.example.查看/a" is a sentence, "例子.某某/a" is not.
            return None if len(labels) == 1 or not _UNSPACED_FIRST.match(labels[-2]) else len(run)
        return len(run)
    host = _HOST.match(run)
    if host is None:
        return None
    rest = run[host.end() :]
    if not rest:
        return host.end() if "." in run or not _UNSPACED_FIRST.match(run) else None
    if "." not in host[0] or _SPACED_FIRST.match(rest) or "." in rest.removeprefix("."):
        return None
    last_two = host[0].rsplit(".", 2)[-2:]
    if rest.startswith("."):
        # "shop.example.查看": a sentence's dot. "shop.example.手机优惠", "例子.某某": who knows.
        unclear = _UNSPACED_FIRST.match(last_two[-1]) or _NAMES_TOP_LEVEL.match(rest)
        return None if unclear or _SPACED_FIRST.match(rest[1:].lstrip("-")) else host.end()
    # "例子.中国点击" is a name and words, "shop.example.手机优惠" may be a sentence.
    spaced_before = _UNSPACED_FIRST.match(last_two[-1]) and not _UNSPACED_FIRST.match(last_two[0])
    return None if spaced_before else host.end()


def _reads_on(text: str, at: int, port: bool) -> bool:
    """Whether what stands behind a host or port would belong to it by other rules than ours."""
    if text[at : at + 1] in _NO_HOST_END:
        return True
    # A port of six digits or with letters is none.
    return (port and _SPACED_FIRST.match(text, at) is not None) or _USER.match(text, at) is not None


def _word_end(text: str, at: int) -> int:
    word = _WORD.match(text, at)
    assert word is not None
    return max(word.end(), at)


def _trimmed_end(text: str, start: int, end: int) -> int:
    """The end without the punctuation of the sentence around a link."""
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
    return end


def _ranges(characters: list[int]) -> str:
    """The inside of a character class."""
    pieces: list[str] = []
    for code in characters:
        if pieces and ord(pieces[-1][-1]) == code - 1:
            pieces[-1] = pieces[-1][0] + "-" + chr(code)
        else:
            pieces.append(chr(code))
    return "".join(pieces)


_SCHEME = re.compile(r"(?<![A-Za-z])https?://", re.IGNORECASE)
_SCHEME_BEHIND = re.compile(r"https?$", re.IGNORECASE)
_NESTED = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
# A scheme in a path or query is another address only where one may begin.
_GLUED = re.compile(r"(?<![/=?&#:])https?://", re.IGNORECASE)
_WORD = re.compile(r"[!-~]*")
_PORT = re.compile(r":[0-9]+")
_USER = re.compile(r"[^\s/?#]*@")
_CLOSED = re.compile(r"[/?#]|:[0-9]")
_CLOSING = ("/", "?", "#")
_NO_HOST_END = ("%", "\\")

# Marks and joiners continue what they stand in. U+0300 to U+0DFF are scripts written with spaces.
_MARKS = (
    _ranges([code for code in range(0x300, 0xE00) if unicodedata.category(chr(code))[0] == "M"])
    + "\u135d-\u135f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\u200c\u200d"
)
# Scripts written without spaces would swallow the words behind a link: Thai to Burmese, Khmer,
# Chinese, Japanese, Korean. Signs and full-width letters end one, too.
_NOT_SPACED = (
    "\u0e00-\u109f\u1100-\u11ff\u1780-\u17ff\u1900-\u1aaf\u2000-\u2bff\u2e80-\ua4cf\ua960-\ua97f"
    "\uaa60-\uaadf\uac00-\uffff\U00010000-\U0010ffff"
)
_LETTER = rf"[^\W{_NOT_SPACED}]"
_SPACED = rf"(?:{_LETTER}|[{_MARKS}])"
_UNSPACED = (
    r"[\u0e00-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u3400-\u9fff"
    r"\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)
# A label of a host is of one kind: "shop查看" is a label, then text. Digits go with both.
_SPACED_LABEL = rf"{_LETTER}(?:{_SPACED}|-)*+"
_LABEL = rf"(?:{_SPACED_LABEL}|{_UNSPACED}(?:{_UNSPACED}|[0-9\u200c\u200d-])*+)"
# Top-level domains in such scripts are known by name: text follows "例子.中国" directly.
# What follows "example.com." is text too.
_TOP_LEVEL_NAMES = (
    "中文网|我爱你|新加坡|组织机构|中国|中國|公司|网络|網絡|网址|网站|在线|香港|"
    "台湾|台灣|澳門|澳门|商城|商标|商店|集团|政务|政府|公益|移动|手机|信息|机构|"
    "时尚|游戏|娱乐|广东|佛山|餐厅|购物|书籍|健康|招聘|慈善|企业|点看|八卦|世界|"
    "网店|新闻|食品|工行|大拿|大众汽车|淡马锡|家電|嘉里|嘉里大酒店|微博|谷歌|联通|"
    "诺基亚|飞利浦|珠宝|手表|电讯盈科|亚马逊|通販|天主教|香格里拉|みんな|コム|"
    "セール|ストア|クラウド|ファッション|グーグル|ポイント|アマゾン|한국|닷컴|닷넷|"
    "삼성|ไทย|คอม|ລາວ"
)
_TOP_LEVELS = frozenset(_TOP_LEVEL_NAMES.split("|"))
_TOP_LEVEL = "|".join(sorted(_TOP_LEVELS, key=len, reverse=True))
# Atomic, like the labels: a hostile text costs one pass, not one for each place to give up at.
_HOST = re.compile(rf"(?>(?:{_LABEL}\.)+(?:{_TOP_LEVEL}|{_SPACED_LABEL})|{_LABEL})")
_ONE_KIND = re.compile(_LABEL)
_SPACED_FIRST = re.compile(_SPACED)
_UNSPACED_FIRST = re.compile(_UNSPACED)
_NAMES_TOP_LEVEL = re.compile(rf"\.(?:{_TOP_LEVEL})")
# What a host may be made of by anybody's rules: all but spaces and the signs of sentences.
_RUN = re.compile(
    "[^\\s\x00-,/:-@\\[-^`{-\xa0\xa1\xab\xbb\xbf\u2010-\u2027\u2030-\u205e\u3001-\u3003\u3008-\u3020\u3030"
    "\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]*"
)
_TAIL = re.compile(rf"[/?#](?:{_SPACED}|[-._~:/?#\[\]@!$&'()*+,;=%|{{}}^`])*")
# A segment or a value that has only begun, and then what ends a link.
_BEGUN = re.compile(rf"[/=](?:{_UNSPACED}|[\U0001f000-\U0001faff\u2600-\u27bf])")
_TRAILING = ".,;:!?'*|^`"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
