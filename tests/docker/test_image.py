"""The image is what its documents say: pinned, unprivileged, its settings and commands real.

No engine runs here: what the Dockerfile names is held against the tree; the health check is run.
"""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docker import files
from tests.tidy.source import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_every_stage_starts_from_a_pinned_image() -> None:
    bases = files.bases()
    assert len(bases) == 2
    assert all(files.PINNED_IMAGE.fullmatch(base) for base in bases), bases


def test_the_process_is_not_root() -> None:
    names = [name for name, _ in files.instructions()]
    assert files.of("USER") == ["smsgate"]
    assert names.index("USER") < names.index("CMD")


def test_a_stop_drains_and_nothing_can_be_installed_later() -> None:
    assert files.of("STOPSIGNAL") == ["SIGTERM"]
    assert len(files.of("VOLUME")) == 1
    made = files.of("RUN")[0]
    assert "venv --without-pip /opt/smsgate" in made
    assert all("apt-get" not in each and "sudo" not in each for each in files.of("RUN"))
    assert not files.of("ADD")
    assert all(each.startswith("[") for name in ("CMD", "ENTRYPOINT") for each in files.of(name))


@pytest.mark.parametrize("stage", ["build", "last"])
def test_its_steps_make_what_they_say(stage: str, tmp_path: Path) -> None:
    """The build's own lines, in a clean folder, with what the tests have installed as the index."""
    context = tmp_path / "context"
    context.mkdir()
    for arguments in files.of("COPY"):
        *sources, _ = arguments.split()
        if "--from=build" in sources:
            continue
        for source in sources:
            if stage == ("last" if source.startswith("docker/") else "build"):
                target = context / source
                target.parent.mkdir(parents=True, exist_ok=True)
                origin = ROOT / source
                if origin.is_dir():
                    shutil.copytree(origin, target)
                else:
                    shutil.copy(origin, target)
    if stage == "last":
        config = context / "docker" / "smsgate.toml"
        command = [sys.executable, "-m", "gateway.cli", "config", "check", "--config", str(config)]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert "1 connectors" in told.stdout
        return
    wheels = tmp_path / "wheel"
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*pip, "--quiet", "--wheel-dir", str(wheels), "."], cwd=context, check=True, timeout=100
    )
    (wheel,) = wheels.glob("smsgate-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    for needed in (
        "gateway/cli.py",
        "storage/migrations/0001_initial.sql",
        "storage/sql/backup.sql",
    ):
        assert needed in names
    assert not any(name.startswith(("tests/", "benchmarks/", "docker/")) for name in names)


def test_what_is_copied_exists_and_is_everything_the_wheel_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    copied = {
        source
        for arguments in files.of("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    }
    assert all((ROOT / source).exists() for source in copied), copied
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == set(PACKAGES)
    needed = {
        *PACKAGES,
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
    }
    assert needed <= copied
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert copied == kept


def test_what_is_installed_is_locked() -> None:
    """Each package comes with its hash; our own wheel is the one that was just built."""
    installs = [
        step.split()
        for arguments in files.of("RUN")
        for step in arguments.split(" && ")
        if "/pip " in step
    ]
    assert len(installs) == 4
    for words in installs:
        if "--requirement" in words:
            assert {"--require-hashes", "--only-binary"} <= set(words), words
        else:
            assert "--no-deps" in words, words
            assert {"--no-index", "--no-build-isolation"} & set(words), words


def test_the_command_serves_with_the_settings_that_were_copied() -> None:
    command = json.loads(files.of("CMD")[-1])
    assert command == ["smsgate", "serve", "--config", "/etc/smsgate/smsgate.toml"]
    assert any(
        "docker/smsgate.toml" in each and each.endswith(" /etc/smsgate/")
        for each in files.of("COPY")
    )


def test_the_settings_fit_the_image() -> None:
    config = files.settings()
    assert config.database.data_dir in files.of("VOLUME")
    exposed = set(files.of("EXPOSE")[0].split())
    for listen in (config.http.listen, config.links.listen):
        assert listen.host == "0.0.0.0", "nobody outside reaches a container's own loopback"
        assert str(listen.port) in exposed
    assert files.health_port() == config.http.listen.port


@pytest.fixture
def health_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server that answers /readyz with the status asked for, everything else with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("health_port", "healthy"), [(200, True), (503, False)], indirect=["health_port"]
)
def test_the_health_check_tells_alive_from_ill(health_port: int, healthy: bool) -> None:
    assert (check_health(health_port) == 0) is healthy


def test_the_health_check_fails_when_nothing_listens() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        port = server.server_port
    assert check_health(port) != 0


def check_health(port: int) -> int:
    program, flag, code = files.health_command()
    assert (program, flag) == ("python", "-c")
    command = [sys.executable, flag, code.replace(f":{files.health_port()}/", f":{port}/")]
    return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode
