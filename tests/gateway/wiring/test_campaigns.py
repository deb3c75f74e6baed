"""Campaigns know their account as the configuration in force has it, not as it was at the start."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from gateway.config import Config
from gateway.config.account_settings import AccountSettings
from gateway.config.values import TimeZone
from gateway.rooms import Rooms
from gateway.wiring.campaigns import AccountsInForce
from storage.categories import Category
from storage.names import Registry

SHOP, BANK = 1, 2


def test_a_reload_reaches_what_campaigns_know_of_accounts() -> None:
    registry = Registry({"shop": SHOP}, {})
    before = Config(accounts=(AccountSettings(name="shop", time_zone=TimeZone("Asia/Tokyo")),))
    rooms = SimpleNamespace(config=before, registry=registry)
    accounts = AccountsInForce(cast(Rooms, rooms))
    assert accounts.zone(SHOP).key == "Asia/Tokyo"
    assert not accounts.rules(SHOP).four_eyes

    bank = AccountSettings(
        name="bank", four_eyes=True, require_consent=("marketing",), global_holdout=0.05
    )
    registry.adopt({"shop": SHOP, "bank": BANK}, {})
    rooms.config = Config(accounts=(AccountSettings(name="shop", four_eyes=True), bank))
    usual = rooms.config.quiet_hours.time_zone.zone
    assert accounts.zone(SHOP) == usual
    assert accounts.rules(SHOP).four_eyes
    told = accounts.rules(BANK)
    assert (told.zone, told.four_eyes) == (usual.key, True)
    assert told.consent == {Category.MARKETING}
    assert (told.global_holdout, accounts.rules(SHOP).global_holdout) == (0.05, 0)


def test_of_an_account_that_is_configured_no_more_the_defaults_hold() -> None:
    rooms = SimpleNamespace(config=Config(), registry=Registry({"gone": SHOP}, {}))
    told = AccountsInForce(cast(Rooms, rooms)).rules(SHOP)
    usual = Config().quiet_hours.time_zone.zone.key
    assert (told.zone, told.four_eyes, told.consent) == (usual, False, frozenset())
