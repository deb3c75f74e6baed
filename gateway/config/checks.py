"""What no single setting shows: names that must exist, must differ, or must fit together.

Owns these rules and their one-line messages. Must not read anything but the converted
configuration.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from campaigns.keywords import KeywordSets
from gateway.accept.senders import sender_fault
from gateway.config.account_settings import AccountSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.policy_settings import NO_CAPS
from gateway.config.retention_settings import KEPT_DAYS_MIN
from gateway.config.route_settings import MatchSettings, RouteSettings
from gateway.config.settings import Config
from gateway.config.shape import ConfigError, nearest
from gateway.config.wire import receipt_manners, wire_profile
from gateway.dispatch.number_origin import NumberOrigins
from gateway.policy.number_rules import COUNTRIES
from shortlinks.addresses import parse_networks
from smpp.bind_pool import BIND_PAIR, RECEIVER
from smpp.tlv import tlv_value
from smpp.vocabulary import TLV_USER_MESSAGE_REFERENCE
from storage.connectors import SANDBOX_NAME


def check_whole(config: Config) -> None:
    """Raise ConfigError for the first rule between settings that is broken."""
    _check_unique("connectors", [connector.name for connector in config.connectors])
    _check_unique("accounts", [account.name for account in config.accounts])
    for index, connector in enumerate(config.connectors):
        _check_connector(connector, f"connectors[{index}]")
    for index, account in enumerate(config.accounts):
        _check_account(account, f"accounts[{index}]")
    connectors = {connector.name for connector in config.connectors}
    accounts = {account.name for account in config.accounts}
    receivers = {each.name for each in config.connectors if each.bind == RECEIVER}
    for index, route in enumerate(config.routes):
        _check_route(route, f"routes[{index}]", connectors, accounts)
        _check_no_receiver(route, f"routes[{index}]", receivers)
    if config.http.bodies_max < config.http.max_body:
        raise ConfigError(
            f"http.bodies_max: {config.http.bodies_max} is less than one body may be, "
            f"{config.http.max_body}"
        )
    try:
        parse_networks(config.links.trusted_proxies)
    except ValueError as error:
        raise ConfigError(f"links.trusted_proxies: {error}") from None
    if config.http.listen == config.links.listen and config.http.listen.port:
        raise ConfigError(f"links.listen: {config.links.listen} is http.listen already")
    for key in config.retention.__struct_fields__:
        days: int = getattr(config.retention, key)
        if 0 < days < KEPT_DAYS_MIN:
            raise ConfigError(
                f"retention.{key}: {days} is too few; at least {KEPT_DAYS_MIN}, or 0 to keep all"
            )


def _check_unique(section: str, names: Sequence[str]) -> None:
    for index, name in enumerate(names):
        if (first := names.index(name)) < index:
            raise ConfigError(f"{section}[{index}].name: {section}[{first}] is {name!r} already")


def _check_connector(connector: ConnectorSettings, path: str) -> None:
    if connector.name == SANDBOX_NAME:
        raise ConfigError(
            f"{path}.name: {SANDBOX_NAME!r} is the built-in sandbox, which reaches no carrier; "
            "choose another name"
        )
    if connector.reconnect_seconds_min > connector.reconnect_seconds_max:
        raise ConfigError(
            f"{path}.reconnect_seconds_min: {connector.reconnect_seconds_min} is more than "
            f"reconnect_seconds_max, {connector.reconnect_seconds_max}"
        )
    if not connector.tls:
        for key in ("tls_ca_file", "tls_server_name", "tls_certificate_file", "tls_key_file"):
            if getattr(connector, key):
                raise ConfigError(f"{path}.{key}: is of no use without tls = true")
    for key in ("system_id", "password", "system_type", "address_range", "service_type"):
        if not getattr(connector, key).isascii() or "\0" in getattr(connector, key):
            raise ConfigError(f"{path}.{key}: SMPP carries ASCII without NUL there")
    _check_bind(connector, path)
    profile = wire_profile(connector, path)
    if connector.user_message_reference and tlv_value(profile.tlvs, TLV_USER_MESSAGE_REFERENCE):
        raise ConfigError(f"{path}.tlvs: user_message_reference is set by its own setting")
    receipt_manners(connector, path)
    if connector.query_after_seconds is not None and (
        connector.response_id_base != "opaque" or connector.id_rewrite is not None
    ):
        raise ConfigError(
            f"{path}.query_after_seconds: needs ids as the carrier wrote them: response_id_base = "
            '"opaque" and no id_rewrite'
        )


def _check_bind(connector: ConnectorSettings, path: str) -> None:
    if connector.bind != BIND_PAIR:
        for key in ("receiver_host", "receiver_port"):
            if getattr(connector, key) is not None:
                raise ConfigError(f"{path}.{key}: is of no use without bind = {BIND_PAIR!r}")
    if connector.bind == RECEIVER and connector.query_after_seconds is not None:
        raise ConfigError(f"{path}.query_after_seconds: a receiver asks nothing")


def _check_account(account: AccountSettings, path: str) -> None:
    for index, sender in enumerate(account.senders):
        if (fault := sender_fault(sender)) is not None:
            raise ConfigError(f"{path}.senders[{index}]: {fault}")
    try:
        KeywordSets.of(account.opt_out_keywords, account.opt_in_keywords)
    except ValueError as error:
        raise ConfigError(f"{path}.opt_out_keywords, opt_in_keywords: {error}") from None
    _check_caps(account, f"{path}.caps")
    for index, country in enumerate(account.countries):
        if country not in COUNTRIES:
            raise ConfigError(f"{path}.countries[{index}]: no country has the code {country!r}")
    for index, each in enumerate(account.sender_rates):
        if account.senders and each.sender not in account.senders:
            raise ConfigError(
                f"{path}.sender_rates[{index}].sender: {each.sender!r} is not a sender of this "
                f"account{nearest(each.sender, account.senders)}"
            )
    for key in ("signature", "opt_out_suffix", "opt_out_reply"):
        text: str = getattr(account, key)
        if any(char != "\n" and not char.isprintable() and not char.isspace() for char in text):
            raise ConfigError(f"{path}.{key}: holds a control character")


def _check_caps(account: AccountSettings, path: str) -> None:
    for category in ("transactional", "service"):
        if getattr(account.caps, category) == NO_CAPS:
            what = "is empty; it takes day, week, month and gap_seconds"
            raise ConfigError(f"{path}.{category}: {what}")


def _check_route(route: RouteSettings, path: str, connectors: set[str], accounts: set[str]) -> None:
    names: list[str] = []
    for index, leg in enumerate(route.via):
        name = leg if isinstance(leg, str) else leg.name
        if name not in connectors:
            raise ConfigError(
                f"{path}.via[{index}]: no connector {name!r}{nearest(name, connectors)}"
            )
        if name in names:
            raise ConfigError(f"{path}.via[{index}]: {name!r} is named twice")
        names.append(name)
    if len({isinstance(leg, str) for leg in route.via}) > 1:
        raise ConfigError(f"{path}.via: give every connector a weight, or none")
    _check_origins(route.match, f"{path}.match")
    for index, account in enumerate(route.match.account):
        if account not in accounts:
            raise ConfigError(
                f"{path}.match.account[{index}]: no account {account!r}{nearest(account, accounts)}"
            )


def _check_no_receiver(route: RouteSettings, path: str, receivers: set[str]) -> None:
    for index, leg in enumerate(route.via):
        name = leg if isinstance(leg, str) else leg.name
        if name in receivers:
            raise ConfigError(
                f"{path}.via[{index}]: {name!r} is bound as a receiver, which sends nothing"
            )


def _check_origins(match: MatchSettings, path: str) -> None:
    for index, country in enumerate(match.country):
        if country not in COUNTRIES:
            raise ConfigError(f"{path}.country[{index}]: no numbers are from {country!r}")
    known = NumberOrigins().operators() if match.operator else frozenset()
    for index, operator in enumerate(match.operator):
        if operator.lower() not in known:
            raise ConfigError(
                f"{path}.operator[{index}]: no range is assigned to {operator!r}; "
                + (_alike(operator, known) or "see `smsgate route explain` for a number's operator")
            )


def _alike(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
