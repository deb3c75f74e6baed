"""Where a server really listens, when the configuration said port 0.

Owns nothing but that question.
"""

from __future__ import annotations

from aiohttp import web


def authority(host: str, port: int) -> str:
    """host:port as it stands in a URL, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bound_address(runner: web.AppRunner) -> str:
    """host:port of the first socket."""
    host, port = runner.addresses[0][:2]
    return authority(str(host), int(port))
