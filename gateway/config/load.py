"""smsgate.toml and environment -> Config.

Owns the order: file, environment, shape, conversion, secrets from files, cross-checks. Every
failure is a ConfigError of one line. Must not know single settings beyond the secrets it has to
hide.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import inspect

from gateway.config.account_settings import AccountSettings
from gateway.config.checks import check_whole
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.environment import Document, overlay, read_secret
from gateway.config.route_settings import RouteSettings
from gateway.config.settings import Config, DatabaseSettings
from gateway.config.shape import ConfigError, check_shape
from gateway.config.values import WrittenValue
from smpp.bind_pool import RECEIVER

_HIDDEN = "***"


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The checked configuration. `path` None: defaults and environment alone. Raises ConfigError.

    No account configured gives one, `default`; no route gives one over every connector in the order
    they are listed.
    """
    document = {} if path is None else _read(path)
    root = inspect.type_info(Config)
    assert isinstance(root, inspect.StructType)
    overlay(document, root, environ)
    check_shape(document, root)
    config = msgspec.convert(document, Config, dec_hook=_written)
    config = msgspec.structs.replace(
        config,
        database=_with_database_password(config.database),
        connectors=tuple(
            _with_password(connector, f"connectors[{index}]")
            for index, connector in enumerate(config.connectors)
        ),
        accounts=config.accounts or (AccountSettings(name="default"),),
        routes=config.routes or _every_connector(config.connectors),
    )
    check_whole(config)
    return config


def redacted(config: Config) -> dict[str, object]:
    """The configuration in effect as plain values, with every secret replaced by ***."""
    shown = msgspec.to_builtins(
        msgspec.structs.replace(
            config,
            connectors=tuple(
                msgspec.structs.replace(each, password=_HIDDEN if each.password else "")
                for each in config.connectors
            ),
        ),
        enc_hook=str,
    )
    assert isinstance(shown, dict)
    shown["database"]["url"] = config.database.url.redacted
    return shown


def _read(path: Path) -> Document:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _written(kind: type[WrittenValue], value: object) -> WrittenValue:
    return kind.parse(value)


def _with_password(connector: ConnectorSettings, path: str) -> ConnectorSettings:
    password = _password(connector.password, connector.password_file, path)
    return msgspec.structs.replace(connector, password=password)


def _with_database_password(database: DatabaseSettings) -> DatabaseSettings:
    password = _password(database.password, database.password_file, "database")
    if not password:
        return database
    try:
        url = database.url.with_password(password)
    except ValueError as error:
        raise ConfigError(f"database.password: {error}") from None
    return msgspec.structs.replace(database, url=url, password="")


def _password(given: str, file: str | None, path: str) -> str:
    """From either place. Raises ConfigError for both."""
    if file is None:
        return given
    if given:
        raise ConfigError(f"{path}: password and password_file are both set; keep one")
    try:
        return read_secret(file)
    except ConfigError as error:
        raise ConfigError(f"{path}.password_file: {error}") from None


def _every_connector(connectors: tuple[ConnectorSettings, ...]) -> tuple[RouteSettings, ...]:
    senders = tuple(each.name for each in connectors if each.bind != RECEIVER)
    return (RouteSettings(via=senders),) if senders else ()
