"""Learning how a carrier writes ids in receipts, from the first receipts that come (E1, E2).

Owns the evidence and the verdict. Must not be asked where the settings say the base. Pure; bounded.

An id that fits proves nothing, since small numbers are hexadecimal and decimal at once. It counts
only if the receipt is about the number that the answered message went to.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

import msgspec

from dlr.receipt import normalise_id

Form = Literal["opaque", "dec", "hex"]

ANSWERS_REMEMBERED_MAX = 5_000
NUMBERS_PER_ID_MAX = 8  # some carriers answer several submits with one id (E92)
CONFIRMATIONS = 20  # receipts that fit both by id and by number
RECEIPTS_LOOKED_AT_MAX = 2_000  # then ids are taken as they are written
NUMBER_DIGITS_COMPARED = 7  # carriers drop a country code or a trunk prefix, not the subscriber

# (how answers write ids, how receipts do), plainest first: of several that fit as often, the first
# is meant.
_PAIRS: tuple[tuple[Form, Form], ...] = (
    ("opaque", "opaque"),
    ("dec", "dec"),
    ("hex", "hex"),
    ("hex", "dec"),
    ("dec", "hex"),
)


class Translation(msgspec.Struct, frozen=True):
    """From a receipt's id to the id as the answer wrote it, which is the stored form."""

    answer: Form = "opaque"
    receipt: Form = "opaque"
    upper: bool = False
    width: int = 0  # zeros in front, up to so many characters

    def __call__(self, identifier: str) -> str:
        if self.answer == "opaque":
            return identifier
        number = normalise_id(identifier, self.receipt)
        if not number.isdecimal() or (self.receipt == "hex" and not _hexadecimal(identifier)):
            return identifier
        if self.answer == "dec":
            return number.zfill(self.width)
        return f"{int(number):{'X' if self.upper else 'x'}}".zfill(self.width)


class IdLearner:
    """The evidence of one connector, until `translation` is set."""

    def __init__(self) -> None:
        self.translation: Translation | None = None
        # id as stored -> the numbers of submits that were answered with it, newest last
        self._answers: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._by_value: dict[Form, dict[str, str]] = {"dec": {}, "hex": {}}  # -> id as stored
        self._scores = [0] * len(_PAIRS)
        self._receipts = 0

    def answered(self, identifier: str, number: str) -> None:
        """A submit_sm to `number` was answered with this id."""
        before = self._answers.get(identifier, ())
        if number not in before:
            self._answers[identifier] = (*before[1 - NUMBERS_PER_ID_MAX :], number)
        for form, found in self._by_value.items():
            value = _value(identifier, form)
            if value is not None:
                found[value] = identifier
        if len(self._answers) > ANSWERS_REMEMBERED_MAX:
            self._forget_oldest()

    def receipt(self, identifier: str, number: str) -> Translation | None:
        """A receipt about `number` came. Returns the verdict, once there is one."""
        if self.translation is not None:
            return self.translation
        self._receipts += 1
        for index, (answer, receipt) in enumerate(_PAIRS):
            stored = self._found(identifier, answer, receipt)
            if stored is not None and any(
                same_subscriber(sent_to, number) for sent_to in self._answers[stored]
            ):
                self._scores[index] += 1
        if max(self._scores) >= CONFIRMATIONS:
            self._settle(self._verdict())
        elif self._receipts >= RECEIPTS_LOOKED_AT_MAX:
            self._settle(Translation())
        return self.translation

    def _settle(self, translation: Translation) -> None:
        self.translation = translation
        self._answers.clear()
        self._by_value.clear()

    def _found(self, identifier: str, answer: Form, receipt: Form) -> str | None:
        if receipt == "opaque":
            return identifier if identifier in self._answers else None
        value = _value(identifier, receipt)
        return None if value is None else self._by_value[answer].get(value)

    def _verdict(self) -> Translation:
        scores = list(self._scores)
        if any(not known.isdecimal() for known in self._answers):
            # Digits alone are hexadecimal as well: one letter says which.
            scores[_PAIRS.index(("dec", "dec"))] = scores[_PAIRS.index(("dec", "hex"))] = 0
        answer, receipt = _PAIRS[scores.index(max(scores))]
        if answer == "opaque":
            return Translation()
        padded = [known for known in self._answers if known.startswith("0") and len(known) > 1]
        return Translation(
            answer,
            receipt,
            upper=answer == "hex" and all(known == known.upper() for known in self._answers),
            width=len(padded[0]) if padded else 0,
        )

    def _forget_oldest(self) -> None:
        identifier, _ = self._answers.popitem(last=False)
        for form, found in self._by_value.items():
            value = _value(identifier, form)
            if value is not None and found.get(value) == identifier:
                del found[value]


def _value(identifier: str, form: Form) -> str | None:
    """The number that an id is in this form, in decimal; None where it is none."""
    if form == "hex" and not _hexadecimal(identifier):
        return None
    number = normalise_id(identifier, form)
    return number if number.isascii() and number.isdecimal() else None


def _hexadecimal(identifier: str) -> bool:
    digits = identifier.removeprefix("0x").removeprefix("0X")
    return bool(digits) and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def same_subscriber(sent_to: str, reported: str) -> bool:
    """Whether a receipt about `reported` may be about what went to `sent_to`."""
    return (
        len(reported) >= NUMBER_DIGITS_COMPARED
        and sent_to[-NUMBER_DIGITS_COMPARED:] == reported[-NUMBER_DIGITS_COMPARED:]
    )
