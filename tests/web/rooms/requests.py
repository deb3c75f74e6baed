"""Requests with an Idempotency-Key, and what was answered to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from messages.accept.idempotency import Claimed, InProgress, KeptAnswer, OtherBody, RequestKey
from storage.ids import IdSource
from tests.web.rooms.forced import Forced


class Requests(Forced):
    """Implements RequestMemory."""

    ids: IdSource

    def __init__(self) -> None:
        super().__init__()
        self.requests: dict[RequestKey, tuple[bytes, KeptAnswer | None]] = {}

    @contextmanager
    def running(self, key: RequestKey) -> Iterator[None]:
        if self.requests.get(key, (b"", True))[1] is None:
            raise InProgress
        try:
            yield
        finally:
            if self.requests.get(key, (b"", True))[1] is None:
                del self.requests[key]

    async def claim(self, key: RequestKey, fingerprint: bytes, count: int) -> Claimed | KeptAnswer:
        self.fail()
        before, answer = self.requests.setdefault(key, (fingerprint, None))
        if before != fingerprint:
            raise OtherBody
        return answer or Claimed(self.ids.take(count))

    async def keep(self, key: RequestKey, answer: KeptAnswer) -> None:
        self.requests[key] = (self.requests[key][0], answer)
