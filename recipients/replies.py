"""What kind of reply is this?

Owns the classes, which of them wins, and how an account's own words, requests for help and ratings
are read. What opts out or in is keywords.py's. As there the whole message must be made of such
words. Pure. Must not know who texted, nor what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from types import MappingProxyType
from typing import TypeVar

import msgspec

from recipients.keywords import (
    OPT_IN_WORDS,
    OPT_OUT_WORDS,
    Keyword,
    KeywordSets,
    folded,
    heard,
    words_of,
)
from recipients.letters import atoms

HELP_WORDS = ("HELP", "AIDE", "AYUDA", "HILFE", "AJUDA", "帮助", "幫助")
RATING_MAX = 5  # as an account has it that says nothing
RATING_LIMIT = 10
RATING_HOURS = 72  # a number that comes later answers something else
_NUMERALS = "一二三四五六七八九十"
_UNITS = ("", "分", "星", "颗星", "顆星", "star", "stars", "point", "points")
_KEYCAP = re.compile("([0-9])\ufe0f?\u20e3")

_Meaning = TypeVar("_Meaning")


class ReplyClass(Enum):
    """The first that fits. The value is stored and shown."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    KEYWORD = "keyword"
    RATING = "rating"
    OTHER = "other"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """What a message says. `name`: the account's, of a KEYWORD. `categories`: those that words of
    an OPT_OUT name; `usual`: it has other words, too, that mean what the account says.
    """

    kind: ReplyClass
    name: str | None = None
    rating: int | None = None
    categories: tuple[int, ...] = ()
    usual: bool = True


OTHER = Reply(ReplyClass.OTHER)


class ReplyWords(msgspec.Struct, frozen=True):
    """What one account listens for; all words are folded. `rated`: the same words with those of a
    rating, for what answers a message.
    """

    sets: KeywordSets
    rated: KeywordSets
    help: frozenset[str]
    names: Mapping[str, str]
    ratings: Mapping[str, int]
    categories: Mapping[str, int]

    @classmethod
    def of(
        cls,
        opt_out: Iterable[str] = OPT_OUT_WORDS,
        opt_in: Iterable[str] = OPT_IN_WORDS,
        *,
        help_words: Iterable[str] = HELP_WORDS,
        names: Mapping[str, str] = MappingProxyType({}),
        rating_max: int = RATING_MAX,
        categories: Mapping[str, int] = MappingProxyType({}),
    ) -> ReplyWords:
        """`names`: words of the account and what it calls them. `categories`: words that opt out of
        one category (-1: of every one). Raises ValueError, one line, for a word that says nothing,
        or two things.
        """
        sets = KeywordSets.of((*opt_out, *categories), opt_in)
        asks = words_of(help_words)
        named = _each(names)
        for word, what in ((word, "asks for help") for word in sorted(asks)):
            _only_once(word, what, sets)
        for word in sorted(named):
            _only_once(word, f"is {named[word]!r}", sets)
            if word in asks:
                raise ValueError(f"{word!r} is {named[word]!r} and asks for help")
        others = asks | named.keys()
        ratings = dict(_rating_words(rating_max))
        return cls(
            msgspec.structs.replace(sets, others=others),
            msgspec.structs.replace(sets, others=others | ratings.keys()),
            asks,
            named,
            ratings,
            _each(categories),
        )


def _each(meanings: Mapping[str, _Meaning]) -> dict[str, _Meaning]:
    each: dict[str, _Meaning] = {}
    for word, meaning in meanings.items():
        if each.setdefault(folded(word), meaning) != meaning:
            raise ValueError(f"{word!r} is given two meanings")
    return each


def _only_once(word: str, what: str, sets: KeywordSets) -> None:
    if word in sets.opt_out:
        raise ValueError(f"{word!r} {what} and opts out")
    if word in sets.opt_in:
        raise ValueError(f"{word!r} {what} and opts in")


def _rating_words(rating_max: int) -> Iterator[tuple[str, int]]:
    for rating in range(1, rating_max + 1):
        for unit in _UNITS:
            yield f"{rating}{unit}", rating
            yield f"{_NUMERALS[rating - 1]}{unit}", rating


def read(text: str, words: ReplyWords, *, answers: bool) -> Reply:
    """The class of a whole message. `answers`: it answers a message of the last RATING_HOURS; only
    then a number is a rating.
    """
    if answers:
        text = _KEYCAP.sub(r" \1 ", text)
    said = heard(text, words.rated if answers else words.sets)
    if said.keyword is Keyword.OPT_OUT:
        return _opt_out(text, words)
    if said.keyword is Keyword.OPT_IN:
        return Reply(ReplyClass.OPT_IN)
    if not said.others:
        return OTHER
    found = list(_found(text, words.rated.others))
    if any(word in words.help for word in found):
        return Reply(ReplyClass.HELP)
    name = next((words.names[word] for word in found if word in words.names), None)
    if name is not None:
        return Reply(ReplyClass.KEYWORD, name)
    ratings = {words.ratings[word] for word in found if word in words.ratings}
    # Who writes two numbers has not said which.
    return Reply(ReplyClass.RATING, rating=ratings.pop()) if len(ratings) == 1 else OTHER


def _opt_out(text: str, words: ReplyWords) -> Reply:
    found = list(_found(text, words.sets.opt_out))
    named = {words.categories[word] for word in found if word in words.categories}
    usual = any(word not in words.categories for word in found)
    return Reply(ReplyClass.OPT_OUT, categories=tuple(sorted(named)), usual=usual or not named)


def _found(text: str, words: frozenset[str]) -> Iterator[str]:
    """The words in the order of the text, the longest at each place."""
    pieces = atoms(text)
    longest = max(map(len, words), default=0)
    first = 0
    while first < len(pieces):
        for end in range(min(len(pieces), first + longest), first, -1):
            word = "".join(pieces[first:end])
            if word in words:
                yield word
                first = end
                break
        else:
            first += 1
