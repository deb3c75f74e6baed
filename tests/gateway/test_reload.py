"""What a change of the configuration comes to, connector by connector."""

from __future__ import annotations

import msgspec
import pytest

from gateway.config.account_settings import AccountSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.values import Rate
from gateway.reload import LIVE, REBOUND, account_changes, connector_changes

A = ConnectorSettings(name="a", host="h", system_id="s")
B = ConnectorSettings(name="b", host="h", system_id="s")


def changed(**keys: object) -> ConnectorSettings:
    return msgspec.structs.replace(A, **keys)  # type: ignore[arg-type]


def test_what_did_not_change_is_left_alone() -> None:
    changes = connector_changes([A, B], [B, A])
    assert changes.effective == [B, A]
    changes.effective.clear()
    assert msgspec.structs.astuple(changes) == tuple([] for _ in changes.__struct_fields__)


def test_a_connector_comes_and_another_goes() -> None:
    changes = connector_changes([A], [B])
    assert (changes.added, changes.removed) == ([B], ["a"])


@pytest.mark.parametrize("keys", [{"rate": Rate("5/s")}, {"window": 7}])
def test_rate_and_window_touch_no_bind(keys: dict[str, object]) -> None:
    changes = connector_changes([A], [changed(**keys)])
    assert (changes.adjusted, changes.rebound, changes.restart) == ([changed(**keys)], [], [])


@pytest.mark.parametrize("keys", [{"host": "x"}, {"password": "p", "window": 7}, {"binds": 3}])
def test_what_the_binds_are_made_of_replaces_them(keys: dict[str, object]) -> None:
    changes = connector_changes([A], [changed(**keys)])
    assert (changes.adjusted, changes.rebound) == ([], [changed(**keys)])


def test_the_rest_waits_for_a_restart_and_keeps_its_value_until_then() -> None:
    changes = connector_changes([A], [changed(response_id_base="hex", window=7)])
    assert changes.restart == ["connectors.a.response_id_base"]
    assert changes.effective == changes.adjusted == [changed(window=7)]


def test_every_key_named_here_exists() -> None:
    assert {*LIVE, *REBOUND} <= set(ConnectorSettings.__struct_fields__)


def test_of_an_account_what_the_policy_checks_keep_waits_for_a_restart() -> None:
    before = AccountSettings(name="shop", senders=("A",))
    after = AccountSettings(name="shop", senders=("B",), refuse_landlines=True)
    effective, restart = account_changes([before], [after])
    assert effective == [AccountSettings(name="shop", senders=("B",))]
    assert restart == ["accounts.shop.refuse_landlines"]
