"""Partners with whom lists of numbers are compared as hashes.

Owns the list `[[partners]]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import Name, Settings


class PartnerSettings(Settings, frozen=True, kw_only=True):
    """Partners with whom lists of numbers are compared as hashes, HMAC-SHA256 under a shared key.

    There are few enough numbers to try them all. So whoever has the key can read the hashes.
    """

    name: Annotated[Name, Meta(description="As requests name it.")]
    key: Annotated[
        str,
        Meta(
            description="The shared key, 32 to 128 octets in hexadecimal; or use `key_file`.",
            extra={"secret": True},
        ),
    ] = ""
    key_file: Annotated[
        str | None,
        Meta(description="File that holds the shared key; its last line break is dropped."),
    ] = None
