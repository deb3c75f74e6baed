"""Owns one call from its first attempt to its end: what is sent, and what an answer leads to.

Must not send or wait: a client does, sync or async. `now` and chance are given.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from smsgate_client.problems import NoAnswer, UnexpectedAnswer, api_error
from smsgate_client.retries import RetryPolicy, may_repeat, retry_after
from smsgate_client.shapes import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from smsgate_client.calls import Call

T = TypeVar("T")


@dataclass(frozen=True)
class Wait:
    """The same request is sent again after so long."""

    seconds: float


@dataclass(frozen=True)
class Done(Generic[T]):
    """What the gateway answered."""

    value: T


class Exchange(Generic[T]):
    """The attempts of one call."""

    def __init__(self, call: Call[T], policy: RetryPolicy) -> None:
        self._call = call
        self._policy = policy
        self._attempt = 0

    def headers(self) -> dict[str, str]:
        """Those of the call itself, the same at each attempt; begins one."""
        self._attempt += 1
        headers = {}
        if self._call.body is not None:
            headers["Content-Type"] = "application/json"
        if self._call.idempotency_key is not None:
            headers["Idempotency-Key"] = self._call.idempotency_key
        if self._call.reveal_reason is not None:
            headers["X-Reveal-Reason"] = self._call.reveal_reason
        if self._call.version is not None:
            headers["If-Match"] = f'"{self._call.version}"'
        return headers

    def answered(
        self, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime, chance: float
    ) -> Wait | Done[T]:
        """Raises ApiError when the answer is a refusal that stands, UnexpectedAnswer if none."""
        document = _document(body)
        if 200 <= status < 300:
            try:
                return Done(self._call.read(document))
            except ShapeError as error:
                raise UnexpectedAnswer(f"{self._named()}: {error}", status=status) from None
        if status < 400:
            raise UnexpectedAnswer(f"{self._named()} was answered with {status}", status=status)
        problem = api_error(status, document, retry_after(headers.get("Retry-After"), now))
        if may_repeat(problem, repeatable=self._call.repeatable):
            wait = self._policy.wait(self._attempt, problem.retry_after, chance)
            if wait is not None:
                return Wait(wait)
        raise problem

    def broke(self, error: Exception, *, sent: bool, chance: float) -> Wait:
        """No answer came; `sent`: the gateway may have the request. Raises NoAnswer at the end."""
        if not sent or self._call.repeatable:
            wait = self._policy.wait(self._attempt, None, chance)
            if wait is not None:
                return Wait(wait)
        said = str(error) or type(error).__name__
        raise NoAnswer(f"{self._named()}: {said}", sent=sent) from error

    def _named(self) -> str:
        return self._call.name or f"{self._call.method} {self._call.path}"


def _document(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
