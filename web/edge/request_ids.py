"""The id of a request, which every answer carries.

Owns which ids of clients are taken over, and the making of all others. Must not know requests.
"""

from __future__ import annotations

import re
import secrets
from itertools import count

REQUEST_ID_HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)


class RequestIds:
    """Ids unique over all processes: each has its own prefix."""

    def __init__(self) -> None:
        self._prefix = f"req_{secrets.token_hex(6)}"
        self._numbers = count(1)

    def of(self, given: str | None) -> str:
        """The client's own id if it is a plain one, else the next of ours."""
        if given is not None and _GIVEN.fullmatch(given):
            return given
        return f"{self._prefix}{next(self._numbers):08x}"
