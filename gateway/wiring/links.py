"""Links that belong to no message, put together: their domains, and the hosts that they lead to.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.config import Config
from shortlinks.host_list import HostList
from shortlinks.link_rules import AccountLinks, LinkRules
from shortlinks.public_code import KEY_BYTES, KEY_PURPOSE, PublicCodes
from shortlinks.public_desk import LinkDesk
from shortlinks.public_lookup import Domains
from shortlinks.rewrite import domain_of
from storage.names import Registry

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(rooms: Rooms) -> LinkDesk:
    """What the API asks of links."""
    return LinkDesk(
        rooms.database.read,
        rooms.database.dedicated("links of the API"),
        rules=link_rules(rooms.config, rooms.registry),
        codes=PublicCodes(rooms.keys.derive(KEY_PURPOSE, KEY_BYTES)),
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
    )


def link_domains(config: Config) -> Domains:
    """Every domain that links stand under."""
    return Domains(domain_of(config.links.base_url), account_domains(config))


def account_domains(config: Config) -> list[str]:
    """Those of accounts."""
    return [domain_of(base) for each in config.accounts for base in each.link_domains]


def link_rules(config: Config, registry: Registry) -> LinkRules:
    """What links of each account may be."""
    links = config.links
    base = str(links.base_url)
    return LinkRules(
        default=AccountLinks((base,)),
        accounts={
            registry.accounts[each.name]: AccountLinks(
                tuple(map(str, each.link_domains)) or (base,), HostList(each.link_hosts)
            )
            for each in config.accounts
        },
        domains=frozenset({domain_of(base), *account_domains(config)}),
        allowed=HostList(links.allow_hosts),
        denied=HostList(links.deny_hosts),
    )
