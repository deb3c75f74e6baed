"""The command line: help, exit codes, one clear line for whoever has to act."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.commands import webhooks
from gateway.commands.asking import post
from gateway.config import load_config
from gateway.rehearsal.processes import free_port
from tests.conftest import LoopThread
from tests.gateway.conftest import SECRETS, Answer, CommandLine, Running, connector, write_config

COMMANDS = (
    "serve", "demo", "simulate", "migrate", "config", "keys", "send", "numbers", "webhooks",
    "breakers", "doctor",
)  # fmt: skip
NUMBER = "+8613812345678"


# --- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(smsgate: CommandLine, command: str) -> None:
    answer = smsgate(command, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: smsgate {command}")
    assert answer.complaint == ""


def test_the_overview_names_every_command(smsgate: CommandLine) -> None:
    answer = smsgate("--help")
    assert answer.code == 0
    assert all(f"\n    {command} " in answer.out for command in COMMANDS)
    assert smsgate("--version").out.startswith("smsgate ")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nope",),
        ("serve", "extra"),
        ("serve", "--nope"),
        ("config",),
        ("config", "explain"),
        ("keys", "create"),
        ("keys", "delete", "site"),
        ("keys", "create", "site", "--scopes"),
        ("send", NUMBER),
        ("migrate", "now"),
        ("doctor", "--config"),
        ("demo", "--messages", "0"),
        ("demo", "--messages", "many"),
        ("demo", "--campaign", "--people", "1"),
        ("demo", "--campaign", "--people", "180001"),
        ("simulate", "--port", "smpp"),
    ],
)
def test_wrong_usage_is_2_and_shows_the_usage(
    smsgate: CommandLine, arguments: Sequence[str]
) -> None:
    answer = smsgate(*arguments)
    assert answer.code == 2
    assert answer.complaint.startswith("usage: smsgate")
    assert answer.out == ""


def as_process(*arguments: object) -> Answer:
    """For commands that set up the logs of their whole process."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def test_a_process_that_could_not_says_so_without_a_traceback(tmp_path: Path) -> None:
    path = write_config(tmp_path, rest="[htp]\nlisten = 1\n")
    answer = as_process("config", "check", "--config", path)
    assert answer.line == "htp: unknown key; did you mean 'http'?"


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_is_none_is_wrong_usage(port: int) -> None:
    """uvloop would listen on what is left of it in 16 bits."""
    answer = as_process("simulate", "--port", port)
    assert answer.code == 2
    assert answer.complaint.startswith("usage: smsgate simulate")


# --- config ---------------------------------------------------------------------------------------


def test_config_check_counts_what_it_read(smsgate: CommandLine, tmp_path: Path) -> None:
    path = write_config(tmp_path, rest=connector())
    answer = smsgate("config", "check", "--config", path)
    assert answer.code == 0
    assert "1 connectors, 1 routes, 1 accounts" in answer.out
    as_json = smsgate("config", "check", "--json", "--config", path)
    assert json.loads(as_json.out) == {"ok": True, "connectors": 1, "routes": 1, "accounts": 1}


def test_config_check_says_what_is_wrong_in_one_line(smsgate: CommandLine, tmp_path: Path) -> None:
    path = write_config(tmp_path, rest='[[routes]]\nvia = ["nobody"]\n')
    assert "nobody" in smsgate("config", "check", "--config", path).line
    assert "missing.toml" in smsgate("config", "check", "--config", tmp_path / "missing.toml").line


def test_config_show_hides_every_secret(smsgate: CommandLine, tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRETS[1].replace(' ', '%20')}@db.example/sms"
    path = write_config(tmp_path, url=url, rest=connector())
    for flags in ((), ("--json",)):
        answer = smsgate("config", "show", "--config", path, *flags)
        assert answer.code == 0
        for secret in SECRETS:
            assert secret not in answer.out
            assert secret.replace(" ", "%20") not in answer.out
        shown = json.loads(answer.out)
        assert shown["connectors"][0]["password"] == "***"
        assert "me" in shown["database"]["url"]
        assert "db.example" in shown["database"]["url"]
        assert (answer.out.count("\n") == 1) is bool(flags)


