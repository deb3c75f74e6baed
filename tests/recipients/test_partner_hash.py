"""Hashes under a partner's key: the vector that both sides test against."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from recipients.partner_hash import PartnerKey

KEY = bytes(range(32))


def test_the_vector_of_the_partner_hash() -> None:
    found = PartnerKey(KEY).hash("+8613812345678")
    assert len(found) == 32
    assert found.hex().startswith("74f72ba305b51050")
    assert found == hmac.digest(KEY, b"+8613812345678", hashlib.sha256)


def test_one_subscriber_has_one_hash_and_is_found_by_either_form() -> None:
    partner = PartnerKey(KEY)
    with_one, without = "+5215512345678", "+525512345678"
    assert partner.hash(with_one) == partner.hash(without)
    assert set(partner.hashes(without)) == {
        hmac.digest(KEY, each.encode(), hashlib.sha256) for each in (with_one, without)
    }
    assert partner.hashes("+8613812345678") == (partner.hash("+8613812345678"),)


@pytest.mark.parametrize("size", [0, 31, 129])
def test_a_key_that_can_be_guessed_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 to 128 octets"):
        PartnerKey(bytes(size))
