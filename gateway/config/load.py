"""smsgate.toml and environment -> Config.

Owns the order: file, environment, shape, conversion, secrets from files, checks between settings.
Must not know single settings, beyond the secrets it has to hide.

A ConfigError tells every mistake in a line of its own. Those of a later step are told as far as an
earlier one lets them be seen.
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
from gateway.config.partner_settings import PartnerSettings
from gateway.config.remainder import Unusable, remainder
from gateway.config.route_settings import RouteSettings
from gateway.config.settings import Config, DatabaseSettings
from gateway.config.shape import ConfigError, shape_faults
from gateway.config.values import WrittenValue
from smpp.bind_pool import RECEIVER

_HIDDEN = "***"


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The checked configuration. `path` None: defaults and environment alone. Raises ConfigError.

    Without an account there is one, `default`. Without a route there is one over every connector,
    in the order they are listed.
    """
    document = {} if path is None else _read(path)
    root = inspect.type_info(Config)
    assert isinstance(root, inspect.StructType)
    faults: list[str] = []
    try:
        overlay(document, root, environ)
    except ConfigError as error:
        faults += error.faults
    misshapen = list(shape_faults(document, root))
    faults += (f"{where}: {what}" for where, what in misshapen)
    if not faults:
        return _whole(document)
    try:
        _whole(remainder(document, root))
    except Unusable:
        pass
    except ConfigError as error:
        wrong = tuple(where for where, _ in misshapen)
        faults += (fault for fault in error.faults if not fault.startswith(wrong))
    raise ConfigError(*faults)


def _whole(document: object) -> Config:
    """The configuration of a document that has the right shape. Raises ConfigError."""
    config = msgspec.convert(document, Config, dec_hook=_written)
    faults: list[str] = []
    config = msgspec.structs.replace(
        config,
        database=_with_database_password(config.database, faults),
        connectors=tuple(
            _with_password(connector, f"connectors[{index}]", faults)
            for index, connector in enumerate(config.connectors)
        ),
        accounts=config.accounts or (AccountSettings(name="default"),),
        partners=tuple(
            _with_partner_key(partner, f"partners[{index}]", faults)
            for index, partner in enumerate(config.partners)
        ),
        routes=config.routes or _every_connector(config.connectors),
    )
    try:
        check_whole(config)
    except ConfigError as error:
        faults += error.faults
    if faults:
        raise ConfigError(*faults)
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
            partners=tuple(msgspec.structs.replace(each, key=_HIDDEN) for each in config.partners),
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


def _with_password(connector: ConnectorSettings, path: str, faults: list[str]) -> ConnectorSettings:
    password = _password(connector.password, connector.password_file, path, faults)
    return msgspec.structs.replace(connector, password=password)


def _with_database_password(database: DatabaseSettings, faults: list[str]) -> DatabaseSettings:
    password = _password(database.password, database.password_file, "database", faults)
    if not password:
        return database
    try:
        url = database.url.with_password(password)
    except ValueError as error:
        faults.append(f"database.password: {error}")
        return database
    return msgspec.structs.replace(database, url=url, password="")


def _with_partner_key(partner: PartnerSettings, path: str, faults: list[str]) -> PartnerSettings:
    key = _secret("key", partner.key, partner.key_file, path, faults)
    return msgspec.structs.replace(partner, key=key)


def _password(given: str, file: str | None, path: str, faults: list[str]) -> str:
    return _secret("password", given, file, path, faults)


def _secret(name: str, given: str, file: str | None, path: str, faults: list[str]) -> str:
    """The secret from one of two places, not from both."""
    if file is None:
        return given
    if given:
        faults.append(f"{path}: {name} and {name}_file are both set; keep one")
        return given
    try:
        return read_secret(file)
    except ConfigError as error:
        faults.append(f"{path}.{name}_file: {error}")
        return given


def _every_connector(connectors: tuple[ConnectorSettings, ...]) -> tuple[RouteSettings, ...]:
    senders = tuple(each.name for each in connectors if each.bind != RECEIVER)
    return (RouteSettings(via=senders),) if senders else ()
