"""One index for one subscriber, where a country has two valid ways to write a number.

Owns the form that a number is indexed in. Must not change what is stored to be sent: the form that
was given is the one that works. Pure.

Mexico writes its mobiles with an old 1 and without, Argentina with a 9 and without. Brazil has a
ninth digit that old lists and some networks leave out.
"""

from __future__ import annotations

SEVERAL_FORMS = frozenset(
    {"52", "54", "55"}
)  # number[1:3] of the numbers that are looked at more closely

_MEXICO, _ARGENTINA, _BRAZIL = "+52", "+54", "+55"
_LONG = 14  # + and 13 digits
_SHORT = 13
_BRAZIL_AREA_END = 5
# How eight digits of a mobile begin; those of a landline begin with 2 to 5
_BRAZIL_MOBILE = frozenset("6789")


def canonical(number: str) -> str:
    """The form in which all forms of this E.164 number are indexed."""
    country, rest = number[:3], number[3:]
    if len(number) == _LONG:
        if (country == _MEXICO and rest[0] == "1") or (country == _ARGENTINA and rest[0] == "9"):
            return country + rest[1:]
    elif len(number) == _SHORT and country == _BRAZIL and rest[2] in _BRAZIL_MOBILE:
        return f"{number[:_BRAZIL_AREA_END]}9{number[_BRAZIL_AREA_END:]}"
    return number


def other_form(number: str) -> str | None:
    """The form of this E.164 number that is not the canonical one; None if there is none."""
    one = canonical(number)
    country, rest = one[:3], one[3:]
    if len(one) == _SHORT and country == _MEXICO:
        return f"{country}1{rest}"
    if len(one) == _SHORT and country == _ARGENTINA:
        return f"{country}9{rest}"
    if len(one) == _LONG and country == _BRAZIL and rest[2] == "9" and rest[3] in _BRAZIL_MOBILE:
        return one[:_BRAZIL_AREA_END] + one[_BRAZIL_AREA_END + 1 :]
    return None


def forms_indexed_before(number: str) -> tuple[str, ...]:
    """The other forms in which release 0.1 may have indexed this subscriber.

    As E.164, or as a carrier wrote it where that was no number of the country's plan.
    """
    other = other_form(number)
    return () if other is None else (other, other[1:], f"00{other[1:]}")


def stored_before(text: str) -> str | None:
    """The canonical number of what forms_indexed_before() may have left; None for all else."""
    digits = text.removeprefix("+") if text.startswith("+") else text.removeprefix("00")
    if not (digits.isascii() and digits.isdigit()) or digits[:2] not in SEVERAL_FORMS:
        return None
    number = f"+{digits}"
    one = canonical(number)
    return None if one == number else one
