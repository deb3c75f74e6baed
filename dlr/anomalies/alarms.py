"""One alarm a key in six hours, however many windows and detectors agree.

Owns that silence. Must not store: what was told before is given. Pure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Final, TypeVar

QUIET_SECONDS: Final = 6 * 3600
Key = TypeVar("Key", bound=Hashable)
Told = TypeVar("Told")


def to_tell(
    found: Iterable[tuple[Key, Told]], last_told: Mapping[Key, float], now: float
) -> list[tuple[Key, Told]]:
    """Those that are new: the first of each key, if none was told in the last QUIET_SECONDS.

    `last_told`: key -> when, in the seconds of `now`. They come in the order of their weight.
    """
    new: dict[Key, Told] = {}
    for key, each in found:
        if key not in new and now - last_told.get(key, -QUIET_SECONDS) >= QUIET_SECONDS:
            new[key] = each
    return list(new.items())
