"""Where a webhook may go: what URL may be asked, and what address a name may lead to.

Owns these rules, against requests forged through us (SSRF). Pure: who resolves a name asks here
about every answer (client.py). Must not resolve or connect.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

import msgspec
from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

URL_CHARACTERS_MAX = 2048
PORTS = frozenset({443, 8443})
PLAIN_PORT = 80

# `is_global` of Python 3.11 is true of these, and who listens there is not who was meant.
_NOT_PUBLIC_4 = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "224.0.0.0/4")))
_PUBLIC_6 = IPv6Network("2000::/3")
# Teredo and its neighbours, examples, 6to4, examples.
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# An IPv4 address in IPv6 form: mapped, and NAT64. What counts is the address inside.
_WRAPPED = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96")))
# A host that ends so is read as an IPv4 address by some: decimal, octal, hexadecimal, shortened.
_NUMBER = re.compile(r"\d+|0[xX][0-9a-fA-F]*")
_NAME = re.compile(r"(?=.{1,253}\.?\Z)\w[\w-]{0,62}(?:\.\w[\w-]{0,62})*\.?", re.ASCII)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")


class UrlRefused(Exception):
    """Nothing may be sent to this URL, now or later: says what would be right."""


class AddressRefused(OSError):
    """A name led to an address that may not be asked. It may lead elsewhere tomorrow."""


class Target(NamedTuple):
    """A URL that was checked. `address` is set when its host is one and no name."""

    url: URL
    host: str
    port: int
    address: Address | None


class AddressPolicy(msgspec.Struct, frozen=True):
    """What the operator opened. The ports hold for public addresses: who opens a network opens
    every port of it.
    """

    allow_networks: tuple[Network, ...] = ()
    allow_http: bool = False
    ports: frozenset[int] = PORTS

    @classmethod
    def of(
        cls, networks: Sequence[str] = (), *, allow_http: bool = False, ports: Sequence[int] = ()
    ) -> AddressPolicy:
        """`ports` beside 443 and 8443. Raises ValueError for what is no network."""
        plain = {PLAIN_PORT} if allow_http else set()
        return cls(
            allow_networks=tuple(map(ipaddress.ip_network, networks)),
            allow_http=allow_http,
            ports=PORTS | plain | frozenset(ports),
        )

    def target(self, text: str) -> Target:
        """The URL, read as the client will read it. Raises UrlRefused."""
        if not 1 <= len(text) <= URL_CHARACTERS_MAX:
            raise UrlRefused(f"a URL has 1 to {URL_CHARACTERS_MAX} characters")
        if _UNSAFE.search(text) is not None:
            raise UrlRefused("a URL has no blanks, control characters or backslashes")
        try:
            url = URL(text)
            host, port = url.raw_host, url.port
        except ValueError:
            raise UrlRefused("this is no URL") from None
        self._check_form(url, text)
        if not host or port is None:
            raise UrlRefused("the URL names no host")
        target = Target(url, host, port, _literal(host))
        if target.address is not None:
            self._check_literal(target.address, port)
        elif port not in self.ports and not self.allow_networks:
            raise UrlRefused(self._wrong_port(port))
        return target

    def check_answers(self, host: str, port: int, addresses: Sequence[str]) -> None:
        """Every address that a name leads to. Raises AddressRefused if one may not be asked."""
        for text in addresses:
            fault = self.fault(ipaddress.ip_address(text), port)
            if fault is not None:
                raise AddressRefused(f"{host} leads to {text}: {fault}")

    def fault(self, address: Address, port: int) -> str | None:
        """Why this address and port may not be asked; None: they may."""
        inner = _unwrapped(address)
        if any(each in network for each in (address, inner) for network in self.allow_networks):
            return None
        if not _is_public(inner):
            return "not a public address"
        return None if port in self.ports else self._wrong_port(port)

    def _check_form(self, url: URL, text: str) -> None:
        schemes = ("https", "http") if self.allow_http else ("https",)
        if url.scheme not in schemes:
            raise UrlRefused(f"expected {' or '.join(f'{each}://' for each in schemes)}")
        if _USER.match(text) is not None:
            raise UrlRefused("a URL with a user or a password is not taken")
        if url.raw_fragment:
            raise UrlRefused("a URL with a fragment (#) is not taken")

    def _check_literal(self, address: Address, port: int) -> None:
        fault = self.fault(address, port)
        if fault is not None:
            raise UrlRefused(f"{address}: {fault}")

    def _wrong_port(self, port: int) -> str:
        return f"port {port}: expected one of {', '.join(map(str, sorted(self.ports)))}"


def _literal(host: str) -> Address | None:
    """The address that the host is. Raises UrlRefused for what only looks like one."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        last = host.removesuffix(".").rpartition(".")[2]
        if _NAME.fullmatch(host) is None or _NUMBER.fullmatch(last) is not None:
            raise UrlRefused("the host is neither a name nor an address as it is written") from None
        return None
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise UrlRefused("an address with a zone (%) is not taken")
    return address


def _unwrapped(address: Address) -> Address:
    if isinstance(address, IPv6Address) and any(address in each for each in _WRAPPED):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in each for each in _NOT_PUBLIC_4)
    return address in _PUBLIC_6 and not any(address in each for each in _NOT_PUBLIC_6)
