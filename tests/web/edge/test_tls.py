"""TLS of the API: its certificate, a new one while it runs, and who never ends the handshake."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config.settings import HttpSettings
from gateway.wiring.web import server_pair
from smpp.tls import TlsError
from tests.smpp.certificates import CertificateAuthority
from tests.web.api.test_messages import GOOD, URL
from tests.web.raw_http import request
from tests.web.served import Api, running_api
from web.edge import listener
from web.edge.listener import Listener
from web.edge.tls import ServerPair, certificate_end

HERE = "127.0.0.1"


class Files:
    """The pair that the API is configured with, and others to put in its place."""

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder)
        self.first = self.authority.issue("first", names=(HERE,))
        self.second = self.authority.issue("second", names=(HERE,))
        self.used = str(folder / "used.pem")
        shutil.copy(self.first, self.used)

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.ca_file)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def settings(files: Files, **more: int) -> HttpSettings:
    return HttpSettings(tls_certificate_file=files.used, **more)  # type: ignore[arg-type]


async def shown(api: Api, files: Files) -> bytes:
    """The certificate that the next client is shown."""
    _, writer = await asyncio.open_connection(HERE, api.port, ssl=files.context())
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    assert isinstance(found, bytes)
    return found


def read(file: str) -> bytes:
    return Path(file).read_bytes()


def in_file(file: str) -> bytes:
    text = read(file).decode().partition("-----BEGIN PRIVATE")[0]
    return ssl.PEM_cert_to_DER_cert(text)


async def test_the_api_speaks_tls_and_says_that_it_always_will(files: Files) -> None:
    async with running_api(settings(files)) as api:
        for _ in range(2):  # the second one takes the short way
            response, _body = await api.post(URL, GOOD)
            assert response.status == 202
            assert response.headers["Strict-Transport-Security"] == "max-age=31536000"
        context = files.context()
        context.set_alpn_protocols(["h2", "http/1.1"])
        _, writer = await asyncio.open_connection(HERE, api.port, ssl=context)
        talking = writer.get_extra_info("ssl_object")
        assert talking.selected_alpn_protocol() == "http/1.1"
        assert talking.version() == "TLSv1.3"
        writer.close()
        page = await (await api.session.get(f"{api.url}/metrics")).text()
        ends = certificate_end(files.used)
        [line] = [each for each in page.splitlines() if each.startswith("sms_tls_certificate_end")]
        assert float(line.split()[1]) == ends
    async with running_api() as plain:
        response, _body = await plain.post(URL, GOOD)
        assert "Strict-Transport-Security" not in response.headers


@pytest.fixture
async def often_looked_at(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(listener, "LOOK_SECONDS", 0.01)
    yield


async def test_a_new_pair_is_taken_while_it_runs_and_a_broken_one_is_not(
    files: Files, often_looked_at: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = asyncio.Event()
    look = ServerPair.look

    def looking(self: ServerPair) -> None:
        look(self)
        looked.set()

    monkeypatch.setattr(ServerPair, "look", looking)
    first, second = (read(file) for file in (files.first, files.second))
    async with running_api(settings(files)) as api:
        assert (await api.post(URL, GOOD))[0].status == 202
        assert await shown(api, files) == in_file(files.first)
        for content, refused, seen in (
            (second, 0, files.second),
            (b"half a certifica", 1, files.second),
            (second.partition(b"-----BEGIN PRIV")[0], 2, files.second),
            (first, 2, files.first),
        ):
            await asyncio.to_thread(Path(files.used).write_bytes, content)
            looked.clear()
            api.time[0] += listener.PAIR_SECONDS
            await looked.wait()
            assert await shown(api, files) == in_file(seen)
            page = await (await api.session.get(f"{api.url}/metrics")).text()
            assert f"sms_tls_certificates_refused_total {refused}.0" in page


def test_a_pair_that_cannot_be_used_is_told_in_one_line(files: Files) -> None:
    pair = server_pair(settings(files))
    assert pair is not None
    for content in ("", "nonsense"):
        Path(files.used).write_text(content)
        with pytest.raises(TlsError, match=r"used\.pem"):
            pair.reload()
        with pytest.raises(TlsError, match=r"used\.pem"):
            server_pair(settings(files))
    Path(files.used).unlink()
    with pytest.raises(TlsError, match=r"used\.pem"):
        pair.reload()
    pair.look()  # a file that is not there is told, and ends nothing


async def test_who_never_ends_the_handshake_counts_as_open_and_makes_room(files: Files) -> None:
    async with running_api(settings(files, connections_max=8)) as api:
        silent = [await asyncio.open_connection(HERE, api.port) for _ in range(8)]
        api.time[0] += listener.ROOM_SECONDS + 0.1
        response, _ = await api.post(URL, GOOD)
        assert response.status == 202
        page = await (await api.session.get(f"{api.url}/metrics")).text()
        assert 'sms_http_connections_closed_total{listener="api",reason="crowded_out"} 1.0' in page
        assert 'sms_http_connections{listener="api"} 8.0' in page
    for reader, writer in silent:  # those that were left when it stopped are closed
        assert await reader.read() == b""
        writer.close()


async def test_who_does_not_speak_tls_is_closed_and_counted(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = asyncio.Event()
    count = Listener.count_closed

    def counting(self: Listener, reason: str) -> None:
        count(self, reason)
        counted.set()

    monkeypatch.setattr(Listener, "count_closed", counting)
    async with running_api(settings(files)) as api:
        reader, writer = await asyncio.open_connection(HERE, api.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in await reader.read()
        writer.close()
        await counted.wait()
        page = await (await api.session.get(f"{api.url}/metrics")).text()
        assert 'sms_http_connections_closed_total{listener="api",reason="handshake"} 1.0' in page


async def test_a_request_behind_the_last_octet_of_the_handshake_is_answered(files: Files) -> None:
    """One write carries the end of the handshake and the request."""
    async with running_api(settings(files)) as api:
        assert (await api.post(URL, GOOD))[0].status == 202
        reader, writer = await asyncio.open_connection(HERE, api.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talking = files.context().wrap_bio(incoming, outgoing, server_hostname=HERE)
        while True:
            try:
                talking.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(1 << 16))
        for body in (GOOD, GOOD):
            talking.write(request(api, body))
        writer.write(outgoing.read())
        answers = b""
        while answers.count(b"HTTP/1.1 202") < 2:
            octets = await reader.read(1 << 16)
            assert octets, answers
            incoming.write(octets)
            try:
                answers += talking.read(1 << 16)
            except ssl.SSLWantReadError:
                continue
        writer.close()
