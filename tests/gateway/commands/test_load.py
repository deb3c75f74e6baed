"""`smsgate load` where it cannot run, and where it is ended."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys

import pytest
from aiohttp import web

from gateway.cli import main
from gateway.rehearsal.receiving import serving

KEY = os.environ | {"SMSGATE_API_KEY": "sk_test"}


class Silent:
    """Makes a webhook endpoint, and answers no message."""

    def __init__(self) -> None:
        self.asked, self.deleted = asyncio.Event(), asyncio.Event()
        self.application = web.Application()
        self.application.router.add_post("/v1/webhook-endpoints", self._make)
        self.application.router.add_delete("/v1/webhook-endpoints/whe_1", self._delete)
        self.application.router.add_post("/v1/messages", self._take)

    async def _make(self, _request: web.Request) -> web.Response:
        secret = "whsec_" + base64.b64encode(bytes(32)).decode()
        return web.json_response({"id": "whe_1", "secret": secret}, status=201)

    async def _delete(self, _request: web.Request) -> web.Response:
        self.deleted.set()
        return web.Response(status=204)

    async def _take(self, _request: web.Request) -> web.Response:
        self.asked.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(("given", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 1)])
async def test_who_ends_a_load_leaves_no_webhook_endpoint(given: int, code: int) -> None:
    gateway = Silent()  # its one connection is never free
    async with serving(gateway.application) as url:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway.cli", "load", url, "--rate", "500/s", "--for", "60s",
            "--listen", "127.0.0.1:0", "--connections", "1",
            env=KEY, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await gateway.asked.wait()
        process.send_signal(given)
        _, said = await process.communicate()
        assert (process.returncode, b"Traceback" in said) == (code, False)
        assert gateway.deleted.is_set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("localhost:8080",),
        ("http://",),
        ("http://127.0.0.1:99999",),
        ("http://127.0.0.1:1", "--listen", "127.0.0.1:70000"),
        ("http://127.0.0.1:1", "--listen", "127.0.0.1:0"),
    ],
)
def test_what_cannot_run_is_one_line(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["load", *arguments, "--key", "sk_test"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("smsgate: ")
    assert said.count("\n") == 1


def test_a_load_of_which_nothing_was_accepted_has_failed() -> None:
    arguments = ["load", "http://127.0.0.1:1", "--rate", "20/s", "--for", "1s", "--key", "sk_test"]
    assert main(arguments) == 1


def test_a_load_without_connections_is_wrong_usage() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["load", "http://127.0.0.1:1", "--connections", "0"])
