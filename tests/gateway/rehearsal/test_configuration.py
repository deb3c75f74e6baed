"""What the rehearsal writes is a configuration that a gateway takes, and says what was meant."""

from __future__ import annotations

from pathlib import Path

from gateway.config import load_config
from gateway.rehearsal.configuration import Configuration, Connector, Route

FAST = Connector("fast", 2775, "window = 500")
SAME = Connector("same", 2776, system_id="fast")


def wanted(folder: Path, *routes: Route, more: str = "") -> Configuration:
    return Configuration(
        data_dir=folder / 'a "b"', connectors=[FAST, SAME], routes=routes, more=more
    )


def test_what_was_meant_is_read_and_the_rest_is_free(tmp_path: Path) -> None:
    path = tmp_path / "smsgate.toml"
    config = load_config(wanted(tmp_path, more="[limits]\ndrain_seconds = 1\n").write(path), {})
    assert Path(config.database.data_dir) == tmp_path / 'a "b"'
    assert [(each.name, each.system_id, each.port) for each in config.connectors] == [
        ("fast", "fast", 2775),
        ("same", "fast", 2776),
    ]
    assert config.connectors[0].window == 500
    assert config.limits.drain_seconds == 1
    assert config.http.listen.port == 0
    assert config.links.base_url == f"http://127.0.0.1:{config.links.listen.port}"


def test_without_routes_every_connector_is_tried_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "smsgate.toml"
    [route] = load_config(wanted(tmp_path).write(path), {}).routes
    assert list(route.via) == ["fast", "same"]
    given = [Route(["same"], 'prefix = ["+86"]'), Route(["fast"])]
    routes = load_config(wanted(tmp_path, *given).write(path), {}).routes
    assert [list(each.via) for each in routes] == [["same"], ["fast"]]
    assert list(routes[0].match.prefix) == ["+86"]
