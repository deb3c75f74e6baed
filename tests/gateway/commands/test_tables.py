"""What commands print of texts that others wrote: nothing in them reaches the terminal's ear."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from gateway.commands import connectors, messages
from gateway.commands.findings import Finding, lines_of
from gateway.commands.tables import plain, table
from gateway.commands.tail import line
from gateway.config.connector_settings import ConnectorSettings
from smpp.probing import ProbeStep

HOSTILE = "a\x1b[2Jb\r\n\x9bc\u202ed"
SHOWN = r"a\x1b[2Jb\r\n\x9bc\u202ed"


def test_what_a_terminal_would_obey_is_written_out() -> None:
    assert plain(HOSTILE) == SHOWN
    assert plain("Grüße, 你好 👍") == "Grüße, 你好 👍"
    assert table([("x", HOSTILE), ("y", "z")])[0] == f"x  {SHOWN}"
    first, more, _ = lines_of(Finding("x", False, HOSTILE, "y"))
    assert (first, more) == (r"BAD x: a\x1b[2Jb\r", r"    \x9bc\u202ed")


def test_a_message_is_shown_without_obeying_its_texts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: dict[str, Any] = {
        "id": "msg_1", "to": None, "category": "otp", "status": "failed", "connector": "sim",
        "reason": None, "error": HOSTILE, "updated_at": "2026-11-30T14:02:11Z",
    }  # fmt: skip
    assert line(shown) == f"14:02:11 msg_1 - otp failed sim {SHOWN}"
    event = {"at": "x", "kind": "receipt", "detail": {"text": HOSTILE}}
    monkeypatch.setattr(messages, "get", lambda *_, **_more: shown)
    monkeypatch.setattr(messages, "_events", lambda *_: [event])
    messages._show(None, "", argparse.Namespace(id="msg_1", json=False))  # type: ignore[arg-type]
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert printed.count(SHOWN) == 2


async def test_a_carrier_does_not_speak_to_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def hostile(_settings: object) -> Any:
        yield ProbeStep("bind", True, 1.0, HOSTILE)

    monkeypatch.setattr(connectors, "probe", hostile)
    monkeypatch.setattr(connectors, "bind_settings", lambda settings: settings)
    settings = ConnectorSettings(name="sim", host="127.0.0.1", port=1, system_id="a", password="b")
    await connectors._steps(settings, quiet=False)
    assert SHOWN in capsys.readouterr().out
    assert json.dumps(HOSTILE).isascii()
