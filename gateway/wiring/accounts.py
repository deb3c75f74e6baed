"""Settings of accounts as what accept and the HTTP edge need to know of them.

Owns that translation. Must not check a value: the configuration did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from gateway.config import Config
from gateway.config.account_settings import AccountSettings
from messages.models import AccountPolicy
from ratelimit.spec import RateSpec
from recipients.numbers.rules import NumberRules
from storage.categories import Category
from storage.names import DEFAULT_ACCOUNT, Registry, register
from storage.pool import Connection

if TYPE_CHECKING:
    from gateway.rooms import Rooms


async def registered(connection: Connection, config: Config) -> Registry:
    """The numbers of all accounts and connectors that are configured; what is new gets one."""
    return await register(
        connection,
        [account.name for account in config.accounts],
        [connector.name for connector in config.connectors],
    )


def settings_of(config: Config, registry: Registry, number: int) -> AccountSettings:
    """What is configured of an account; the defaults for one that is configured no more."""
    name = registry.account_name(number)
    found = (each for each in config.accounts if each.name == name)
    return next(found, AccountSettings(name=name))


def zone_of(config: Config, settings: AccountSettings) -> ZoneInfo:
    """The account's own, or that of the quiet hours."""
    return (settings.time_zone or config.quiet_hours.time_zone).zone


def zone_names(rooms: Rooms) -> Callable[[int], str]:
    """What tells the IANA name of an account's time zone, as the configuration in force has it."""

    def name(account: int) -> str:
        config = rooms.config
        return zone_of(config, settings_of(config, rooms.registry, account)).key

    return name


def validity_seconds(config: Config) -> tuple[int, ...]:
    """By category, how long a message without `expires_in` is tried."""
    return tuple(
        min(getattr(config.validity, category.label), config.limits.validity_seconds_max)
        for category in Category
    )


def request_rates(config: Config, registry: Registry) -> dict[int, RateSpec]:
    """How often each account that has such a limit may ask to send."""
    return {
        registry.accounts[account.name]: account.requests_rate.spec
        for account in config.accounts
        if account.requests_rate is not None
    }


def account_policies(config: Config, registry: Registry) -> dict[int, AccountPolicy]:
    """Those of every configured account, by the id of table `account`."""
    accounts = config.accounts or (AccountSettings(name=DEFAULT_ACCOUNT),)
    numbers = registry.accounts
    return {numbers[each.name]: account_policy(each, numbers[each.name]) for each in accounts}


def account_policy(settings: AccountSettings, number: int) -> AccountPolicy:
    """What validation needs to know of an account."""
    return AccountPolicy(
        id=number,
        name=settings.name,
        default_category=Category.of(settings.default_category),
        senders=settings.senders,
        signature=settings.signature,
        opt_out_suffix=settings.opt_out_suffix,
        shorten_urls=settings.shorten_urls,
        sandbox=settings.sandbox,
        text_days=settings.text_days,
        callback_hosts=settings.callback_hosts,
        numbers=NumberRules(frozenset(settings.countries), settings.refuse_landlines),
    )
