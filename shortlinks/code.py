"""Short-link codes: a keyed permutation between link numbers and eight characters.

Owns the alphabet, the code length and the permutation. Must not know what a code leads to, and must
not read a clock or a socket. The same key and value give the same code for ever.

A code is unique because the permutation is a bijection over [0, 54^8). So there is no retry loop
and no look-up of uniqueness. Without the key codes cannot be enumerated.

It is a Feistel network over two halves, digits of base 54^4. A round adds the AES of one half to
the other, in place of XOR. So it hits the domain exactly, without the cycle walking that a power of
two would need.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from struct import Struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# No 0 O o, 1 I i l, j: a code is read off a small screen and typed by hand. All are in the basic
# GSM 03.38 table, so each costs one septet.
ALPHABET = "23456789abcdefghkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 8
VALUES: int = len(ALPHABET) ** CODE_LENGTH  # 7.2e13
SLOTS = 8  # links that one message can carry
LINK_SEQUENCES = VALUES // SLOTS  # 9.0e12

KEY_BYTES_MIN = 16

_HALF: int = len(ALPHABET) ** (CODE_LENGTH // 2)
_PAIR: int = len(ALPHABET) ** 2
_ROUNDS = (
    8  # four make a strong pseudo-random permutation (Luby and Rackoff); small halves need more
)
_BLOCK = Struct("<Q8x")  # one half, little-endian, and zeros
_BLOCK_BYTES = _BLOCK.size  # 16, of AES
_WORD_BYTES = 8
_WORDS_PER_BLOCK = _BLOCK_BYTES // _WORD_BYTES


def link_value(link_seq: int, slot: int) -> int:
    """The number that the code of link `slot` (0..7) of message `link_seq` stands for."""
    return link_seq * SLOTS + slot


def split_value(value: int) -> tuple[int, int]:
    """The (link_seq, slot) of a value: the inverse of `link_value`."""
    return value // SLOTS, value % SLOTS


class CodePermutation:
    """Numbers to codes and back, under one key. A batch shares the cost of each AES call."""

    __slots__ = ("_pair_numbers", "_pairs", "_rounds", "_rounds_back")

    def __init__(self, key: bytes) -> None:
        """`key`: at least 16 secret octets, else ValueError. HKDF (RFC 5869) derives the round
        keys.
        """
        if len(key) < KEY_BYTES_MIN:
            raise ValueError(f"short-link key: {len(key)} bytes, at least {KEY_BYTES_MIN} needed")
        material = HKDF(hashes.SHA256(), _ROUNDS * _BLOCK_BYTES, None, b"short-link code").derive(
            key
        )
        # One cipher per round. A block holds one half and zeros, never two halves, so that a code
        # can be decoded alone.
        self._rounds = [
            Cipher(algorithms.AES(material[start : start + _BLOCK_BYTES]), modes.ECB()).encryptor()
            for start in range(0, len(material), _BLOCK_BYTES)
        ]
        self._rounds_back = tuple(encryptor.update for encryptor in reversed(self._rounds))
        self._pairs = [first + second for first in ALPHABET for second in ALPHABET]
        self._pair_numbers = {pair: number for number, pair in enumerate(self._pairs)}

    def encode_many(self, values: Sequence[int]) -> list[str]:
        """The codes of `values`, each in [0, 54^8). Raises ValueError if one is outside."""
        if not values:
            return []
        if min(values) < 0 or max(values) >= VALUES:
            raise ValueError(f"short-link value outside 0..{VALUES - 1}")
        left = [value // _HALF for value in values]
        right = [value % _HALF for value in values]
        blocks = array("Q", bytes(_BLOCK_BYTES * len(values)))
        octets = memoryview(blocks).cast("B")
        for encryptor in self._rounds:
            blocks[::_WORDS_PER_BLOCK] = _little_endian(array("Q", right))
            words = _little_endian(array("Q", encryptor.update(octets)))[::_WORDS_PER_BLOCK]
            left, right = (
                right,
                [(half + word) % _HALF for half, word in zip(left, words, strict=True)],
            )
        pairs = self._pairs
        return [
            pairs[high // _PAIR] + pairs[high % _PAIR] + pairs[low // _PAIR] + pairs[low % _PAIR]
            for high, low in zip(left, right, strict=True)
        ]

    def decode(self, code: str) -> int | None:
        """The value whose code this is; None for a text of another length or alphabet."""
        if len(code) != CODE_LENGTH:
            return None
        numbers = self._pair_numbers
        try:
            left = numbers[code[0:2]] * _PAIR + numbers[code[2:4]]
            right = numbers[code[4:6]] * _PAIR + numbers[code[6:8]]
        except KeyError:
            return None
        for decrypt_round in self._rounds_back:
            (word,) = _BLOCK.unpack(decrypt_round(_BLOCK.pack(left)))
            left, right = (right - word) % _HALF, left
        return left * _HALF + right


def _little_endian(words: array[int]) -> array[int]:
    """The same codes on every machine: the cipher sees little-endian words."""
    if sys.byteorder == "big":
        words.byteswap()
    return words
