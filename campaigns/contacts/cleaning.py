"""A number as people and spreadsheets write it, made E.164; or the code of what is wrong with it.

Owns that cleaning. Must not guess: digits that a spreadsheet has lost are not made up. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from recipients.numbers.plan import NumberPlan, country_and_kind

CHINA = "86"
WRITTEN_CHARACTERS_MAX = 100  # of a number with all that stands between its digits
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d+", re.ASCII)
_BETWEEN = re.compile(r"[\s\-()./‐-―·]+")
_DIGITS = re.compile(r"\+?\d+", re.ASCII)
_NATIONAL: Mapping[str, int] = MappingProxyType({CHINA: 11})  # digits of a mobile number
_ROUNDED = "000000"  # the end of a number that a spreadsheet has rounded
_ZERO_WIDTH = dict.fromkeys(map(ord, "​‌‍⁠﻿‎‏‪‬‭"))


class NumberCleaner:
    """Cleans numbers of accounts whose numbers are of one country unless they say otherwise."""

    def __init__(self, plan: NumberPlan, country_code: str = CHINA) -> None:
        """`country_code` without a plus, of numbers that name none."""
        self._plan = plan
        self._code = country_code
        self._digits = _NATIONAL.get(country_code)

    def cleaned(self, text: str) -> tuple[str, str | None]:
        """(E.164, None), or ("", the code of the first thing that is wrong)."""
        if text.isascii() and text.startswith("+") and self._plan.fault(text) is None:
            return self._mobile(text)
        if len(text) > WRITTEN_CHARACTERS_MAX:
            return "", "number_format"
        text = unicodedata.normalize("NFKC", text).translate(_ZERO_WIDTH).strip()
        text = text.lstrip("'’`").strip()
        if not text:
            return "", "number_empty"
        if _SCIENTIFIC.fullmatch(text):
            return "", "number_scientific"
        if text.endswith(".0"):
            text = text[:-2]
        text = _BETWEEN.sub("", text)
        if _DIGITS.fullmatch(text) is None:
            return "", "number_format"
        return self._from_digits(text)

    def _from_digits(self, text: str) -> tuple[str, str | None]:
        number = text if text.startswith("+") else self._international(text)
        if self._plan.fault(number) is None:
            return self._mobile(number)
        national = number.removeprefix(f"+{self._code}")
        theirs = self._digits if national != number else None
        if theirs is not None and len(national) < theirs and national.startswith("1"):
            return "", "number_truncated"
        if national.startswith("0") and self._plan.fault(f"+{self._code}{national[1:]}") is None:
            return self._mobile(f"+{self._code}{national[1:]}")
        return "", "number_format"

    def _international(self, text: str) -> str:
        if text.startswith("00"):
            return f"+{text[2:]}"
        code, digits = self._code, self._digits
        if digits is not None and text.startswith(code) and len(text) >= len(code) + digits - 1:
            return f"+{text}"
        return f"+{code}{text}"

    def _mobile(self, number: str) -> tuple[str, str | None]:
        """In China a mobile number begins with 1 and has eleven digits, and nothing else does."""
        if number.startswith("+861") and len(number) == 14:
            return ("", "number_truncated") if number.endswith(_ROUNDED) else (number, None)
        if country_and_kind(number)[1] == "fixed_line":
            return "", "number_landline"
        return number, None
