"""`smsgate …` as a test calls it, with or without a gateway that runs beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from gateway.app import Gateway
from gateway.cli import main
from gateway.config import load_config
from gateway.rehearsal.processes import free_port
from smpp.simulator import Simulator
from smpp.simulator.profile import load_profile
from tests.conftest import LoopThread

SECRETS = ("carrier secret", "database secret")


@dataclass
class Answer:
    """What a command left behind."""

    code: int
    out: str
    complaint: str

    @property
    def line(self) -> str:
        """The one line of a command that could not."""
        assert self.code == 1, (self.code, self.complaint)
        assert self.out == ""
        assert self.complaint.startswith("smsgate: ")
        assert self.complaint.endswith("\n")
        lines = self.complaint.splitlines()
        if len(lines) > 1 and lines[0].startswith("smsgate: database: "):
            del lines[0]  # which database was worked on
        assert len(lines) == 1, self.complaint
        return lines[0].removeprefix("smsgate: ")


@dataclass
class CommandLine:
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object) -> Answer:
        self.capture.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            assert isinstance(exit_.code, int)
            code = exit_.code
        captured = self.capture.readouterr()
        return Answer(code, captured.out, captured.err)


@pytest.fixture
def smsgate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """`smsgate …` in an empty folder, with nothing of ours in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMSGATE_API_KEY", raising=False)
    return CommandLine(capsys)


def write_config(folder: Path, *, url: str = "embedded", port: int = 0, rest: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(
        f"""
[database]
url = {json.dumps(url)}
data_dir = {json.dumps(str(folder / "data"))}
[http]
listen = "127.0.0.1:{port}"
[links]
listen = "127.0.0.1:0"
{rest}
""",
        encoding="utf-8",
    )
    return path


def connector(port: int = 2775) -> str:
    return (
        f'[[connectors]]\nname = "sim"\nhost = "127.0.0.1"\nport = {port}\n'
        f'system_id = "test"\npassword = "{SECRETS[0]}"\n[[routes]]\nvia = ["sim"]\n'
    )


@dataclass
class Running:
    config: Path
    port: int


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def running(loop: LoopThread, tmp_path: Path, database_url: str) -> Iterator[Running]:
    """A gateway and a simulator, in a loop of their own; their logs stay out of what is printed."""
    port = free_port()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())

    async def start() -> tuple[Simulator, Gateway]:
        simulator = Simulator(load_profile("smooth"), "127.0.0.1", 0)
        await simulator.start()
        path = write_config(tmp_path, url=database_url, port=port, rest=connector(simulator.port))
        gateway = Gateway(load_config(path, {}))
        await gateway.start()
        return simulator, gateway

    async def stop() -> None:
        await gateway.stop()
        await simulator.stop()

    simulator, gateway = loop.run(start())
    yield Running(tmp_path / "config.toml", port)
    loop.run(stop())
    structlog.reset_defaults()
