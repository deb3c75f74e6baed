"""Links that belong to no message, put together: under which domains they stand.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

from gateway.config import Config
from shortlinks.public_lookup import Domains
from shortlinks.rewrite import domain_of


def link_domains(config: Config) -> Domains:
    """Every domain that links stand under."""
    others = [domain_of(base) for each in config.accounts for base in each.link_domains]
    return Domains(domain_of(config.links.base_url), others)
