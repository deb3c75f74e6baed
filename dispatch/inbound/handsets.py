"""From the source address of a handset's message to the form that its number is stored in.

Owns that choice of form. Must not know who texted or why.

Carriers write one handset as +8613812345678, 8613812345678, 008613812345678 or 13812345678. An
opt-out must be stored in the form that messages were sent to, or it stops nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from recipients.numbers.plan import NumberPlan
from smpp.vocabulary import TON_INTERNATIONAL
from storage.subscribers import canonical


def handset(address: bytes, ton: int, country_code: str, plan: NumberPlan) -> str:
    """The number in E.164 form, or the address as it came where it is no telephone number.

    `country_code` ("+86", or empty): where numbers without one are from on this connector. Digits
    that the country's plan has given up, or that are dialled only inside it, are dropped. Examples
    are Mexico's 1 and Brazil's eight-digit numbers.
    """
    candidates = forms(address, ton, country_code)
    for candidate in (*candidates, *map(canonical, candidates)):
        if plan.fault(candidate) is None:
            return candidate
    for candidate in candidates:
        if (number := plan.undialled(candidate)) is not None:
            return number
    return address.decode("latin-1")


def forms(address: bytes, ton: int, country_code: str) -> list[str]:
    """The E.164 forms that the address may mean, likeliest first; none where it is no number."""
    text = address.decode("latin-1").strip()
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        return []
    international = text.startswith("+") or ton == TON_INTERNATIONAL
    return list(dict.fromkeys(_candidates(digits, international, country_code)))


def _candidates(digits: str, international: bool, country_code: str) -> Iterator[str]:
    """Likeliest first. +1 381… is a number of North America, 1381… in China is not."""
    if international:
        yield f"+{digits}"
    if digits.startswith("00"):
        yield f"+{digits.removeprefix('00')}"
    if country_code:
        yield country_code + digits
        if digits.startswith("0"):
            yield country_code + digits[1:]
    yield f"+{digits}"
