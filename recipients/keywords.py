"""Keywords: is this reply a word by which people opt out, or back in?

Owns how a reply is read, and the words that come with smsgate. Must not know what else an account
listens for (replies.py), who texted, nor what follows.

The whole message must consist of such words, of what people copy in front of them ("reply", 回复)
and of courtesies. A sentence that holds a word ("please don't stop") is a sentence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum, IntFlag
from types import MappingProxyType

import msgspec

from recipients.letters import atoms

# The words of 47 CFR 64.1200(a)(10), and those of phones' own dialogues. Also those that carriers
# have people write in French, Spanish, German, Portuguese and Chinese. 退訂 is 退订 in traditional
# characters. Accents need not be listed.
OPT_OUT_WORDS = (
    "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPT OUT", "OPTOUT",
    "REMOVE", "ARRET", "DESABONNER", "BAJA", "ALTO", "CANCELAR", "STOPP", "ABMELDEN", "SAIR",
    "PARAR", "TD", "T", "R", "N", "退订", "退訂", "取消", "取消订阅", "取消訂閱", "拒收",
)  # fmt: skip
OPT_IN_WORDS = ("START", "UNSTOP", "SUBSCRIBE", "OPT IN", "OPTIN", "订阅", "訂閱")

# The message says "回复TD退订", and people write all of it.
_PREFIXES = (
    "请回复", "請回覆", "請回復", "回复", "回復", "回覆", "请回", "請回", "回",
    "reply", "reply with", "text", "send", "répondre", "répondez", "envoyer", "envoyez",
    "responde", "responder", "responda", "envía", "envie", "enviar", "antworten", "antworte",
    "sende",
)  # fmt: skip
_COURTESIES = (
    "thank you", "thank you very much", "thank u", "many thanks", "thanks", "thanks a lot", "thx",
    "please", "pls", "plz", "hello", "hi", "merci", "merci beaucoup", "s'il vous plaît",
    "s'il te plaît", "svp", "stp", "bonjour", "gracias", "muchas gracias", "por favor", "hola",
    "danke", "vielen dank", "bitte", "hallo", "obrigado", "obrigada", "olá",
    "请", "請", "麻烦", "麻煩", "谢谢", "謝謝", "多谢", "多謝", "谢了", "謝了", "谢谢您", "謝謝您",
    "谢谢你", "謝謝你", "你好", "您好",
)  # fmt: skip
CHARACTERS_MAX = 1600  # signs and spaces included, with which some handsets pad a message
_END = "end"


class Keyword(Enum):
    """What a reply asks for; the value is stored and shown."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"


class _Said(IntFlag):
    """What a reply says. WEAK words opt out, but also mean something else.

    A single letter may be a signature; END may end a text. OTHER is what the account listens for.
    """

    OPT_OUT = 1
    OPT_IN = 2
    WEAK = 4
    SEVERAL_WEAK = 8
    PREFIX = 16
    COURTESY = 32
    OTHER = 64


class KeywordSets(msgspec.Struct, frozen=True):
    """The words of one account, folded. `others`: those that ask for something else."""

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    others: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, opt_out: Iterable[str] = OPT_OUT_WORDS, opt_in: Iterable[str] = OPT_IN_WORDS
    ) -> KeywordSets:
        """Raises ValueError of one line for a word that says nothing, or that says both."""
        sets = cls(words_of(opt_out), words_of(opt_in))
        both = sets.opt_out & sets.opt_in
        if both:
            raise ValueError(f"{min(both)!r} opts out and in")
        return sets


class Heard(msgspec.Struct, frozen=True):
    """What a reply asks for. `others`: it is made of words of ours, and one of KeywordSets.others
    is among them.
    """

    keyword: Keyword | None = None
    others: bool = False


def folded(word: str) -> str:
    """A word as it is compared. Raises ValueError for one that says nothing."""
    bare = "".join(atoms(word))
    if not bare:
        raise ValueError(f"{word!r} has no letter and no digit")
    return bare


def words_of(words: Iterable[str]) -> frozenset[str]:
    """Folded. Raises ValueError as `folded` does."""
    return frozenset(map(folded, words))


_AROUND: Mapping[str, _Said] = MappingProxyType(
    {
        **dict.fromkeys(words_of(_PREFIXES), _Said.PREFIX),
        **dict.fromkeys(words_of(_COURTESIES), _Said.COURTESY),
    }
)


def heard(text: str, sets: KeywordSets) -> Heard:
    """What the whole of `text` asks for.

    Who says both is out: a doubt is no consent. A weak word counts beside another opt-out word,
    behind a prefix, or alone.
    """
    if len(text) > CHARACTERS_MAX:
        return Heard()
    readings = _readings(atoms(text), sets)
    others = any(said & _Said.OTHER for said in readings)
    if any(map(_opts_out, readings)):
        return Heard(Keyword.OPT_OUT, others)
    weak_or_out = _Said.OPT_OUT | _Said.WEAK
    if any(said & _Said.OPT_IN and not said & weak_or_out for said in readings):
        return Heard(Keyword.OPT_IN, others)
    return Heard(None, others)


def _opts_out(said: _Said) -> bool:
    if said & _Said.OPT_OUT:
        return True
    if not said & _Said.WEAK or said & (_Said.SEVERAL_WEAK | _Said.OPT_IN | _Said.OTHER):
        return False
    return bool(said & _Said.PREFIX) or not said & _Said.COURTESY


def _readings(pieces: list[str], sets: KeywordSets) -> Collection[_Said]:
    """What the pieces say, for each way to read all of them, in order, as known words."""
    longest = max(map(len, (*sets.opt_out, *sets.opt_in, *sets.others, *_AROUND)))
    # What was said up to each piece, and the weak word in it.
    reached: list[set[tuple[_Said, str]]] = [set() for _ in range(len(pieces) + 1)]
    reached[0].add((_Said(0), ""))
    for first in range(len(pieces)):
        if not reached[first]:
            continue
        word = ""
        for end in range(first + 1, len(pieces) + 1):
            word += pieces[end - 1]
            if len(word) > longest:
                break
            for meaning in _meanings(word, sets):
                reached[end] |= {_and(said, meaning, word) for said in reached[first]}
    return {said for said, _ in reached[-1]}


def _meanings(word: str, sets: KeywordSets) -> Iterator[_Said]:
    if word in sets.opt_out:
        weak = word == _END or (len(word) == 1 and word.isascii())
        yield _Said.WEAK if weak else _Said.OPT_OUT
    if word in sets.opt_in:
        yield _Said.OPT_IN
    if word in sets.others:
        yield _Said.OTHER
    if word in _AROUND:
        yield _AROUND[word]


def _and(before: tuple[_Said, str], meaning: _Said, word: str) -> tuple[_Said, str]:
    said, weak = before
    if meaning is not _Said.WEAK:
        return said | meaning, weak
    several = _Said.SEVERAL_WEAK if weak not in ("", word) else _Said(0)
    return said | meaning | several, word
