"""Settings that are valid and probably not meant."""

from __future__ import annotations

import pytest

from gateway.commands.advice import advice, is_local
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.route_settings import RouteSettings


def connector(name: str, **keys: object) -> ConnectorSettings:
    given = {"host": "smpp.example", "port": 2775, "system_id": "x", "password": "s3cret", **keys}
    return ConnectorSettings(name=name, **given)  # type: ignore[arg-type]


def told(config: Config) -> set[str]:
    found = list(advice(config))
    assert all(each.ok and each.remedy for each in found)
    return {each.what for each in found}


def test_a_laboratory_on_one_machine_is_left_alone() -> None:
    assert told(Config(connectors=(connector("a", host="127.0.0.1", password="secret"),))) == set()
    assert told(Config()) == set()


def test_each_mistake_is_named_by_its_key() -> None:
    wrong = connector("a", password="secret", tls=True, tls_verify=False)
    unused = connector("b", host="127.0.0.1")
    receiver = connector("c", host="127.0.0.1", bind="receiver")
    config = Config(connectors=(wrong, unused, receiver), routes=(RouteSettings(via=("a",)),))
    assert told(config) == {
        "links.base_url", "connectors.a.password", "connectors.a.tls_verify", "connectors.b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("127.0.0.9", True), ("::1", True), ("10.0.0.1", False),
        ("smpp.example", False),
    ],
)  # fmt: skip
def test_this_machine_is_told_from_others(host: str, local: bool) -> None:
    assert is_local(host) is local
