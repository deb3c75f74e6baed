"""Rate limits on requests of an account, and the header fields that describe its quotas.

Owns the request buckets, and the fields RateLimit-Policy and RateLimit
(draft-ietf-httpapi-ratelimit-headers-11). Must not limit parts: messages/accept/pacing.py does, and
they are only described here.

Requests above the rate are refused. Parts above theirs are taken and wait. Each process keeps whole
rates; with several gateways, configure each one's share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

from aiohttp import web

from ratelimit.spec import RateSpec
from ratelimit.token_bucket import NANOSECONDS, TokenBucket
from web.edge.problems import ProblemError

REQUESTS, PARTS = "requests", "parts"  # the names of the two policies
RETRY_SECONDS_MAX = 3600  # what a paused account (rate 0) is told
_NOTHING: Mapping[str, str] = MappingProxyType({})

LIMITED = web.RequestKey("limited account", int)  # whose quotas the answer describes


class PartsQuota(Protocol):
    """(parts of an account that may go at once, ns until its whole burst may)."""

    def __call__(self, account: int, now_ns: int, /) -> tuple[int, int]: ...


class RequestLimits:
    """Limits by the id of table `account`. False when there are none; nothing is asked then."""

    def __init__(
        self,
        requests: Mapping[int, RateSpec],
        parts: Mapping[int, RateSpec],
        *,
        parts_quota: PartsQuota,
        monotonic_ns: Callable[[], int],
    ) -> None:
        self._buckets: dict[int, TokenBucket] = {}
        self._parts_quota = parts_quota
        self._monotonic_ns = monotonic_ns
        self.follow(requests, parts)

    def follow(self, requests: Mapping[int, RateSpec], parts: Mapping[int, RateSpec]) -> None:
        """Follow these limits from now on. What was counted stays counted."""
        now_ns = self._monotonic_ns()
        buckets = {
            account: self._buckets.get(account) or TokenBucket(spec, now_ns)
            for account, spec in requests.items()
        }
        for account, spec in requests.items():
            buckets[account].set_rate(spec, now_ns)
        self._buckets = buckets
        self._parts = frozenset(parts)
        self._policies = {
            account: _policies(requests.get(account), parts.get(account))
            for account in {*requests, *parts}
        }

    def __bool__(self) -> bool:
        return bool(self._policies)

    def take(self, account: int) -> None:
        """Count a request. Raises ProblemError 429 when the account has asked too often."""
        bucket = self._buckets.get(account)
        wait_ns = 0 if bucket is None else bucket.take(1, self._monotonic_ns())
        if wait_ns:
            seconds = min(RETRY_SECONDS_MAX, -(-wait_ns // NANOSECONDS))
            raise ProblemError(
                "quota_exceeded",
                f"this account's requests_rate is used up; try again in {seconds} s",
                headers={"Retry-After": str(seconds)},
                policies=(REQUESTS,),
            )

    def fields(self, account: int | None) -> Mapping[str, str]:
        """The account's quotas as header fields. Empty for None, or an account without limits."""
        if account is None or account not in self._policies:
            return _NOTHING
        now_ns = self._monotonic_ns()
        left: list[str] = []
        bucket = self._buckets.get(account)
        if bucket is not None:
            left.append(_left(REQUESTS, bucket.available(now_ns), bucket.full_in(now_ns)))
        if account in self._parts:
            left.append(_left(PARTS, *self._parts_quota(account, now_ns)))
        return {"RateLimit-Policy": self._policies[account], "RateLimit": ", ".join(left)}


def _policies(requests: RateSpec | None, parts: RateSpec | None) -> str:
    items = []
    if requests is not None:
        items.append(f'"{REQUESTS}";q={requests.numerator};w={requests.denominator}')
    if parts is not None:
        items.append(f'"{PARTS}";q={parts.numerator};w={parts.denominator};qu="parts"')
    return ", ".join(items)


def _left(name: str, available: int, full_in_ns: int) -> str:
    return f'"{name}";r={available};t={min(RETRY_SECONDS_MAX, -(-full_in_ns // NANOSECONDS))}'
