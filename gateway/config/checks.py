"""What no single setting shows: names that must exist, must differ, or must fit together.

Owns these rules and their one-line messages. Must not read anything but the converted
configuration.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

from gateway.config.account_settings import AccountSettings, of_brand, reply_words
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.partner_settings import PartnerSettings
from gateway.config.policy_settings import NO_CAPS
from gateway.config.retention_settings import KEPT_DAYS_MIN
from gateway.config.route_settings import MatchSettings, RouteSettings
from gateway.config.settings import Config
from gateway.config.shape import ConfigError, nearest
from gateway.config.wire import wire_faults, wire_profile
from messages.accept.senders import sender_fault
from recipients.numbers.origins import NumberOrigins
from recipients.numbers.rules import COUNTRIES
from recipients.partner_hash import KEY_BYTES_MAX, KEY_BYTES_MIN, PartnerKey
from recipients.scopes import brands_of
from shortlinks.addresses import parse_networks
from smpp.bind_pool import BIND_PAIR, RECEIVER
from smpp.tlv import tlv_value
from smpp.vocabulary import TLV_USER_MESSAGE_REFERENCE
from storage.names import SANDBOX_NAME


def check_whole(config: Config) -> None:
    """Raise ConfigError with every rule between settings that is broken."""
    faults: list[str] = []
    for rule in _rules(config):
        try:
            faults.extend(rule)
        except ConfigError as error:
            faults.extend(error.faults)
    if faults:
        raise ConfigError(*dict.fromkeys(faults))


def _rules(config: Config) -> Iterator[Iterator[str]]:
    """Every rule. Each gives its faults, one by one."""
    yield _check_unique("connectors", [connector.name for connector in config.connectors])
    yield _check_unique("accounts", [account.name for account in config.accounts])
    for index, connector in enumerate(config.connectors):
        yield _check_connector(connector, f"connectors[{index}]")
    for index, account in enumerate(config.accounts):
        yield _check_account(account, f"accounts[{index}]")
    connectors = {connector.name for connector in config.connectors}
    accounts = {account.name for account in config.accounts}
    receivers = {each.name for each in config.connectors if each.bind == RECEIVER}
    for index, route in enumerate(config.routes):
        yield _check_route(route, f"routes[{index}]", connectors, accounts)
        yield _check_no_receiver(route, f"routes[{index}]", receivers)
    yield _check_unique("partners", [partner.name for partner in config.partners])
    for index, partner in enumerate(config.partners):
        yield _check_partner(partner, f"partners[{index}]")
    yield _check_sections(config)


def _check_partner(partner: PartnerSettings, path: str) -> Iterator[str]:
    where = f"{path}.key" if partner.key_file is None else f"{path}.key_file"
    try:
        PartnerKey(bytes.fromhex(partner.key))
    except ValueError:
        yield f"{where}: expected {KEY_BYTES_MIN} to {KEY_BYTES_MAX} octets in hexadecimal"


def _check_wire(connector: ConnectorSettings, path: str) -> Iterator[str]:
    """The faults that wire.py finds."""
    faults = list(wire_faults(connector, path))
    yield from faults
    if faults or not connector.user_message_reference:
        return
    if tlv_value(wire_profile(connector, path).tlvs, TLV_USER_MESSAGE_REFERENCE):
        yield f"{path}.tlvs: user_message_reference is set by its own setting"


def _check_sections(config: Config) -> Iterator[str]:
    if config.http.bodies_max < config.http.max_body:
        yield (
            f"http.bodies_max: {config.http.bodies_max} is less than one body may be, "
            f"{config.http.max_body}"
        )
    if config.http.tls_key_file and not config.http.tls_certificate_file:
        yield "http.tls_key_file: is of no use without tls_certificate_file"
    networks = {
        "http.trusted_proxies": config.http.trusted_proxies,
        "links.trusted_proxies": config.links.trusted_proxies,
        "webhooks.allow_networks": config.webhooks.allow_networks,
    }
    for key, texts in networks.items():
        try:
            parse_networks(texts)
        except ValueError as error:
            yield f"{key}: {error}"
    if config.http.listen == config.links.listen and config.http.listen.port:
        yield f"links.listen: {config.links.listen} is http.listen already"
    for key in config.retention.__struct_fields__:
        days: int | None = getattr(config.retention, key)
        if days is not None and 0 < days < KEPT_DAYS_MIN:
            yield f"retention.{key}: {days} is too few; at least {KEPT_DAYS_MIN}, or 0 to keep all"


def _check_unique(section: str, names: Sequence[str]) -> Iterator[str]:
    for index, name in enumerate(names):
        if (first := names.index(name)) < index:
            yield f"{section}[{index}].name: {section}[{first}] is {name!r} already"


def _check_connector(connector: ConnectorSettings, path: str) -> Iterator[str]:
    if connector.name == SANDBOX_NAME:
        yield (
            f"{path}.name: {SANDBOX_NAME!r} is the built-in sandbox, which reaches no carrier; "
            "choose another name"
        )
    if connector.reconnect_seconds_min > connector.reconnect_seconds_max:
        yield (
            f"{path}.reconnect_seconds_min: {connector.reconnect_seconds_min} is more than "
            f"reconnect_seconds_max, {connector.reconnect_seconds_max}"
        )
    if not connector.tls:
        for key in ("tls_ca_file", "tls_server_name", "tls_certificate_file", "tls_key_file"):
            if getattr(connector, key):
                yield f"{path}.{key}: is of no use without tls = true"
    texts = ("system_id", "password", "system_type", "address_range", "service_type")
    wrong = [key for key in texts if not _is_ascii(getattr(connector, key))]
    yield from (f"{path}.{key}: SMPP carries ASCII without NUL there" for key in wrong)
    if not wrong:
        yield from _check_wire(connector, path)
    yield from _check_bind(connector, path)
    if connector.query_after_seconds is not None and (
        connector.response_id_base != "opaque" or connector.id_rewrite is not None
    ):
        yield (
            f"{path}.query_after_seconds: needs ids as the carrier wrote them: response_id_base = "
            '"opaque" and no id_rewrite'
        )


def _is_ascii(text: str) -> bool:
    return text.isascii() and "\0" not in text


def _check_bind(connector: ConnectorSettings, path: str) -> Iterator[str]:
    if connector.bind != BIND_PAIR:
        for key in ("receiver_host", "receiver_port"):
            if getattr(connector, key) is not None:
                yield f"{path}.{key}: is of no use without bind = {BIND_PAIR!r}"
    if connector.bind == RECEIVER and connector.query_after_seconds is not None:
        yield f"{path}.query_after_seconds: a receiver asks nothing"


def _check_account(account: AccountSettings, path: str) -> Iterator[str]:
    for index, sender in enumerate(account.senders):
        if (fault := sender_fault(sender)) is not None:
            yield f"{path}.senders[{index}]: {fault}"
    try:
        reply_words(account)
    except ValueError as error:
        yield f"{path}.opt_out_keywords or another list of words: {error}"
    yield from _check_brands(account, path)
    yield from _check_caps(account, f"{path}.caps")
    for index, country in enumerate(account.countries):
        if country not in COUNTRIES:
            yield f"{path}.countries[{index}]: no country has the code {country!r}"
    for index, each in enumerate(account.sender_rates):
        if account.senders and each.sender not in account.senders:
            yield (
                f"{path}.sender_rates[{index}].sender: {each.sender!r} is not a sender of this "
                f"account{nearest(each.sender, account.senders)}"
            )
    for key in ("signature", "opt_out_suffix", "opt_out_reply", "help_reply", "opt_out_page_name"):
        text: str = getattr(account, key)
        if any(char != "\n" and not char.isprintable() and not char.isspace() for char in text):
            yield f"{path}.{key}: holds a control character"


def _check_brands(account: AccountSettings, path: str) -> Iterator[str]:
    names = [brand.name for brand in account.brands]
    yield from _check_unique(f"{path}.brands", names)
    if account.opt_out_scope == "brand" and not names:
        yield f"{path}.opt_out_scope: 'brand' needs brands"
    try:
        brands_of((brand.name, brand.senders) for brand in account.brands)
    except ValueError as error:
        yield f"{path}.brands: {error}"
    for index, brand in enumerate(account.brands):
        for sender in brand.senders:
            if account.senders and sender not in account.senders:
                yield (
                    f"{path}.brands[{index}].senders: {sender!r} is not a sender of this account"
                    f"{nearest(sender, account.senders)}"
                )
            elif (fault := sender_fault(sender)) is not None:
                yield f"{path}.brands[{index}].senders: {sender!r} {fault}"
        try:
            reply_words(of_brand(account, brand))
        except ValueError as error:
            yield f"{path}.brands[{index}].opt_out_keywords or another list of words: {error}"


def _check_caps(account: AccountSettings, path: str) -> Iterator[str]:
    for category in ("transactional", "service"):
        if getattr(account.caps, category) == NO_CAPS:
            what = "is empty; it takes day, week, month and gap_seconds"
            yield f"{path}.{category}: {what}"


def _check_route(
    route: RouteSettings, path: str, connectors: set[str], accounts: set[str]
) -> Iterator[str]:
    names: list[str] = []
    for index, leg in enumerate(route.via):
        name = leg if isinstance(leg, str) else leg.name
        if name not in connectors:
            yield (f"{path}.via[{index}]: no connector {name!r}{nearest(name, connectors)}")
        if name in names:
            yield f"{path}.via[{index}]: {name!r} is named twice"
        names.append(name)
    if len({isinstance(leg, str) for leg in route.via}) > 1:
        yield f"{path}.via: give every connector a weight, or none"
    yield from _check_origins(route.match, f"{path}.match")
    for index, account in enumerate(route.match.account):
        if account not in accounts:
            yield (
                f"{path}.match.account[{index}]: no account {account!r}{nearest(account, accounts)}"
            )


def _check_no_receiver(route: RouteSettings, path: str, receivers: set[str]) -> Iterator[str]:
    for index, leg in enumerate(route.via):
        name = leg if isinstance(leg, str) else leg.name
        if name in receivers:
            yield f"{path}.via[{index}]: {name!r} is bound as a receiver, which sends nothing"


def _check_origins(match: MatchSettings, path: str) -> Iterator[str]:
    for index, country in enumerate(match.country):
        if country not in COUNTRIES:
            yield f"{path}.country[{index}]: no numbers are from {country!r}"
    known = NumberOrigins().operators() if match.operator else frozenset()
    for index, operator in enumerate(match.operator):
        if operator.lower() not in known:
            yield (
                f"{path}.operator[{index}]: no range is assigned to {operator!r}; "
                + (_alike(operator, known) or "see `smsgate route explain` for a number's operator")
            )


def _alike(name: str, known: frozenset[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
