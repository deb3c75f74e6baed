"""The id of a request, which every answer carries.

Owns which ids of clients are taken over, the making of all others, and the scope in which log lines
have one. Must not know requests.
"""

from __future__ import annotations

import re
import secrets
from itertools import count

REQUEST_ID_HEADER = "X-Request-Id"
SCOPE_FIELD = "request"  # among the context variables of the log
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


class RequestScope:
    """A request that is being answered. Tasks that it has begun may live on, so it is ended."""

    __slots__ = ("id",)

    def __init__(self, request_id: str) -> None:
        self.id: str | None = request_id

    def end(self) -> None:
        """What is logged from now on is not about this request."""
        self.id = None
