"""The forms in which carriers write one handset, and whose number was texted."""

from __future__ import annotations

import pytest

from dispatch.inbound.handsets import handset
from dispatch.inbound.owners import NOBODY, SenderOwners
from recipients.numbers.plan import NumberPlan
from smpp.vocabulary import TON_ALPHANUMERIC, TON_INTERNATIONAL, TON_NATIONAL, TON_UNKNOWN

PLAN = NumberPlan()
NUMBER = "+8613812345678"


@pytest.mark.parametrize(
    ("address", "ton", "country_code"),
    [
        (b"8613812345678", TON_INTERNATIONAL, ""),
        (b"+8613812345678", TON_UNKNOWN, ""),
        (b"8613812345678", TON_UNKNOWN, ""),
        (b"8613812345678", TON_UNKNOWN, "+86"),
        (b"008613812345678", TON_UNKNOWN, "+86"),
        (b"13812345678", TON_NATIONAL, "+86"),
        (b"13812345678", TON_UNKNOWN, "+86"),
        (b"013812345678", TON_UNKNOWN, "+86"),
    ],
)
def test_every_form_of_a_handset_is_one_number(address: bytes, ton: int, country_code: str) -> None:
    assert handset(address, ton, country_code, PLAN) == NUMBER


@pytest.mark.parametrize(
    ("address", "ton", "country_code", "number"),
    [
        (b"5215562000000", TON_INTERNATIONAL, "", "+525562000000"),
        (b"5215562000000", TON_UNKNOWN, "", "+525562000000"),
        (b"+5215562000000", TON_UNKNOWN, "", "+525562000000"),
        (b"005215562000000", TON_UNKNOWN, "+52", "+525562000000"),
        (b"551181234567", TON_UNKNOWN, "", "+5511981234567"),
        (b"1181234567", TON_NATIONAL, "+55", "+5511981234567"),
        (b"01181234567", TON_NATIONAL, "+55", "+5511981234567"),
        (b"551131234567", TON_UNKNOWN, "", "+551131234567"),  # a landline
        (b"541123017883", TON_UNKNOWN, "", "+541123017883"),  # both are valid there
        (b"5491123017883", TON_UNKNOWN, "", "+5491123017883"),
    ],
)
def test_n3_a_form_that_the_plan_has_given_up_is_the_same_number(
    address: bytes, ton: int, country_code: str, number: str
) -> None:
    assert handset(address, ton, country_code, PLAN) == number


@pytest.mark.parametrize(
    ("address", "ton", "country_code", "number"),
    [
        (b"54111523017883", TON_INTERNATIONAL, "", "+5491123017883"),
        (b"111523017883", TON_NATIONAL, "+54", "+5491123017883"),
        (b"0111523017883", TON_UNKNOWN, "+54", "+5491123017883"),
        (b"04111987654321", TON_NATIONAL, "+55", "+5511987654321"),
        (b"4407911123456", TON_INTERNATIONAL, "", "+447911123456"),
        (b"+4407911123456", TON_UNKNOWN, "", "+447911123456"),
        (b"4901711234567", TON_UNKNOWN, "", "+491711234567"),
        (b"79161234567", TON_NATIONAL, "+7", "+79161234567"),
        (b"89161234567", TON_NATIONAL, "+7", "+79161234567"),
    ],
)
def test_n3_digits_dialled_only_inside_the_country_are_no_part_of_the_number(
    address: bytes, ton: int, country_code: str, number: str
) -> None:
    assert handset(address, ton, country_code, PLAN) == number


def test_a_national_number_is_not_taken_for_one_of_another_country() -> None:
    """1301… is Beijing's with +86 and Maryland's without."""
    assert handset(b"13012345678", TON_UNKNOWN, "+86", PLAN) == "+8613012345678"
    assert handset(b"13012345678", TON_UNKNOWN, "", PLAN) == "+13012345678"


@pytest.mark.parametrize(
    "address", [b"10086", b"10690001", b"106900010001", b"SHOP", b"\xff\xfe", b"", b"+"]
)
def test_what_is_no_number_stays_as_it_came(address: bytes) -> None:
    assert handset(address, TON_ALPHANUMERIC, "", PLAN) == address.decode("latin-1")


def test_a_number_texted_belongs_to_the_account_that_sends_from_it() -> None:
    owners = SenderOwners([(1, ("10690001", "+8610690002")), (2, ("10690003", "10690004"))])
    assert owners.owner("10690001") == 1
    assert owners.owner("+10690001") == 1
    assert owners.owner("8610690002") == 1
    assert owners.owner("10690003") == 2
    assert owners.owner("10699999") == NOBODY


def test_a_sender_of_two_accounts_is_nobodys_and_an_only_account_owns_all() -> None:
    assert SenderOwners([(1, ("SHOP",)), (2, ("SHOP",))]).owner("SHOP") == NOBODY
    assert SenderOwners([(1, ("SHOP",))]).owner("10690001") == 1
