"""The arithmetic of the audit chain: what a row's hash covers.

Owns the text J of a row, the commitments and the hash. Pure. Must not know the table.

hash = SHA-256("smsgate.audit.1\\n" + hash of the row before, 32 octets + J). Before the first row
stand 32 zeros. J is JSON in UTF-8 with sorted keys and no spaces.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from storage.ids import time_of

MARK = b"smsgate.audit.1\n"
HASH_BYTES = 32
SALT_BYTES = 16
START = bytes(HASH_BYTES)

_encode = msgspec.json.Encoder(order="sorted").encode


class Said(msgspec.Struct, frozen=True):
    """What the chain covers of one row but its place. `at`: RFC 3339 in UTC with milliseconds.

    `subject_hash` and `text_hash` are commitments of 32 octets, or None where there is nothing.
    """

    id: int
    at: str
    account: int
    actor: str
    action: str
    detail: Mapping[str, object]
    subject_hash: bytes | None
    text_hash: bytes | None


def moment(identifier: int) -> str:
    """When an entry with this id was made: "2026-12-01T00:00:01.500Z"."""
    at = time_of(identifier)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def commitment(kind: bytes, salt: bytes, value: bytes) -> bytes:
    """SHA-256 of kind, salt and value. `kind` is b"s" for a subject, b"t" for a text.

    Without the salt nobody can tell by trying what was committed to.
    """
    return hashlib.sha256(kind + salt + value).digest()


def around_seq(said: Said) -> tuple[str, str]:
    """J in two pieces: what stands before the digits of `seq`, and what stands behind."""
    front = {
        "account": said.account,
        "action": said.action,
        "actor": said.actor,
        "at": said.at,
        "detail": said.detail,
        "id": str(said.id),
    }
    back = {"subject": _hex(said.subject_hash), "text": _hex(said.text_hash)}
    head, tail = _encode(front).decode(), _encode(back).decode()
    return f'{head[:-1]},"seq":', f",{tail[1:]}"


def linked(before: bytes, seq: int, said: Said) -> bytes:
    """The hash of the row at `seq`, behind the row with the hash `before`."""
    head, tail = around_seq(said)
    return hashlib.sha256(b"%b%b%b" % (MARK, before, f"{head}{seq}{tail}".encode())).digest()


def _hex(octets: bytes | None) -> str | None:
    return None if octets is None else octets.hex()
