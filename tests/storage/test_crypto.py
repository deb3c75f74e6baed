"""Numbers at rest: readable with our key only, found by a keyed index, shown masked."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.crypto import (
    KeyMismatch,
    NumberVault,
    UnreadableNumber,
    check_fingerprint,
    mask,
)
from storage.keys import NumberKeys
from storage.subscribers import canonical

if TYPE_CHECKING:
    from storage.pool import Connection

KEYS = NumberKeys(bytes(range(64)))
VAULT = NumberVault(KEYS)
OTHER = NumberVault(NumberKeys(bytes(64)))
NUMBER = "+8613812345678"
numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)


@given(numbers)
def test_what_is_sealed_opens_again(number: str) -> None:
    sealed = VAULT.seal(number)
    assert len(sealed) == len(number) + 16
    assert number.encode() not in sealed
    assert VAULT.seal(number) == sealed
    assert VAULT.open(sealed) == number


@given(numbers)
def test_the_index_is_hmac_sha256_cut_to_16_octets(number: str) -> None:
    key = KEYS.derive("number index", 32)
    assert VAULT.digest(number) == hmac.digest(key, number.encode(), hashlib.sha256)[:16]
    number = canonical(number)
    assert VAULT.index(number) == hmac.digest(key, number.encode(), hashlib.sha256)[:16]


@given(st.lists(numbers, max_size=5))
def test_many_at_once_are_the_same_as_one_by_one(several: list[str]) -> None:
    assert VAULT.seal_many(several) == [VAULT.seal(number) for number in several]
    assert VAULT.index_many(several) == [VAULT.index(number) for number in several]


def test_another_key_gives_other_octets_and_opens_nothing() -> None:
    assert VAULT.index(NUMBER) != OTHER.index(NUMBER)
    assert VAULT.seal(NUMBER) != OTHER.seal(NUMBER)
    with pytest.raises(UnreadableNumber):
        OTHER.open(VAULT.seal(NUMBER))


@given(st.binary(max_size=40))
def test_whatever_is_not_ours_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnreadableNumber):
        VAULT.open(data)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("+8613812345678", "+86138****5678"),
        ("+12025550123", "+120****0123"),
        ("+447400123456", "+4474****3456"),
        ("+123456789012345", "+12345****2345"),
        ("12345678", "****5678"),
        ("10690", "****0"),
        ("123", "****"),
        ("", "****"),
    ],
)
def test_mask(number: str, shown: str) -> None:
    assert mask(number) == shown


@given(numbers)
def test_a_mask_hides_four_digits_at_least(number: str) -> None:
    assert sum(character.isdigit() for character in mask(number)) <= len(number) - 1 - min(
        4, len(number) - 1
    )


async def test_a_database_belongs_to_the_first_key(connection: Connection) -> None:
    await check_fingerprint(connection, VAULT)
    await check_fingerprint(connection, VAULT)
    with pytest.raises(KeyMismatch, match=f"{VAULT.fingerprint}.*{OTHER.fingerprint}"):
        await check_fingerprint(connection, OTHER)
    assert (
        await connection.fetchval("SELECT key_fingerprint FROM installation") == VAULT.fingerprint
    )
