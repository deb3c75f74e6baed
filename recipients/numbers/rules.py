"""Whom an account may text at all: the countries it names, and landlines or none.

Owns both verdicts on a number, from its digits alone. Must not judge whether a number is valid
(plan.py does). The numbering plan is asked for the country only where several share a code.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

import msgspec
import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers.phonenumberutil import COUNTRY_CODE_TO_REGION_CODE

from storage.subscribers import other_form

COUNTRY_CODE_DIGITS_MAX = 3
COUNTRIES: Collection[str] = frozenset(phonenumbers.SUPPORTED_REGIONS)

# What no handset answers. A number that may be either (as in North America) is let through.
_NOT_MOBILE: Mapping[int, str] = MappingProxyType(
    {
        PhoneNumberType.FIXED_LINE: "number_landline",
        PhoneNumberType.TOLL_FREE: "number_not_mobile",
        PhoneNumberType.PREMIUM_RATE: "number_not_mobile",
        PhoneNumberType.SHARED_COST: "number_not_mobile",
        PhoneNumberType.UAN: "number_not_mobile",
        PhoneNumberType.VOICEMAIL: "number_not_mobile",
        PhoneNumberType.PAGER: "number_not_mobile",
    }
)
_DETAILS: Mapping[str, str] = MappingProxyType(
    {
        "number_landline": "to is a landline, which gets no text messages",
        "number_not_mobile": "to is a service number, which gets no text messages",
    }
)


class NumberRules(msgspec.Struct, frozen=True):
    """The rules of one account. `countries` by ISO 3166 code; empty: all."""

    countries: frozenset[str] = frozenset()
    refuse_landlines: bool = False

    def fault(self, number: str) -> tuple[str, str] | None:
        """(error code, its words) for a valid E.164 number that is refused, or None."""
        if self.countries and not self._country_allowed(number):
            detail = "to lies in a country that this account does not text"
            return "country_not_allowed", detail
        if self.refuse_landlines:
            code = _NOT_MOBILE.get(_kind(number))
            if code is not None and not _may_be_mobile(number):
                return code, _DETAILS[code]
        return None

    def _country_allowed(self, number: str) -> bool:
        regions = _regions(number)
        if self.countries.issuperset(regions):
            return True
        if self.countries.isdisjoint(regions):
            return False
        return phonenumbers.region_code_for_number(phonenumbers.parse(number)) in self.countries


def _kind(number: str) -> int:
    return phonenumbers.number_type(phonenumbers.parse(number))


def _may_be_mobile(number: str) -> bool:
    """Whether it may be mobile. Without its 9 a mobile number of Argentina looks like a fixed
    line.
    """
    other = other_form(number)
    return other is not None and _kind(other) == PhoneNumberType.MOBILE


def _regions(number: str) -> tuple[str, ...]:
    """The countries that share this number's country code."""
    for digits in range(1, COUNTRY_CODE_DIGITS_MAX + 1):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(number[1 : 1 + digits]))
        if regions is not None:
            return tuple(regions)
    return ()
