"""Signals that come while `smsgate serve` is still starting."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from tests.gateway.conftest import write_config

PATIENCE_SECONDS = 30


def test_a_reload_asked_for_during_a_start_does_not_kill_the_gateway(tmp_path: Path) -> None:
    """Whoever writes a configuration signals without asking how far the gateway is."""
    with socket.create_server(("127.0.0.1", 0)) as database:
        database.settimeout(PATIENCE_SECONDS)
        url = f"postgresql://nobody@127.0.0.1:{database.getsockname()[1]}/nothing"
        path = write_config(tmp_path, url=url)
        starting = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--config", path],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        waiting, _ = database.accept()  # it starts, and waits for a database that says nothing
        starting.send_signal(signal.SIGHUP)
        starting.send_signal(signal.SIGHUP)
        waiting.close()
    _, complaint = starting.communicate(timeout=PATIENCE_SECONDS)
    assert starting.returncode == 1, complaint
    assert "cannot connect to the database" in complaint.splitlines()[-1]


def test_a_signal_while_the_modules_are_loaded_does_not_kill_the_gateway() -> None:
    lines = (
        "import importlib, os, signal, sys, types",
        "from gateway import cli",
        "def load(name):",
        "    os.kill(os.getpid(), signal.SIGHUP)",
        "    return types.SimpleNamespace(run=lambda arguments: 0)",
        "importlib.import_module = load",
        "sys.exit(cli.main(['serve']))",
    )
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False, timeout=60)
    assert done.returncode == 0


def test_what_cannot_be_used_has_an_exit_code_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd tries again after 1, and not after 78."""
    # The loggers of this process would keep a standard error that is closed behind this test.
    monkeypatch.setattr("gateway.commands.serve.configure_logs", lambda *_settings: None)
    path = tmp_path / "smsgate.toml"
    path.write_text("[http]\nlisten = 7\n", encoding="utf-8")
    assert main(["serve", "--config", str(path)]) == 78
    assert "listen" in capsys.readouterr().err
    path.write_text(f"[database]\ndata_dir = {json.dumps(str(tmp_path))}\n", encoding="utf-8")
    (tmp_path / "number.key").write_text("short")
    (tmp_path / "number.key").chmod(0o600)
    assert main(["serve", "--config", str(path)]) == 78
    assert "number.key" in capsys.readouterr().err
    assert main(["migrate", "--config", str(tmp_path / "none.toml")]) == 1
