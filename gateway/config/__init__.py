"""The configuration: smsgate.toml and the environment in, one checked immutable `Config` out.

Must not open connections or know who uses a setting.
"""

from __future__ import annotations

from gateway.config.load import load_config, redacted
from gateway.config.settings import (
    AccountSettings,
    Config,
    ConnectorSettings,
    DatabaseSettings,
    HttpSettings,
    LimitSettings,
    LinkSettings,
    MatchSettings,
    RouteSettings,
    ShareSettings,
)
from gateway.config.shape import ConfigError

__all__ = [
    "AccountSettings",
    "Config",
    "ConfigError",
    "ConnectorSettings",
    "DatabaseSettings",
    "HttpSettings",
    "LimitSettings",
    "LinkSettings",
    "MatchSettings",
    "RouteSettings",
    "ShareSettings",
    "load_config",
    "redacted",
]
