"""Rules on what makes people read and act: benefit, number, action, link, date.

Owns R5 to R8, R12 and R13. They concern marketing only. Must not refuse a text: all are warnings.
Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from campaigns.templates.body import names
from campaigns.templates.findings import PLACE, Case, Finding
from campaigns.templates.words import found, words

BENEFIT_CHARACTERS = 15  # what is read in three to five seconds

_DIGIT = re.compile(r"\d")
_DATE = re.compile(
    r"\d{1,2}月(?:\d{1,2}[日号]?|底|初|中)|\d{1,2}[./-]\d{1,2}|\d{1,2}[日号]|\d{1,2}[:：]\d{2}"
    r"|\d{1,3}(?:小时|天|分钟)|[今明后][日天晚早]|[本下]?(?:周|星期)[一二三四五六日天末]|本月|月底"
    r"|\d{1,2}\s?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\s\d{1,2}"
    r"|\d{1,3}\s?(?:hours?|days?)|today|tonight|tomorrow|(?:mon|tues|wednes|thurs|fri|satur|sun)day",
    re.IGNORECASE,
)


def r5_benefit_first(case: Case) -> Iterator[Finding]:
    """What it brings stands in the first characters."""
    if case.marketing and not _has_benefit(case.copy.lstrip()[:BENEFIT_CHARACTERS]):
        detail = f"no benefit within the first {BENEFIT_CHARACTERS} characters, such as 满100减20元"
        yield Finding(rule="R5", level="warning", detail=detail)


def r6_digit(case: Case) -> Iterator[Finding]:
    """A number says how much."""
    if case.marketing and not _DIGIT.search(case.copy):
        yield Finding(rule="R6", level="warning", detail="no number in the text")


def r7_action(case: Case) -> Iterator[Finding]:
    """A verb says what to do."""
    if case.marketing and not found("actions", case.copy):
        detail = "nothing says what to do, such as 立即, 点击 or 领取"
        yield Finding(rule="R7", level="warning", detail=detail)


def r8_link(case: Case) -> Iterator[Finding]:
    """There is somewhere to go."""
    content = case.version.content
    if case.marketing and "://" not in content.body and not names(case.version.pieces, "link"):
        yield Finding(rule="R8", level="warning", detail="no link in the text")


def r12_urgency(case: Case) -> Iterator[Finding]:
    """Who presses for time says until when."""
    if not case.marketing:
        return
    pressing = found("urgency", case.copy)
    if pressing and not _DATE.search(case.copy):
        detail = "presses for time, and no date says until when"
        yield Finding(rule="R12", level="warning", detail=detail, words=pressing)


def r13_generic(case: Case) -> Iterator[Finding]:
    """Something in it is about this reader or this offer."""
    bare = not _DIGIT.search(case.copy) and PLACE not in case.copy
    if case.marketing and bare and not _has_benefit(case.copy):
        detail = "anybody could have sent it: no number, no value of the reader, no benefit"
        yield Finding(rule="R13", level="warning", detail=detail)


def _has_benefit(text: str) -> bool:
    return _amounts().search(text) is not None or bool(found("benefits", text))


@cache
def _amounts() -> re.Pattern[str]:
    units = "|".join(map(re.escape, words("benefit_units")))
    number = r"\d+(?:[.,]\d+)*"
    return re.compile(rf"{number}\s?(?:{units})|[$€£¥￥]\s?{number}|[减送省立返]{number}", re.I)
