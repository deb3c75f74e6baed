"""The image is what its documents say: pinned, unprivileged, its settings and commands real.

No engine runs here: what the Dockerfile names is held against the tree; the health check is run.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.docker import files
from tests.tidy.source import PACKAGES, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_every_stage_starts_from_a_pinned_image() -> None:
    bases = [base.split()[0] for base in files.of("FROM")]
    assert len(bases) == 2
    assert all(files.PINNED_IMAGE.fullmatch(base) for base in bases), bases


def test_the_process_is_not_root() -> None:
    names = [name for name, _ in files.instructions()]
    assert files.of("USER") == ["smsgate"]
    assert names.index("USER") < names.index("CMD")


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
    """A server that answers /healthz with the status asked for, everything else with 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(request.param if self.path == "/healthz" else 404)
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
