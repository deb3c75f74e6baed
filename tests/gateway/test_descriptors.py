"""What the listeners get of the files that the process may open."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st

from gateway.app import Gateway
from gateway.config import Config, load_config
from gateway.config.settings import HttpSettings, LinkSettings
from gateway.descriptors import CONNECTIONS_MIN, RESERVED, fitted, reserved, shares


def test_h8_at_a_limit_of_1024_each_listener_has_its_share_and_the_rest_stays_free() -> None:
    config = Config()
    lowered = fitted(config, 1024)
    together = lowered.http.connections_max + lowered.links.connections_max
    assert lowered.http.connections_max > 200
    assert lowered.links.connections_max > 400
    assert together <= 1024 - RESERVED
    assert msgspec.structs.replace(lowered, http=config.http, links=config.links) == config


def test_h8_what_fits_is_not_touched() -> None:
    config = Config(http=HttpSettings(connections_max=100), links=LinkSettings(connections_max=100))
    assert fitted(config, reserved(config) + 200) == config
    assert fitted(config, reserved(config) + 199) != config
    assert fitted(Config(), resource.RLIM_INFINITY) == Config()


async def test_h8_a_gateway_keeps_to_the_limit_of_its_process(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (1024, 1024))
    path = tmp_path / "smsgate.toml"
    path.write_text(
        f'[database]\nurl = "{database_url}"\ndata_dir = "{tmp_path}"\n'
        '[http]\nlisten = "127.0.0.1:0"\n[links]\nlisten = "127.0.0.1:0"\n'
        '[[accounts]]\nname = "site"\n'
    )
    config = load_config(path, {})
    gateway = Gateway(config)
    try:
        await gateway.start()
        async with ClientSession() as client, client.get(f"{gateway.api_url}/metrics") as answer:
            page = await answer.text()
    finally:
        await gateway.stop()
    lowered = fitted(config, 1024)
    for listener, bound in (("api", lowered.http), ("links", lowered.links)):
        sample = f'sms_http_connections_max{{listener="{listener}"}} {bound.connections_max}.0'
        assert sample in page


@given(
    st.integers(2 * CONNECTIONS_MIN, 10**6),
    st.integers(CONNECTIONS_MIN, 10**5),
    st.integers(CONNECTIONS_MIN, 10**5),
)
def test_h8_shares_fit_and_give_nobody_more_than_he_asked_for(
    room: int, api: int, links: int
) -> None:
    for_api, for_links = shares(room, api, links)
    assert CONNECTIONS_MIN <= for_api <= max(api, CONNECTIONS_MIN)
    assert CONNECTIONS_MIN <= for_links <= max(links, CONNECTIONS_MIN)
    assert for_api + for_links <= room + CONNECTIONS_MIN


@pytest.mark.parametrize("hard", [1024, 4096])
def test_h8_the_limit_is_raised_and_what_it_is_too_low_for_is_said(hard: int) -> None:
    code = (
        "import resource; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard})); "
        "from gateway import descriptors; from gateway.config import Config; "
        "descriptors.prepare(Config()); "
        "print(resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    done = subprocess.run(  # its own process: a limit lowered stays so
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert f"({hard}, {hard})" in done.stdout
    assert "connections_lowered" in done.stdout + done.stderr
