"""The text of a receipt, taken apart into its fields.

Owns the text format of SMPP 3.4 appendix B with its many dialects (E25 to E27, E95). Must not know
what a value means, nor how octets become text. Pure. No text makes this module raise.

It finds which word is the value of which field. A key may be missing while its value stands there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

CHARACTERS_MAX: Final = 4_096  # a longer text is cut before it is read
ID_CHARACTERS_MAX: Final = 65  # SMPP 3.4, 5.2.23
STATE_CHARACTERS_MAX: Final = 32
ERROR_CHARACTERS_MAX: Final = 32

# A key stands at the start or behind a separator: the ID of `stat:ID:0076` is a value's.
_KEY = re.compile(
    r"(?:\A|(?<=[\s,;|&]))(?:"
    r"(?P<id>(?:(?:message|msg|sms)[ _]?)?id)|(?P<sub>sub)|(?P<dlvrd>dlvrd)"
    r"|(?P<submit_date>submit[ _]?date)|(?P<done_date>done[ _]?date)"
    r"|(?P<stat>stat(?:us|e)?)|(?P<err>err(?:or)?(?:[ _]?code)?)|(?P<text>text)"
    r") ?[:=]",
    re.IGNORECASE,
)
# Appendix B to the letter, as most receipts are: read in one step. All others take the tolerant
# way, which gives the same answer for these.
_PLAIN = re.compile(
    r"id:([^\s,;|&\"']{1,65}) sub:[0-9]* dlvrd:([0-9]{0,9}) submit date:[0-9]*"
    r" done date:([0-9]*) stat:([A-Z]{1,32}) err:([0-9A-Za-z]{0,32})(?: [Tt]ext:|\Z)"
)
# A carrier's code that looks like a key once a blank stands before it: `stat: ID:0076`.
_CODE_LIKE_KEY = re.compile(r"ID:[0-9]{4}(?![0-9A-Za-z-])")
_SEPARATORS = " ,;|&\"'"
_ZEROS: Final = frozenset("0" * count for count in range(1, 10))  # `dlvrd:000`
# A date may be two words, and a zone a third one.
_DATE_WORD = re.compile(r"[0-9][0-9:./T+-]*Z?|[+-][0-9]{2}:?[0-9]{2}|UTC|GMT", re.IGNORECASE)
_DATE_WORDS_MAX = 3
_TIME_WORD = re.compile(
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?[^ ]*|[+-][0-9:]+|Z|UTC|GMT", re.IGNORECASE
)
_VENDOR_STATE = re.compile(r"[A-Z][A-Z0-9_:.-]{3,31}")
_BARE_ERROR = re.compile(r"[0-9]{1,4}|[A-Z]{1,3}:?[0-9]{2,5}")

FIELDS_BEFORE_TEXT_MIN: Final = 2  # with fewer, the receipt is behind `text:`

_FIELDS: Final = ("id", "sub", "dlvrd", "submit_date", "done_date", "stat", "err")
_NOTHING: Final[Sequence[str]] = ()


class ReceiptWords(msgspec.Struct, frozen=True, gc=False):
    """What a text says. A field that is not there is empty; `state` is None.

    `bare_id`: the id has no key, so only a text that certainly is a receipt may be read so. The
    same holds for the state with `bare_state`. `none_delivered`: `dlvrd:000`. `fields`: how many of
    the format's seven keys there are.
    """

    identifier: str
    done_date: str
    state: str | None
    error: str
    none_delivered: bool
    bare_id: bool = False
    bare_state: bool = False
    fields: int = len(_FIELDS)


def receipt_words(text: str, is_state: Callable[[str], bool]) -> ReceiptWords:
    """Read `text`, one line without control characters. `is_state` knows the words for states."""
    plain = _PLAIN.match(text)
    if plain is not None:
        identifier, delivered, done_date, state, error = plain.groups()
        return ReceiptWords(identifier, done_date, state, error, delivered in _ZEROS)
    lead, fields = _fields(text[:CHARACTERS_MAX])
    return _Reading(lead, fields, is_state).words()


def _fields(text: str) -> tuple[str, Mapping[str, str]]:
    """(what stands before the first key, field name -> what stands between its key and the next).

    Keys may come in any order. `text:` holds the customer's own words, which may look like fields.
    So fields are read before it, and the first of a name counts. If `text:` comes first, or nearly,
    they are read from behind it. There the last one of a name is the carrier's.
    """
    keys = _keys(text)
    if not keys:
        return text, {}
    head = next((index for index, key in enumerate(keys) if key.lastgroup == "text"), len(keys))
    ends = [*(key.start() for key in keys[1:]), len(text)]
    values = [
        (key.lastgroup or "", text[key.end() : end]) for key, end in zip(keys, ends, strict=True)
    ]
    fields: dict[str, str] = {}
    for name, value in values[:head]:
        fields.setdefault(name, value)
    if len(fields) < FIELDS_BEFORE_TEXT_MIN and not {"id", "stat"} & fields.keys():
        fields.update(values[head:])
    return text[: keys[0].start()], fields


def _keys(text: str) -> list[re.Match[str]]:
    """The keys, without those that begin a value: `stat: ID:0076`."""
    keys: list[re.Match[str]] = []
    for key in _KEY.finditer(text):
        before = keys[-1] if keys else None
        if (
            before is not None
            and before.lastgroup in ("stat", "err")
            and not text[before.end() : key.start()].strip()
            and _CODE_LIKE_KEY.match(text, key.start())
        ):
            continue
        keys.append(key)
    return keys


class _Reading:
    """The tolerant way through one text. Each field gets its word.

    A word left over may be the value of a missing key.
    """

    def __init__(
        self, lead: str, fields: Mapping[str, str], is_state: Callable[[str], bool]
    ) -> None:
        self._lead = _split(lead)
        self._is_state = is_state
        self._words = {name: _split(value) for name, value in fields.items() if name != "text"}
        self._dates = {name: _date_words(self._words.get(name, _NOTHING)) for name in _DATES}

    def words(self) -> ReceiptWords:
        identifier, bare = self._identifier()
        state = self._state()
        return ReceiptWords(
            identifier[:ID_CHARACTERS_MAX],
            " ".join(self._dates["done_date"]),
            None if state is None else state[:STATE_CHARACTERS_MAX],
            self._error()[:ERROR_CHARACTERS_MAX],
            self._first("dlvrd") in _ZEROS,
            bare,
            bool(state) and not self._words.get("stat"),
            sum(name in self._words for name in _FIELDS),
        )

    def _first(self, name: str) -> str:
        words = self._words.get(name, _NOTHING)
        return words[0] if words else ""

    def _identifier(self) -> tuple[str, bool]:
        """(id, whether it stands without its key, in front of all others)."""
        identifier = self._first("id")
        if identifier or not self._words or not self._lead:
            return identifier, False
        digits = [word for word in self._lead if any(map(str.isdigit, word))]
        return (digits or self._lead)[-1], True

    def _state(self) -> str | None:
        if self._words.get("stat"):
            return self._words["stat"][0].rstrip(".") or self._words["stat"][0]
        if len(self._words) > 1:  # one key alone makes no receipt of a text
            left = self._left_over()
            known = next((word for word in left if self._is_state(word)), None)
            if known is not None:
                return known
            behind_date = self._behind_date("done_date")[:1]
            if behind_date and _VENDOR_STATE.fullmatch(behind_date[0]):
                return behind_date[0]
        return "" if "stat" in self._words else None

    def _left_over(self) -> list[str]:
        """Words that are no value of the key before them.

        Behind `err:` the customer's own words may follow, so only the next word counts there.
        """
        left = list(self._lead)
        for name, words in self._words.items():
            if name in _DATES:
                left += self._behind_date(name)
            else:
                left += words[1:2] if name == "err" else words[1:]
        return left

    def _behind_date(self, name: str) -> Sequence[str]:
        return self._words.get(name, _NOTHING)[len(self._dates[name]) :]

    def _error(self) -> str:
        if "err" in self._words:
            return self._first("err")
        behind = self._words.get("stat", _NOTHING)[1:2]
        return behind[0] if behind and _BARE_ERROR.fullmatch(behind[0]) else ""


_DATES: Final = ("submit_date", "done_date")


def _split(value: str) -> Sequence[str]:
    return [bare for word in value.split() if (bare := word.strip(_SEPARATORS))]


def _date_words(words: Sequence[str]) -> Sequence[str]:
    """How many words at the beginning are one date."""
    count = 0
    for word in words[:_DATE_WORDS_MAX]:
        if not (_DATE_WORD if count == 0 else _TIME_WORD).fullmatch(word):
            break
        count += 1
    return words[:count]
