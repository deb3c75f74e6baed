"""What must not stand in a log line is masked, whoever wrote the line.

Owns what a number, a key and a password look like in text. Must not know what a line means. Pure.
Texts of libraries and of the database come here, too: nobody else would look at them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from storage.crypto import mask

HIDDEN: Final = "***"
# Ids of carriers may be as many digits as a number has.
AS_WRITTEN: Final = frozenset({"ts", "level", "logger", "message_id", "request_id", "repeated"})
_NUMBER = re.compile(r"(?<![\w.+-])(?:\+[1-9][0-9]{6,14}|[1-9][0-9]{10,14})(?![\w.-]*\w)", re.ASCII)
_KEY = re.compile(r"\b(sk|whsec)_[0-9A-Za-z_+/=-]{8,}")
_IN_URL = re.compile(r"(?<=://)([^\s:/@]*):[^\s/@]+@")
_PASSWORD = re.compile(
    r"(?i)\b(password|passwd|secret)\b(['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;]+)"
)


def masked_text(text: str) -> str:
    """The text without numbers, keys and passwords."""
    text = _IN_URL.sub(rf"\1:{HIDDEN}@", text)
    text = _PASSWORD.sub(rf"\1\2{HIDDEN}", text)
    text = _KEY.sub(rf"\1_{HIDDEN}", text)
    return _NUMBER.sub(lambda found: mask(found[0]), text)


def masked(value: object) -> object:
    """The value with each text in it masked. What is no text is as a line would show it, masked."""
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, Mapping):
        return {key: masked(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each) for each in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return masked_text(repr(value))  # an exception, octets: they would be written out unseen


def masked_fields(event: Mapping[str, object]) -> dict[str, object]:
    """The fields of a line."""
    return {name: value if name in AS_WRITTEN else masked(value) for name, value in event.items()}
