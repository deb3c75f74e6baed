"""How many files this process may open, and how many its listeners get.

Owns the limit RLIMIT_NOFILE and its division. Must not count connections. A listener that is full
must leave the other its share; so must both to binds, database and journals.
"""

from __future__ import annotations

import resource

import structlog
from msgspec.structs import replace

from gateway.config import Config

RESERVED = 128  # the database's connections, journals, log, modules, what libraries open
BIND_DESCRIPTORS = 2  # one that ends, and the next one that begins
CONNECTIONS_MIN = 8

_log = structlog.get_logger(__name__)


def prepare(config: Config) -> None:
    """Raise the limit to the hard one, and say for what it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:  # macOS calls unlimited what it does not allow
            _log.warning("descriptors_not_raised", limit=soft, error=str(error))
    lowered = fitted(config)
    if lowered != config:
        _log.warning(
            "connections_lowered",
            descriptors=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            http=lowered.http.connections_max,
            links=lowered.links.connections_max,
            hint="raise the limit of open files",
        )


def reserved(config: Config) -> int:
    """Descriptors that are not for clients."""
    binds = sum(connector.binds for connector in config.connectors)
    return RESERVED + config.database.read_connections + BIND_DESCRIPTORS * binds


def shares(room: int, api: int, links: int) -> tuple[int, int]:
    """What the listeners get of `room` descriptors: each in proportion to what it asks for."""
    if api + links <= room:
        return api, links
    for_api = max(CONNECTIONS_MIN, room * api // (api + links))
    return for_api, max(CONNECTIONS_MIN, room - for_api)


def fitted(config: Config, limit: int | None = None) -> Config:
    """The settings with as many connections as this process may open."""
    if limit is None:
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return config
    http, links = config.http, config.links
    for_api, for_links = shares(
        limit - reserved(config), http.connections_max, links.connections_max
    )
    return replace(
        config,
        http=replace(http, connections_max=for_api),
        links=replace(links, connections_max=for_links),
    )
