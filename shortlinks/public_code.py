"""Codes of six characters, for links that belong to no message.

Owns the permutation between numbers and these codes. Must not know what a code leads to. Pure. As
with personal codes (code.py) no two numbers have one code, and codes cannot be counted through.
"""

from __future__ import annotations

from hashlib import blake2b

from shortlinks.code import ALPHABET

KEY_PURPOSE = "public link codes"
KEY_BYTES = 32
PUBLIC_CODE_LENGTH = 6
PUBLIC_CODES: int = len(ALPHABET) ** PUBLIC_CODE_LENGTH  # 2.5e10

_HALF: int = len(ALPHABET) ** (PUBLIC_CODE_LENGTH // 2)
_ROUNDS = 8


class PublicCodes:
    """Numbers to codes, under one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encode(self, number: int) -> str:
        """The code of a number in [0, 54^6). Raises ValueError outside. Takes about 10 us."""
        if not 0 <= number < PUBLIC_CODES:
            raise ValueError(f"public link number outside 0..{PUBLIC_CODES - 1}")
        left, right = divmod(number, _HALF)
        for turn in range(_ROUNDS):
            left, right = right, (left + self._mixed(turn, right)) % _HALF
        return _three(left) + _three(right)

    def _mixed(self, turn: int, half: int) -> int:
        said = bytes((turn,)) + half.to_bytes(4, "big")
        return int.from_bytes(blake2b(said, key=self._key, digest_size=8).digest(), "big")


def _three(half: int) -> str:
    rest, last = divmod(half, len(ALPHABET))
    first, middle = divmod(rest, len(ALPHABET))
    return ALPHABET[first] + ALPHABET[middle] + ALPHABET[last]
