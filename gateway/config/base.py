"""What the sections of the configuration are made of.

Owns the base type of a section and the kinds of text that several sections use. Must not know a
section.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CategoryLabel = Literal["otp", "transactional", "service", "marketing"]
CategoryOrAll = Literal["otp", "transactional", "service", "marketing", "all"]
IdBase = Literal["opaque", "hex", "dec"]
ReceiptIdBase = Literal["auto", "opaque", "hex", "dec"]
Name = Annotated[
    str,
    Meta(
        pattern=r"\A[a-z0-9][a-z0-9_-]{0,62}\Z",
        extra={
            "expected": "a name: 1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit"
        },
    ),
]
Country = Annotated[
    str,
    Meta(pattern=r"\A[A-Z]{2}\Z", extra={"expected": 'a country such as "CN": two capitals'}),
]
Prefix = Annotated[
    str,
    Meta(
        pattern=r"\A\+[0-9]{1,15}\Z",
        extra={"expected": 'the beginning of a number such as "+86": + and 1 to 15 digits'},
    ),
]


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of every section."""
