"""The units of systemd are units, are hardened, and fit the gateway: judged by systemd itself."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

from gateway.app import STORING_SECONDS
from gateway.cli import parser_of_all
from gateway.commands.serve import EX_CONFIG
from gateway.config.settings import LimitSettings
from tests.debian import needs
from tests.tidy.source import ROOT

FOLDER = ROOT / "docker" / "systemd"
UNITS = ("smsgate.service", "smsgate-backup.service", "smsgate-backup.timer")
EXPOSURE_MAX = 25  # of 100, as `systemd-analyze security` judges
PROGRAM = "/opt/smsgate/bin/smsgate"


def section(unit: str, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(FOLDER / unit, encoding="utf-8")
    return dict(parser[name])


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [needs("systemd-analyze", "systemd"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_systemd_takes_each_unit(tmp_path: Path) -> None:
    """With a program that is there; nothing at all is complained of."""
    for unit in UNITS:
        text = (FOLDER / unit).read_text(encoding="utf-8")
        (tmp_path / unit).write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    done = analyze("verify", "--man=no", *(tmp_path / unit for unit in UNITS))
    said = [each for each in (done.stdout + done.stderr).splitlines() if "smsgate" in each]
    assert (done.returncode, said) == (0, [])


def test_systemd_finds_each_service_hardened() -> None:
    for unit in UNITS[:2]:
        done = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", FOLDER / unit)
        assert done.returncode == 0, done.stdout[-200:]


def test_each_program_is_called_as_it_can_be() -> None:
    for unit in UNITS[:2]:
        program, *words = section(unit, "Service")["ExecStart"].split()
        assert program == PROGRAM
        parser_of_all().parse_args(words)


def test_a_stop_leaves_time_to_drain_and_a_bad_configuration_is_not_tried_again() -> None:
    service = section("smsgate.service", "Service")
    assert service["Type"] == "notify"
    assert int(service["TimeoutStopSec"]) == LimitSettings().drain_seconds + 15
    assert int(service["TimeoutStopSec"]) > LimitSettings().drain_seconds + STORING_SECONDS
    assert int(service["RestartPreventExitStatus"]) == EX_CONFIG
    assert int(service["WatchdogSec"]) > 0


def test_a_backup_reaches_the_embedded_server_of_the_gateway() -> None:
    backup, gateway = (section(unit, "Service") for unit in (UNITS[1], UNITS[0]))
    assert backup["PrivateTmp"] == gateway["PrivateTmp"] == "yes"
    assert section(UNITS[1], "Unit")["JoinsNamespaceOf"] == "smsgate.service"
    assert backup["User"] == gateway["User"]
