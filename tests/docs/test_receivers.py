"""The receivers of docs/webhooks.md verify and keep order, wherever their language is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest

from dlr.webhooks.signature import new_secret, signed_headers, signing_key
from gateway.rehearsal.processes import free_port

PAGE = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
FENCE = re.compile(r"^```(python|javascript|php)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "python": sys.executable,
    "javascript": shutil.which("node"),
    "php": shutil.which("php"),
}
ENDINGS = {"python": "py", "javascript": "js", "php": "php"}


@dataclass
class Receiver:
    """One of them, running with two secrets."""

    port: int
    secrets: list[str]
    printed: IO[str]

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/", body, {"Content-Type": "application/json", **headers}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return int(response.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    def tell(self, event: object, *keys: str, ago: int = 0, name: str = "evt_1") -> int:
        """Signed with these secrets so many seconds ago."""
        body = msgspec.json.encode(event)
        signing = [signing_key(key) for key in keys]
        return self.post(body, signed_headers(signing, name, int(time.time()) - ago, body))

    def line(self) -> str:
        return self.printed.readline().strip()


def changed(status: str, sequence: int, message: str = "msg_1") -> dict[str, Any]:
    data = {"id": message, "status": status, "sequence": sequence}
    return {"type": f"message.{status}", "timestamp": "2026-12-01T00:00:00Z", "data": data}


def shown() -> dict[str, str]:
    return dict(FENCE.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture(params=["python", "javascript", "php"])
def receiver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Receiver]:
    language = str(request.param)
    program = PROGRAMS[language]
    if program is None:
        pytest.skip(f"there is no {language} here")
    file = tmp_path / f"receiver.{ENDINGS[language]}"
    file.write_text(shown()[language], encoding="utf-8")
    port, secrets = free_port(), [new_secret(), new_secret()]
    command = [program, str(file)]
    if language == "php":
        command = [program, "-S", f"127.0.0.1:{port}", str(file)]
    environment = {
        **os.environ, "PORT": str(port), "WEBHOOK_SECRETS": " ".join(secrets),
        "TMPDIR": str(tmp_path),
    }  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    found = Receiver(port, secrets, process.stdout)
    try:
        until_listening(found, process)
        yield found
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def until_listening(receiver: Receiver, process: subprocess.Popen[str]) -> None:
    for _ in range(2000):
        assert process.poll() is None, "it has ended"
        try:
            receiver.tell(changed("sent", 0, "msg_0"), new_secret())
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.01)
        else:
            return
    pytest.fail("it never listened")


def test_every_language_is_shown() -> None:
    assert set(shown()) == set(PROGRAMS)


def test_w23_a_receiver_takes_what_is_genuine_in_whatever_order_it_comes(
    receiver: Receiver,
) -> None:
    old, new = receiver.secrets
    # Genuine: by either secret, or by one of two signatures.
    assert receiver.tell(changed("delivered", 12), new) == 204
    assert receiver.line() == "msg_1 delivered"
    assert receiver.tell(changed("sent", 7), old) == 204  # late: it changes nothing
    assert receiver.tell(changed("delivered", 12), new_secret(), old) == 204  # again
    batch = {
        "type": "events.batch",
        "timestamp": "2026-12-01T00:00:00Z",
        "data": {"events": [changed("sent", 7), changed("sent", 7, "msg_2")]},
    }
    assert receiver.tell(batch, new) == 204
    assert receiver.line() == "msg_2 sent"
    # Not genuine: another's secret, an old timestamp, other octets.
    later = changed("undelivered", 13)
    assert receiver.tell(later, new_secret()) == 400
    assert receiver.tell(later, new, ago=301) == 400
    assert receiver.tell(later, new, ago=-301) == 400
    body = msgspec.json.encode(later)
    headers = signed_headers([signing_key(new)], "evt_1", int(time.time()), body)
    assert receiver.post(body + b" ", headers) == 400
    assert receiver.post(body, headers | {"webhook-id": "evt_2"}) == 400
    other = {
        "type": "connector.up",
        "timestamp": "2026-12-01T00:00:00Z",
        "data": {"connector": "a"},
    }
    assert receiver.tell(other, new) == 204
    assert receiver.tell(changed("undelivered", 14), new) == 204
    assert receiver.line() == "msg_1 undelivered"
