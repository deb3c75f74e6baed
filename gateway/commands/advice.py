"""What `smsgate doctor` finds about settings that are valid, and probably not meant.

Owns these mistakes. Must not refuse any of them: a laboratory may want each. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from gateway.commands.findings import Finding
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings

EXAMPLE_PASSWORDS = frozenset({"secret", "password", "test", "changeme"})


def advice(config: Config) -> Iterator[Finding]:
    """Each with what to do."""
    distant = [each for each in config.connectors if not is_local(each.host)]
    base = str(config.links.base_url)
    if distant and is_local(urlsplit(base).hostname or ""):
        yield _tip(
            "links.base_url", f"recipients cannot open {base}", "set what their phones reach"
        )
    for each in distant:
        yield from _of_connector(each)
    yield from _unused(config)


def _of_connector(settings: ConnectorSettings) -> Iterator[Finding]:
    where = f"connectors.{settings.name}"
    if settings.password in EXAMPLE_PASSWORDS:
        yield _tip(f"{where}.password", "it is the one of an example", "ask the carrier for yours")
    if settings.tls and not settings.tls_verify:
        detail = "any certificate is taken, also that of who stands between"
        yield _tip(f"{where}.tls_verify", detail, "set tls_ca_file, and take this out")


def _unused(config: Config) -> Iterator[Finding]:
    named = {
        leg if isinstance(leg, str) else leg.name for route in config.routes for leg in route.via
    }
    for each in config.connectors:
        if config.routes and each.name not in named and each.bind != "receiver":
            detail = "no route names it, so nothing is sent by it"
            yield _tip(f"connectors.{each.name}", detail, "name it in a route, or take it out")


def is_local(host: str) -> bool:
    """Whether this host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tip(key: str, detail: str, remedy: str) -> Finding:
    return Finding(key, True, detail, remedy)
