"""Where a server really listens, when the configuration said port 0.

Owns nothing but that question. Must not listen.
"""

from __future__ import annotations


def authority(host: str, port: int) -> str:
    """host:port as it stands in a URL, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
