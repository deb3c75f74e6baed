"""Rules on the form of a whole text: length, signature, the way to opt out, alphabet.

Owns R1 to R4 and R18. Must not count characters (lengths.py). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from unicodedata import east_asian_width

from campaigns.templates.findings import Case, Finding
from campaigns.templates.words import words
from recipients.keywords import KeywordSets, folded
from recipients.letters import atoms

SIGNATURE_CHARACTERS_MIN = 2
SIGNATURE_CHARACTERS_MAX = 12  # where no provider says more
FEW_CHARACTERS = 5  # so few that a text in GSM 03.38 was meant

_SIGNATURE = re.compile(r"【([^【】]*)】")
_REPLY = re.compile(
    r"(?:回复|回覆|回復|回|reply(?:\s+with)?|text|txt|send)\s*[\"'“‘「]?([A-Za-z0-9]{1,12}|[\u3400-\u9fff]{2})",
    re.IGNORECASE,
)


def r1_length(case: Case) -> Iterator[Finding]:
    """All that is sent fits into the parts that the version allows, with values at their most."""
    allowed = case.version.content.max_parts
    if case.most.fault is not None:
        yield Finding(rule="R1", level="error", detail=case.most.fault)
    elif case.most.parts > allowed:
        detail = (
            f"the text may have {case.most.units} characters in {case.most.parts} parts; "
            f"{allowed} allowed by max_parts, 70 characters in one part of Chinese, else 67 each"
        )
        yield Finding(rule="R1", level="error", detail=detail)


def r2_signature(case: Case) -> Iterator[Finding]:
    """【…】 in front, once, of a length that every provider takes."""
    if not case.chinese and not case.providers:
        return
    found = _SIGNATURE.findall(case.final)
    brackets = case.final.count("【") + case.final.count("】")
    if not found or not case.final.startswith("【"):
        yield Finding(rule="R2", level="error", detail="the text does not begin with 【signature】")
        return
    if len(found) > 1 or brackets != 2:
        yield Finding(
            rule="R2", level="error", detail="【 and 】 stand more than once", words=tuple(found)
        )
    length = len(found[0])
    limits: dict[str | None, int] = {name: each.signature_max for name, each in case.providers}
    for name, most in (limits or {None: SIGNATURE_CHARACTERS_MAX}).items():
        if not SIGNATURE_CHARACTERS_MIN <= length <= most:
            detail = f"the signature has {length} characters; {SIGNATURE_CHARACTERS_MIN} to {most}"
            yield Finding(rule="R2", level="error", detail=detail, words=(found[0],), provider=name)


def r3_opt_out(case: Case) -> Iterator[Finding]:
    """Marketing ends with a way to opt out, by a word that is understood, or by the link."""
    if not case.marketing or case.most.opt_out_link:
        return
    word = opt_out_word(case.final)
    if word is None:
        detail = "the text does not end with a way to opt out, such as 拒收请回复R or 回T退订"
        yield Finding(rule="R3", level="error", detail=detail)
        return
    if not _opts_out(word, case.occasion.keywords):
        detail = f"{word} is no opt-out word of this account: who sends it stays in"
        yield Finding(rule="R3", level="error", detail=detail, words=(word,))


def opt_out_word(text: str) -> str | None:
    """The word with which to opt out, as the end of a text tells it; None: it tells none."""
    found = _opt_outs().search(text)
    return None if found is None else next(each for each in found.groups() if each is not None)


def r4_reply_word(case: Case) -> Iterator[Finding]:
    """Nobody is asked to reply with a word that opts out, but for opting out."""
    found = _opt_outs().search(case.final)
    text = case.final if found is None else case.final[: found.start()]
    said = dict.fromkeys(each[1] for each in _REPLY.finditer(text))
    wrong = tuple(word for word in said if _opts_out(word, case.occasion.keywords))
    if wrong:
        detail = f"who replies {wrong[0]} opts out; ask for another word"
        yield Finding(rule="R4", level="error", detail=detail, words=wrong)


def r18_alphabet(case: Case) -> Iterator[Finding]:
    """What turns a text of 160 characters a part into one of 70."""
    few = case.least.forced_by
    if case.least.encoding == "ucs2":
        wide = any(east_asian_width(each) in "WF" and each.isalpha() for each in few)
        if few and not wide and len(few) <= FEW_CHARACTERS:
            detail = "these characters halve the length of a part: GSM 03.38 does not have them"
            yield Finding(rule="R18", level="warning", detail=detail, words=tuple(few))
    elif case.most.encoding == "ucs2":
        detail = "a value with other characters than GSM 03.38 has halves the length of a part"
        yield Finding(rule="R18", level="warning", detail=detail)


def _opts_out(word: str, keywords: KeywordSets) -> bool:
    return bool(atoms(word)) and folded(word) in keywords.opt_out


@cache
def _opt_outs() -> re.Pattern[str]:
    """The ends of texts that say how to opt out, with the word as a group each."""
    word = r"[\"'“‘「]?([A-Za-z]{1,12}|退订|退訂|取消|拒收)[\"'”’」]?"
    forms = [
        r"\s*".join(map(re.escape, form.split())).replace("WORD", word)
        for form in words("opt_outs")
    ]
    return re.compile(rf"(?:{'|'.join(forms)})[\s.。!！)）]*$", re.IGNORECASE)
