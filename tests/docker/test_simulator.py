"""The simulator of the compose file starts as it is called there, and its health check sees it."""

from __future__ import annotations

import signal
import subprocess
import sys

from ratelimit.spec import parse_rate
from smpp.simulator.profile import load_profile
from tests.docker import files
from tests.tidy.source import ROOT


def test_the_profile_is_real_and_lets_the_connector_have_its_rate() -> None:
    profile = load_profile(files.SIMULATOR_PROFILE)
    (connector,) = files.settings().connectors
    assert connector.rate is not None
    assert profile.rate_per_second >= parse_rate(connector.rate).per_second


def test_the_simulator_starts_answers_its_health_check_and_stops() -> None:
    command = [
        sys.executable, "-c", "import sys; from gateway.cli import main; sys.exit(main())",
        "simulate", "--host", "127.0.0.1", "--port", "0", "--profile", str(files.SIMULATOR_PROFILE),
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as simulator:
        try:
            assert simulator.stdout is not None
            ready = simulator.stdout.readline()
            port = int(ready.rpartition(":")[2])
            assert is_healthy(port)
            simulator.send_signal(signal.SIGTERM)
            assert simulator.wait(timeout=30) == 0
        finally:
            simulator.kill()
    assert not is_healthy(port)


def is_healthy(port: int) -> bool:
    check = files.simulator_health_code().replace("2775", str(port))
    return subprocess.run(
        [sys.executable, "-c", check], capture_output=True, timeout=30, check=False
    ).returncode == 0  # fmt: skip
