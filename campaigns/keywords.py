"""Is this reply a word by which people opt out, or back in?

Owns how a reply is read and the words that come with smsgate. The whole message must be the word:
a sentence that holds it ("please don't stop") is a sentence. Must not know who texted, nor what
follows from a word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from enum import Enum

import msgspec

# The words of 47 CFR 64.1200(a)(10), those that phones' own dialogues name, and what Chinese
# carriers ask for. 退訂 is 退订 in traditional characters, which NFKC keeps apart.
OPT_OUT_WORDS = (
    "STOP", "QUIT", "END", "REVOKE", "OPT OUT", "OPTOUT", "CANCEL", "UNSUBSCRIBE", "STOPALL",
    "TD", "T", "R", "N", "退订", "退訂", "取消",
)  # fmt: skip
OPT_IN_WORDS = ("START", "UNSTOP", "SUBSCRIBE", "OPT IN", "OPTIN", "订阅", "訂閱")

# "回复TD退订" stands in the message, and people write all of it.
_REPLY_PREFIXES = ("请回复", "請回覆", "回复", "回復", "回覆", "回")
_POLITE = (
    ("thank", "you"), ("many", "thanks"), ("thanks",), ("thankyou",), ("thx",), ("please",),
    ("pls",), ("plz",), ("谢谢",), ("謝謝",), ("多谢",), ("谢了",),
)  # fmt: skip
_POLITE_ENDINGS = ("谢谢", "謝謝", "多谢", "谢了")
CHARACTERS_MAX = 60  # more is a sentence, whatever it says


class Keyword(Enum):
    """What a reply asks for; the value is stored and shown."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class KeywordSets(msgspec.Struct, frozen=True):
    """The words of one account, folded."""

    opt_out: frozenset[str]
    opt_in: frozenset[str]

    @classmethod
    def of(
        cls, opt_out: Iterable[str] = OPT_OUT_WORDS, opt_in: Iterable[str] = OPT_IN_WORDS
    ) -> KeywordSets:
        """Raises ValueError, one line, for a word that says nothing or both."""
        sets = cls(_words(opt_out), _words(opt_in))
        both = sets.opt_out & sets.opt_in
        if both:
            raise ValueError(f"{min(both)!r} opts out and in")
        return sets


def keyword_of(text: str, sets: KeywordSets) -> Keyword | None:
    """What the whole of `text` is a word for; None for every other message."""
    if len(text) > CHARACTERS_MAX:
        return None
    words = _polite_words_off(_tokens(text))
    if len(set(words)) == 1:
        words = words[:1]  # "STOP STOP"
    said = "".join(words)
    for form in (said, _without_prefix(said)):
        bare = _without_ending(form)
        if bare in sets.opt_out or _two_words(bare, sets.opt_out):
            return Keyword.OPT_OUT
        if bare in sets.opt_in:
            return Keyword.OPT_IN
    return None


def _words(words: Iterable[str]) -> frozenset[str]:
    folded: set[str] = set()
    for word in words:
        bare = "".join(_tokens(word))
        if not bare:
            raise ValueError(f"{word!r} has no letter and no digit")
        folded.add(bare)
    return frozenset(folded)


def _tokens(text: str) -> list[str]:
    """Letters and digits, folded in width and case; everything else divides."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    # An apostrophe holds a word together: "don't" is not "don" and "t".
    folded = folded.replace("'", "").replace("’", "")
    return "".join(
        character if unicodedata.category(character)[0] in "LNM" else " " for character in folded
    ).split()


def _polite_words_off(words: list[str]) -> list[str]:
    """Without thanks and please before and after it, as long as something is left."""
    shorter = True
    while shorter:
        shorter = False
        for phrase in _POLITE:
            length = len(phrase)
            if len(words) > length and tuple(words[-length:]) == phrase:
                words, shorter = words[:-length], True
            elif len(words) > length and tuple(words[:length]) == phrase:
                words, shorter = words[length:], True
    return words


def _without_prefix(said: str) -> str:
    for prefix in _REPLY_PREFIXES:
        if said.startswith(prefix) and len(said) > len(prefix):
            return said[len(prefix) :]
    return said


def _without_ending(said: str) -> str:
    for ending in _POLITE_ENDINGS:
        if said.endswith(ending) and len(said) > len(ending):
            return said[: -len(ending)]
    return said


def _two_words(said: str, words: frozenset[str]) -> bool:
    """ "TD退订": a word in Latin letters and what it means."""
    latin = 0
    while latin < len(said) and said[latin].isascii():
        latin += 1
    return 0 < latin < len(said) and said[:latin] in words and said[latin:] in words
