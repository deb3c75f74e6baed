"""The smsgate.toml of a gateway that is rehearsed on this machine.

Owns what every such file has: a folder for the data, free ports, connectors to carriers on this
machine, and routes to them. Must not know other settings: they are text, as docs/configuration.md
has it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.rehearsal.processes import free_port

_TOML = """\
[database]
url = {database}
data_dir = {data_dir}
[http]
listen = "127.0.0.1:0"
[links]
listen = "127.0.0.1:{links_port}"
base_url = "http://127.0.0.1:{links_port}"
{links}"""
_CONNECTOR = """\
[[connectors]]
name = "{name}"
host = "127.0.0.1"
port = {port}
system_id = "{system_id}"
password = "secret"
"""


class Connector(msgspec.Struct, frozen=True):
    """A connector to a carrier that listens at `port` of this machine; its `system_id` is its name
    unless another is given. `more` are further lines of its section.
    """

    name: str
    port: int
    more: str = ""
    system_id: str = ""

    def toml(self) -> str:
        """Its section."""
        system_id = self.system_id or self.name
        head = _CONNECTOR.format(name=self.name, port=self.port, system_id=system_id)
        return f"{head}{self.more}\n"


class Route(msgspec.Struct, frozen=True):
    """A route by these connectors; `match` is what its table holds, as in `sender = ["SHOP"]`."""

    via: Sequence[str]
    match: str = ""

    def toml(self) -> str:
        """Its section."""
        match = f"match = {{ {self.match} }}\n" if self.match else ""
        return f"[[routes]]\n{match}via = {json.dumps(list(self.via))}\n"


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway's. Without routes, all connectors are tried in their order for every message.

    `links` are further lines of that section, `more` further sections.
    """

    data_dir: Path
    connectors: Sequence[Connector]
    routes: Sequence[Route] = ()
    database: str = "embedded"
    links: str = ""
    more: str = ""

    def write(self, path: Path) -> Path:
        """Make or replace the file."""
        every = Route([connector.name for connector in self.connectors])
        head = _TOML.format(
            database=json.dumps(self.database),
            data_dir=json.dumps(str(self.data_dir)),
            links_port=free_port(),
            links=self.links,
        )
        connectors = [connector.toml() for connector in self.connectors]
        routes = [route.toml() for route in self.routes or [every]]
        path.write_text("".join([head, *connectors, *routes, self.more]))
        return path
