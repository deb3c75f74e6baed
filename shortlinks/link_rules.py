"""What a link that belongs to no message may be: its domain, and the hosts that it leads to.

Owns these rules, account by account. Must not store a link, nor know what a request holds. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from urllib.parse import urlsplit

import msgspec

from shortlinks.host_list import HostList
from shortlinks.rewrite import InvalidTargetError, domain_of, normalise_target


class LinkRefused(ValueError):
    """No link may be so. `code` is that of the problem."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class AccountLinks(msgspec.Struct, frozen=True):
    """Of one account: `bases` of its short URLs, the first by default; hosts that its links may
    lead to, empty: any.
    """

    bases: tuple[str, ...]
    hosts: HostList = HostList()


class LinkRules(msgspec.Struct, frozen=True, kw_only=True):
    """Of this installation. `default`: of an account that is not in `accounts`. `domains`: every
    one that our links stand under. Of `allowed` an empty list is: any host.
    """

    default: AccountLinks
    accounts: Mapping[int, AccountLinks]
    domains: frozenset[str]
    allowed: HostList = HostList()
    denied: HostList = HostList()

    def of(self, account: int) -> AccountLinks:
        """Those of an account."""
        return self.accounts.get(account, self.default)

    def base(self, account: int, domain: str | None) -> str:
        """What a short URL under this domain begins with. Raises LinkRefused."""
        bases = self.of(account).bases
        if domain is None:
            return bases[0]
        for base in bases:
            if domain in (base, domain_of(base)):
                return base
        said = ", ".join(map(domain_of, bases))
        raise LinkRefused("link_domain_unknown", f"domain is one of {said}")

    def short_url(self, account: int, domain: str, code: str) -> str:
        """As it is handed out, also once the account has lost the domain."""
        try:
            return f"{self.base(account, domain)}/{code}"
        except LinkRefused:
            return f"{domain}/{code}"

    def target(self, account: int, url: str, name: str) -> str:
        """The URL as it goes into a Location header. `name`: its field. Raises LinkRefused."""
        try:
            target = normalise_target(url)
        except InvalidTargetError as error:
            what = str(error).removeprefix("link target: ")
            raise LinkRefused("link_url_invalid", f"{name}: {what}") from None
        parts = urlsplit(target)
        host = parts.hostname or ""
        if _veils_an_address(host):
            raise LinkRefused("link_url_invalid", f"{name}: its host is an address in disguise")
        if parts.netloc in self.domains or host in self.domains:
            detail = f"{name} leads to {parts.netloc}, where short links stand: to no end"
            raise LinkRefused("link_loop", detail)
        allowed = (self.allowed, self.of(account).hosts)
        if host in self.denied or any(hosts and host not in hosts for hosts in allowed):
            raise LinkRefused("link_host_refused", f"{name}: links may not lead to {host}")
        return target


def _veils_an_address(host: str) -> bool:
    """Browsers read 2130706433 and 0x7f.1 as addresses; no list of hosts would name them so."""
    last = host.rpartition(".")[2]
    if not (last.isdigit() or last.startswith("0x")):
        return False
    try:
        return str(IPv4Address(host)) != host
    except ValueError:
        return True
