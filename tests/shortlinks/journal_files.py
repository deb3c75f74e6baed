"""Reading back what a click journal holds, for assertions."""

from __future__ import annotations

from pathlib import Path

import msgspec

from shortlinks.classify import RequestFacts
from shortlinks.journal import Click


def recorded(folder: Path) -> list[Click]:
    """Every complete record of every file, in order."""
    data = b"".join(path.read_bytes() for path in sorted(folder.glob("*.clicks")))
    return [msgspec.json.decode(line, type=Click) for line in data.splitlines()]


def click(number: int, *, agent: str = "curl/8", method: str = "GET", message_id: int = 1) -> Click:
    """A record whose id is `number`."""
    return Click(number, 1, 0, message_id, method, "192.0.2.0/24", agent, RequestFacts())
