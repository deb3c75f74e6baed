"""compose.yaml and prometheus.yml hold together: each name, port, volume and setting is real."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.app import STORING_SECONDS
from gateway.config import load_config
from tests.docker import files

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


@pytest.fixture(scope="module")
def compose() -> Any:
    text = (files.DOCKER / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(DEFAULT.sub(r"\1", text))


def test_the_services_are_the_documented_ones_from_pinned_images(compose: Any) -> None:
    assert set(compose["services"]) == {
        "postgres",
        "gateway",
        "simulator",
        "prometheus",
        "grafana",
    }
    for service in compose["services"].values():
        assert "image" in service or "build" in service
        assert files.PINNED_IMAGE.fullmatch(service.get("image", "smsgate:0.1.0")), service["image"]


def test_what_a_service_needs_is_there(compose: Any) -> None:
    for name, service in compose["services"].items():
        for other, wish in service.get("depends_on", {}).items():
            assert other in compose["services"], name
            if wish["condition"] == "service_healthy":
                assert "healthcheck" in compose["services"][other], other
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (files.DOCKER / source).exists(), volume
        if "build" in service:
            context = files.DOCKER / service["build"]["context"]
            assert (context / service["build"]["dockerfile"]).is_file()


def test_the_gateway_reaches_the_database_and_the_simulator(compose: Any, tmp_path: Path) -> None:
    services = compose["services"]
    given = dict(services["gateway"]["environment"])
    server = services["postgres"]["environment"]
    # O4: one secret for both, handed over as a file, without a default and in no URL.
    file = server["POSTGRES_PASSWORD_FILE"]
    assert given["SMSGATE_DATABASE__PASSWORD_FILE"] == file
    (secret,) = services["gateway"]["secrets"]
    assert file == f"/run/secrets/{secret}"
    assert services["postgres"]["secrets"] == [secret]
    assert compose["secrets"][secret] == {"environment": "POSTGRES_PASSWORD"}
    assert compose["x-password-is-set"].startswith("${POSTGRES_PASSWORD:?")
    password = tmp_path / "password"
    password.write_text("p@ss/w#rd\n")
    given["SMSGATE_DATABASE__PASSWORD_FILE"] = str(password)
    config = load_config(files.SETTINGS, given)
    assert str(config.database.url) == (
        f"postgresql://{server['POSTGRES_USER']}:p%40ss%2Fw%23rd@postgres:5432/{server['POSTGRES_DB']}"
    )
    assert services["gateway"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    (connector,) = config.connectors
    command = services["simulator"]["command"]
    assert connector.host in services
    assert command[command.index("--port") + 1] == str(connector.port)
    assert command[command.index("--host") + 1] == "0.0.0.0"


def test_published_ports_are_the_ones_listened_on_and_stay_on_this_machine(compose: Any) -> None:
    config = files.settings()
    listened = {str(config.http.listen.port), str(config.links.listen.port)}
    published = [each.split(":") for each in compose["services"]["gateway"]["ports"]]
    assert {inner for _, _, inner in published} == listened
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_a_stop_leaves_time_to_drain(compose: Any) -> None:
    service = compose["services"]["gateway"]
    lame_duck = float(service["environment"]["SMSGATE_HTTP__LAME_DUCK_SECONDS"])
    needed = files.settings().limits.drain_seconds + lame_duck + STORING_SECONDS
    assert int(service["stop_grace_period"].removesuffix("s")) > needed


def test_prometheus_scrapes_the_gateway(compose: Any) -> None:
    document = yaml.safe_load(
        (files.DOCKER / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    )
    (job,) = document["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in compose["services"]
    assert int(port) == files.settings().http.listen.port
    assert job["metrics_path"] == "/metrics"
