"""Owns what both clients know of a gateway: its address, the key, the time-outs, the patience.

Must not open a connection, nor show the key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import httpx2

from smsgate_client.retries import RetryPolicy

if TYPE_CHECKING:
    from smsgate_client.calls import Call
    from smsgate_client.exchange import Exchange

# The request never left: neither a connection nor a place among the open ones.
NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# What may go better with the next attempt. A wrong address or scheme does not.
MAY_PASS = (httpx2.TimeoutException, httpx2.NetworkError, httpx2.RemoteProtocolError)


@dataclass(frozen=True)
class Connection:
    """How to reach one account of a gateway."""

    url: str
    key: str = field(repr=False)
    retry: RetryPolicy
    timeout_seconds: float

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{self.url!r} is no address; it begins with https:// or http://")
        if not self.key.isascii() or not self.key.isprintable() or not self.key:
            raise ValueError("the key is empty, or has characters that no key has")
        if not self.timeout_seconds > 0:
            raise ValueError(f"timeout_seconds is {self.timeout_seconds}; it is above 0")

    def request(self, call: Call[Any], exchange: Exchange[Any]) -> dict[str, Any]:
        """The arguments of the next attempt's request."""
        return {
            "method": call.method,
            "url": self.url.rstrip("/") + call.path,
            "params": call.query or None,
            "content": call.body,
            "headers": httpx2.Headers(
                {
                    "Authorization": f"Bearer {self.key}",
                    "Accept": "application/json",
                    "User-Agent": f"smsgate-client/{version('smsgate-client')}",
                    **exchange.headers(),
                },
                encoding="utf-8",
            ),
            "timeout": self.timeout_seconds,
            "follow_redirects": False,
        }


def connection(url: str, key: str, retry: RetryPolicy | None, timeout_seconds: float) -> Connection:
    """Raises ValueError, so that a mistake is found where the client is made."""
    return Connection(url, key, retry or RetryPolicy(), timeout_seconds)


def was_sent(error: httpx2.TransportError) -> bool:
    """Whether the gateway may have got the request."""
    return not isinstance(error, NOT_SENT)
