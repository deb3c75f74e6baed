"""compose.yaml and prometheus.yml hold together: each name, port, volume and setting is real."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.app import STORING_SECONDS
from gateway.config import load_config
from tests.debian import needs
from tests.docker import files
from tests.tidy.source import ROOT

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
        "links",
        "simulator",
        "prometheus",
        "alertmanager",
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
                asked = compose["services"][other]
                assert "healthcheck" in asked or "build" in asked, "our image has one"
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
    assert compose["secrets"][secret] == {"file": f"./secrets/{secret}"}
    assert "docker/secrets/\n" in (ROOT / ".gitignore").read_text(encoding="utf-8")
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


# What compose's specification names, as far as we use it: a misspelt key is no key.
KEYS = {
    "image", "build", "command", "environment", "secrets", "volumes", "ports", "depends_on",
    "healthcheck", "stop_grace_period", "restart", "read_only", "init", "cap_drop",
    "security_opt", "tmpfs", "profiles",
}  # fmt: skip
CHECK_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
SPAN = re.compile(r"(\d+h)?(\d+m)?(\d+s)?")


def test_each_key_is_one_of_composes(compose: Any) -> None:
    known = {"name", "services", "volumes", "secrets"}
    assert {key for key in compose if not key.startswith("x-")} == known
    for name, service in compose["services"].items():
        assert service.keys() <= KEYS, name
        assert service["restart"] == "unless-stopped", name
        check = service.get("healthcheck", {})
        assert check.keys() <= CHECK_KEYS, name
        spans = [check.get("interval", "1s"), check.get("timeout", "1s")]
        assert all(SPAN.fullmatch(span) for span in [*spans, service.get("stop_grace_period", "")])
    assert {
        each for service in compose["services"].values() for each in service.get("secrets", [])
    } == (compose["secrets"].keys())
    used = {each.split(":")[0] for service in compose["services"].values()
            for each in service.get("volumes", []) if not each.startswith(".")}  # fmt: skip
    assert used == compose["volumes"].keys()


def test_ours_write_nowhere_but_to_one_volume_and_have_no_rights(compose: Any) -> None:
    for name in ("gateway", "links", "simulator"):
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"], "the embedded PostgreSQL's socket"
    for name in ("gateway", "links"):
        assert compose["services"][name]["volumes"] == ["gateway:/var/lib/smsgate"]


def test_the_links_role_has_the_gateways_database_and_is_asked_where_it_answers(
    compose: Any,
) -> None:
    links, gateway = compose["services"]["links"], compose["services"]["gateway"]
    for setting in ("SMSGATE_DATABASE__URL", "SMSGATE_DATABASE__PASSWORD_FILE"):
        assert links["environment"][setting] == gateway["environment"][setting]
    config = load_config(
        files.SETTINGS,
        {name: text for name, text in links["environment"].items() if "LINKS" in name},
    )
    assert f":{config.links.status_listen.port}/readyz" in links["healthcheck"]["test"][-1]
    assert links["command"][:4] == ["smsgate", "serve", "--role", "links"]
    (published,) = links["ports"]
    assert published.endswith(f":{config.links.listen.port}")


def test_who_only_looks_on_comes_with_a_profile(compose: Any) -> None:
    looks_on = {"prometheus", "alertmanager", "grafana"}
    for name, service in compose["services"].items():
        assert service.get("profiles", []) == (["observability"] if name in looks_on else [])
        if name not in looks_on:
            assert not looks_on & service.get("depends_on", {}).keys()


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
    [alerting] = document["alerting"]["alertmanagers"]
    host, _, port = alerting["static_configs"][0]["targets"][0].partition(":")
    assert any(each.endswith(f":{port}") for each in compose["services"][host]["ports"])


def test_each_alert_has_somebody_who_is_told() -> None:
    path = files.DOCKER / "prometheus" / "alertmanager.yml"
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    receivers = {each["name"] for each in document["receivers"]}
    route = document["route"]
    assert {route["receiver"], *(each["receiver"] for each in route["routes"])} == receivers
    critical = [each for each in route["routes"] if 'severity="critical"' in each["matchers"]]
    assert len(critical) == 1
    amtool = needs("amtool", "prometheus-alertmanager")
    done = subprocess.run([amtool, "check-config", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
