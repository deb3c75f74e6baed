"""Client addresses: whose request it is, and how much of the address may be kept.

Owns the truncation of stored addresses, and the trust in X-Forwarded-For. Must not store anything.
Pure. A whole address lives in memory only, for the limit against guessing; written is the prefix.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

IPV4_PREFIX_BITS = 24
IPV6_PREFIX_BITS = 48
IPV6_SUBSCRIBER_BITS = 64  # one customer of an IPv6 provider has at least this many addresses
FORWARDED_CHARACTERS_MAX = 1_024

Network = IPv4Network | IPv6Network
Networks = Literal["truncated", "hashed", "none"]  # how much of an address is stored


def parse_networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks from texts like "10.0.0.0/8" or "::1". Raises ValueError."""
    return tuple(ip_network(text, strict=False) for text in texts)


def client_address(remote: str | None, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The address a request came from; "" when there is none (a Unix socket without a proxy's
    header).

    X-Forwarded-For counts only when the connection comes from a trusted proxy. Of it only the last
    address counts that is no trusted proxy itself. What stands before is the client's own claim.
    """
    address = _parse(remote or "")
    if not trusted or not forwarded_for or (address is not None and not _within(address, trusted)):
        return str(address) if address is not None else ""
    for claim in reversed(forwarded_for[-FORWARDED_CHARACTERS_MAX:].split(",")):
        hop = _parse(claim.strip())
        if hop is None:
            break
        address = hop
        if not _within(hop, trusted):
            break
    return str(address) if address is not None else ""


def stored_prefix(address: str) -> str:
    """What may be stored: "192.0.2.0/24" or "2001:db8:1::/48"; "" for what is no address."""
    parsed = _parse(address)
    if parsed is None:
        return ""
    if isinstance(parsed, IPv4Address):
        return str(IPv4Network((parsed, IPV4_PREFIX_BITS), strict=False))
    return str(IPv6Network((parsed, IPV6_PREFIX_BITS), strict=False))


def hidden(prefix: str, key: bytes) -> str:
    """What may stand for a network where even its prefix may not: the same for the same one."""
    return "h:" + hmac.digest(key, prefix.encode(), "sha256")[:8].hex() if prefix else ""


def subscriber(address: str) -> str:
    """The key by which guesses are counted: the IPv4 address, or the /64 of an IPv6 one."""
    parsed = _parse(address)
    if not isinstance(parsed, IPv6Address):
        return address
    return str(IPv6Network((parsed, IPV6_SUBSCRIBER_BITS), strict=False))


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped  # a dual-stack socket's view of an IPv4 client
    return address


def _within(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