def test_config_show_is_what_is_in_effect(
    smsgate: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defaults, the file in this folder, and the environment over it."""
    assert json.loads(smsgate("config", "show").out)["http"]["listen"] == "127.0.0.1:8080"
    Path("smsgate.toml").write_text('[http]\nlisten = "127.0.0.1:9000"\n', encoding="utf-8")
    assert json.loads(smsgate("config", "show").out)["http"]["listen"] == "127.0.0.1:9000"
    monkeypatch.setenv("SMSGATE_HTTP__LISTEN", "127.0.0.1:9001")
    assert json.loads(smsgate("config", "show").out)["http"]["listen"] == "127.0.0.1:9001"


# --- database -------------------------------------------------------------------------------------


def test_migrate_says_what_it_did_and_does_it_once(
    smsgate: CommandLine, tmp_path: Path, empty_database_url: str
) -> None:
    path = write_config(tmp_path, url=empty_database_url)
    first = smsgate("migrate", "--config", path)
    assert first.code == 0
    assert first.out.startswith("applied 0001_initial.sql\n")
    assert smsgate("migrate", "--config", path).out == "the schema is up to date\n"


def test_a_key_is_made_once_under_its_name(
    smsgate: CommandLine, tmp_path: Path, database_url: str
) -> None:
    path = write_config(tmp_path, url=database_url, rest='[[accounts]]\nname = "shop"\n')
    made = smsgate("keys", "create", "site", "--account", "shop", "--config", path)
    assert made.code == 0
    assert made.out.startswith("sk_")
    assert made.out.count("\n") == 1
    again = smsgate("keys", "create", "site", "--account", "shop", "--config", path)
    assert "'site'" in again.line
    other = smsgate("keys", "create", "site", "--json", "--config", path)
    assert json.loads(other.out)["account"] == "default"
    assert json.loads(other.out)["key"] != made.out.strip()


def test_a_key_that_cannot_be_is_refused_in_one_line(
    smsgate: CommandLine, tmp_path: Path, database_url: str
) -> None:
    path = write_config(tmp_path, url=database_url)
    create = ("keys", "create", "site", "--config", path)
    assert "there is no account 'shop'" in smsgate(*create, "--account", "shop").line
    assert "unknown scope everything" in smsgate(*create, "--scopes", "everything").line


@pytest.mark.parametrize(
    "command", [("keys", "create", "site"), ("keys", "list"), ("doctor",), ("config", "show")]
)
def test_o2_a_command_in_another_folder_makes_no_database(
    smsgate: CommandLine, tmp_path: Path, command: Sequence[str]
) -> None:
    answer = smsgate(*command, "--config", write_config(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml"]
    if command[0] != "config":
        assert answer.code == 1
        told = answer.out + answer.complaint
        assert f"there is no database embedded in {tmp_path}/data" in told


def test_o2_a_command_does_not_change_the_schema(
    smsgate: CommandLine, tmp_path: Path, empty_database_url: str
) -> None:
    flags = ("--config", write_config(tmp_path, url=empty_database_url))
    assert "run `smsgate migrate`" in smsgate("keys", "create", "site", *flags).line
    found = {each["what"]: each for each in json.loads(smsgate("doctor", "--json", *flags).out)}
    assert not found["database"]["ok"]
    assert "run `smsgate migrate`" in found["database"]["detail"]
    assert smsgate("migrate", *flags).out.startswith("applied 0001_initial.sql\n")


def test_o2_the_configuration_may_be_named_by_the_environment(
    smsgate: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(tmp_path, rest="[logs]\nlevel = 'warning'\n")
    monkeypatch.setenv("SMSGATE_CONFIG", str(path))
    assert json.loads(smsgate("config", "show", "--json").out)["logs"]["level"] == "warning"
    monkeypatch.setenv("SMSGATE_CONFIG", str(tmp_path / "gone.toml"))
    assert "No such file" in smsgate("config", "check").line


def test_o2_who_reads_only_the_beginning_sees_no_traceback(tmp_path: Path) -> None:
    shown = f"{sys.executable} -m gateway.cli config show --config {write_config(tmp_path)}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shown} | head -c 1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")


@pytest.mark.parametrize(
    ("output", "code", "complaint"),
    [(">/dev/full", 1, "smsgate: [Errno 28] No space left on device\n"), (">&-", 0, "")],
)
def test_an_answer_that_cannot_be_written_is_one_line(
    tmp_path: Path, output: str, code: int, complaint: str
) -> None:
    shown = f"{sys.executable} -m gateway.cli config show --config {write_config(tmp_path)}"
    done = subprocess.run(
        ["bash", "-c", f"{shown} {output}"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (code, complaint)


@pytest.mark.parametrize("command", [("migrate",), ("keys", "create", "site")])
def test_a_database_that_is_away_is_one_line(
    smsgate: CommandLine, tmp_path: Path, command: Sequence[str]
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    path = write_config(tmp_path, url=url)
    assert "cannot connect to the database" in smsgate(*command, "--config", path).line


def test_a_gateway_that_cannot_start_is_one_line(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    line = as_process("serve", "--config", write_config(tmp_path, url=url)).complaint.splitlines()[
        -1
    ]
    assert line.startswith("smsgate: cannot connect to the database")


# --- a running gateway ----------------------------------------------------------------------------


def test_send_and_doctor_with_a_running_gateway(
    smsgate: CommandLine, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--config", running.config)
    key = smsgate("keys", "create", "site", *flags).out.strip()
    sent = smsgate("send", NUMBER, "hello", "--from", "SHOP", "--key", key, *flags)
    assert sent.code == 0
    assert sent.out.startswith("msg_")
    monkeypatch.setenv("SMSGATE_API_KEY", key)
    as_json = smsgate("send", NUMBER, "回T退订", "--category", "otp", "--json", *flags)
    assert json.loads(as_json.out)["parts"] == 1
    assert smsgate("send", "12", "hello", *flags).line.startswith("refused (422): ")
    wrong = smsgate("send", NUMBER, "hello", "--key", "sk_" + "x" * 43, *flags)
    assert wrong.line.startswith("refused (401): ")
    findings = until_well(smsgate, flags)
    told = {finding["what"]: finding["detail"] for finding in findings}
    assert "connectors:read" in told["connectors"]
    assert "connector sim" not in told
    scopes = ("--scopes", "connectors:read")
    operator = smsgate("keys", "create", "doctor", *scopes, *flags).out.strip()
    monkeypatch.setenv("SMSGATE_API_KEY", operator)
    findings = until_well(smsgate, flags)
    assert {finding["what"] for finding in findings} >= {
        "configuration", "database", "connector sim",
    }  # fmt: skip
    lines = smsgate("doctor", *flags).out.splitlines()
    assert len([line for line in lines if not line.startswith("    ")]) == len(findings)
    assert not any(line.startswith("BAD") for line in lines)


def test_webhooks_are_listed_tested_and_replayed(
    smsgate: CommandLine, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--config", running.config)
    scopes = ("--scopes", "webhooks:read", "webhooks:write")
    key = smsgate("keys", "create", "hooks", *scopes, *flags).out.strip()
    monkeypatch.setenv("SMSGATE_API_KEY", key)
    assert smsgate("webhooks", "list", *flags).out == ""
    body: dict[str, object] = {"url": "https://app.invalid/hooks", "events": ["final"]}
    made = post(load_config(running.config, {}), webhooks.PATH, key, body, known_by="id")
    endpoint = made["id"]
    listed = f"{endpoint}  active  https://app.invalid/hooks  final\n"
    assert smsgate("webhooks", "list", *flags).out == listed
    [shown] = json.loads(smsgate("webhooks", "list", "--json", *flags).out)
    assert shown["events"] == ["final"]
    tested = smsgate("webhooks", "test", endpoint, *flags)
    assert tested.code == 1
    assert tested.out.startswith("NOT delivered: ")
    told = json.loads(smsgate("webhooks", "test", endpoint, "--json", *flags).out)
    assert (told["delivered"], told["status"]) == (False, None)
    replay = ("webhooks", "replay", endpoint, "--since", "1h")
    assert smsgate(*replay, *flags).out == "0 events are told once more, the last in about 0 s\n"
    wrong = smsgate(*replay, "--types", "message.gone", *flags)
    assert wrong.line.startswith("refused (422): ")
    assert smsgate("webhooks", "test", "whe_1", *flags).line.startswith("refused (404): ")


def test_breakers_are_listed_shown_opened_and_closed(
    smsgate: CommandLine, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--config", running.config)
    scopes = ("--scopes", "operations:read", "operations:write")
    key = smsgate("keys", "create", "operator", *scopes, *flags).out.strip()
    monkeypatch.setenv("SMSGATE_API_KEY", key)
    assert smsgate("breakers", "list", *flags).out == ""
    sim = ("connector", "sim")
    opened = smsgate("breakers", "open", *sim, "--reason", "ticket 4711", *flags)
    assert opened.out.startswith("connector sim  forced_open until ")
    assert opened.out.rstrip().endswith(": ticket 4711")
    assert smsgate("breakers", "list", *flags).out == opened.out
    shown = json.loads(smsgate("breakers", "show", *sim, "--json", *flags).out)
    assert shown["bundle"]["reason"] == "ticket 4711"
    lines = smsgate("breakers", "show", *sim, *flags).out.splitlines()
    assert lines[1] == f"sha256 {shown['evidence']['sha256']}"
    assert lines[2].startswith("then: 0 parts from ")
    closed = ("--reason", "mended", "--seconds", "60", "--json")
    told = json.loads(smsgate("breakers", "close", *sim, *closed, *flags).out)
    assert told["state"] == "forced_closed"
    nobody = smsgate("breakers", "show", "connector", "nobody", *flags)
    assert nobody.line.startswith("refused (404): ")


def until_well(smsgate: CommandLine, flags: Sequence[object]) -> list[dict[str, Any]]:
    """The doctor's findings once the connector is bound."""
    said = ""
    for _ in range(100):
        answer = smsgate("doctor", "--json", *flags)
        said = answer.out
        if answer.code == 0:
            found: list[dict[str, Any]] = json.loads(answer.out)
            assert all(finding["ok"] for finding in found)
            return found
    pytest.fail(f"the gateway never became well: {said}")


def test_send_needs_a_key_and_a_gateway(smsgate: CommandLine, tmp_path: Path) -> None:
    port = free_port()
    flags = ("--config", write_config(tmp_path, port=port))
    assert "SMSGATE_API_KEY" in smsgate("send", NUMBER, "hello", *flags).line
    line = smsgate("send", NUMBER, "hello", "--key", "sk_x", *flags).line
    assert line.startswith(f"no gateway answers at 127.0.0.1:{port}")


def test_the_doctor_names_each_thing_that_is_wrong(
    smsgate: CommandLine, tmp_path: Path, database_url: str
) -> None:
    port = free_port()
    flags = ("--config", write_config(tmp_path, url=database_url, port=port))
    answer = smsgate("doctor", "--json", *flags)
    assert answer.code == 1
    verdicts = {finding["what"]: finding["ok"] for finding in json.loads(answer.out)}
    assert verdicts == {
        "python": True, "configuration": True, "port of http.listen": True,
        "port of links.listen": True, "disk": True, "disk sync": True, "open files": True,
        "database": True, "number key": True, "clock": True, "gateway": False,
    }  # fmt: skip
    lines = smsgate("doctor", *flags).out.splitlines()
    assert lines[-2].startswith("BAD gateway: ")
    assert str(port) in lines[-2]
    assert lines[-1].startswith("    -> start it")


def test_the_doctor_looks_no_further_than_a_wrong_configuration(
    smsgate: CommandLine, tmp_path: Path
) -> None:
    answer = smsgate("doctor", "--json", "--config", write_config(tmp_path, rest="[htp]\n"))
    assert answer.code == 1
    [python, finding] = json.loads(answer.out)
    assert python["what"] == "python"
    assert finding["remedy"]
    assert (finding["what"], finding["ok"]) == ("configuration", False)
    assert "htp" in finding["detail"]


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (200, "text/html", "<h1>It works</h1>"),
        (404, "text/html", "<h1>Not found</h1>"),
        (200, "application/json", "{}"),
        (200, "application/json", "[1]"),
        (500, "application/json", "[1]"),
        (502, "text/plain", ""),
    ],
)
def test_something_else_on_the_gateways_port_is_one_line(
    smsgate: CommandLine,
    tmp_path: Path,
    loop: LoopThread,
    database_url: str,
    status: int,
    content_type: str,
    body: str,
) -> None:
    async def handler(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=status, content_type=content_type, text=body)

    async def start() -> tuple[web.ServerRunner, int]:
        runner = web.ServerRunner(web.Server(handler))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port: int = runner.addresses[0][1]
        return runner, port

    runner, port = loop.run(start())
    flags = ("--config", write_config(tmp_path, url=database_url, port=port))
    try:
        assert str(port) in smsgate("send", NUMBER, "hello", "--key", "sk_x", *flags).line
        answer = smsgate("doctor", "--json", *flags)
        assert answer.code == 1
        wrong = [finding["what"] for finding in json.loads(answer.out) if not finding["ok"]]
        assert wrong == ["port of http.listen", "gateway"]
    finally:
        loop.run(runner.cleanup())


def test_a_key_that_no_header_can_hold_is_one_line(smsgate: CommandLine, tmp_path: Path) -> None:
    flags = ("--config", write_config(tmp_path, port=free_port()))
    assert smsgate("send", NUMBER, "hello", "--key", "sk_x\r\nHost: y", *flags).line


@pytest.mark.parametrize("arguments", [("--profile", "nobody"), ("--host", "192.0.2.1")])
def test_a_simulator_that_cannot_start_is_one_line(arguments: Sequence[str]) -> None:
    assert as_process("simulate", "--port", "0", *arguments).line
