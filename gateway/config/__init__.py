"""The configuration: smsgate.toml and the environment in, one checked immutable `Config` out.

Owns every setting. Must not open connections or know who uses a setting.
"""

from __future__ import annotations

from gateway.config.account_settings import AccountSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.load import load_config, redacted
from gateway.config.route_settings import MatchSettings, RouteSettings, ShareSettings
from gateway.config.settings import (
    Config,
    DatabaseSettings,
    HttpSettings,
    LimitSettings,
    LinkSettings,
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
