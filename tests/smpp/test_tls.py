"""E60: TLS on both sides with certificates of a private CA, and E31 under TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from smpp.bind_settings import BindSettings
from smpp.client import Bind, BindState
from smpp.pdu import SubmitSmResp, encode
from smpp.server import ServerSettings, SmppServer
from smpp.session_timers import TimerSettings
from smpp.tls import TlsError, TlsServerSettings, TlsSettings, client_context, server_context
from tests.smpp.certificates import CertificateAuthority
from tests.smpp.recording import (
    LOOPS,
    WAIT_SECONDS,
    Handler,
    Listener,
    PduReader,
    RawCarrier,
    binding,
    eventually,
    run_on,
    serving,
    submits,
)

on_both_loops = pytest.mark.parametrize("loop_name", LOOPS)
NAME = "smpp.carrier.example"


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@contextlib.asynccontextmanager
async def tls_server(
    handler: Handler, certificate_file: str, client_ca_file: str | None = None
) -> AsyncIterator[SmppServer]:
    tls = TlsServerSettings(certificate_file=certificate_file, client_ca_file=client_ca_file)
    async with serving(handler, ServerSettings(tls=tls)) as server:
        yield server


def options(**tls: object) -> dict[str, object]:
    return {"tls": tls}


async def refusal(bind: Bind) -> str:
    """What the bind says once its first attempt has failed."""
    await eventually(lambda: bind.state is BindState.WAITING)
    return bind.last_error or ""


# --- what gets through ---------------------------------------------------------------------------


@on_both_loops
def test_e60_messages_go_both_ways_over_tls(
    loop_name: str, authority: CertificateAuthority
) -> None:
    async def main() -> None:
        listener, handler = Listener(), Handler()
        file = authority.issue("server", names=(NAME,))
        tls = options(ca_file=authority.ca_file, server_name=NAME)
        async with (
            tls_server(handler, file) as server,
            binding(server.port, listener, tls | {"window": 2000}) as bind,
        ):
            assert bind._session is not None
            assert bind._session._encrypted
            assert bind.submit(submits(2000)) == 2000
            await listener.until(lambda: len(listener.answers) == 2000)
            assert [answer.context for answer in listener.answers] == list(range(2000))
            await bind.stop(5.0)
            assert listener.unbounds == [("unbound", [])]

    run_on(loop_name, main)


@on_both_loops
def test_e60_the_server_name_is_sent_and_verified(
    loop_name: str, authority: CertificateAuthority
) -> None:
    asked: list[str | None] = []

    def script(connection: socket.socket, reader: PduReader) -> None:
        with contextlib.suppress(OSError):
            reader.next()

    def note(_: object, name: str | None, __: object) -> None:
        asked.append(name)

    file = authority.issue("server", names=(NAME,))
    context = server_context(TlsServerSettings(certificate_file=file))
    context.set_servername_callback(note)

    async def main() -> None:
        listener = Listener()
        tls = options(ca_file=authority.ca_file, server_name=NAME)
        async with binding(carrier.port, listener, tls) as bind:
            assert bind.state is BindState.BOUND

    with RawCarrier(script, context) as carrier:
        run_on(loop_name, main)
    assert asked == [NAME]


async def test_e60_without_a_server_name_the_host_is_verified(
    authority: CertificateAuthority,
) -> None:
    listener, handler = Listener(), Handler()
    file = authority.issue("server", names=("127.0.0.1",))
    async with (
        tls_server(handler, file) as server,
        binding(server.port, listener, options(ca_file=authority.ca_file)) as bind,
    ):
        assert bind.state is BindState.BOUND


async def test_e60_a_client_certificate_lets_in(authority: CertificateAuthority) -> None:
    listener, handler = Listener(), Handler()
    file = authority.issue("server", names=(NAME,))
    tls = options(
        ca_file=authority.ca_file, server_name=NAME, certificate_file=authority.issue("client")
    )
    async with (
        tls_server(handler, file, authority.ca_file) as server,
        binding(server.port, listener, tls) as bind,
    ):
        bind.submit(submits(3))
        await listener.until(lambda: len(listener.answers) == 3)


async def test_e60_not_to_verify_has_to_be_said(authority: CertificateAuthority) -> None:
    listener, handler = Listener(), Handler()
    file = authority.issue("server", names=("other.example",), expired=True)
    async with (
        tls_server(handler, file) as server,
        binding(server.port, listener, options(verify=False)) as bind,
    ):
        assert bind.state is BindState.BOUND
    assert TlsSettings().verify


# --- what does not -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expired", "own_ca", "said"),
    [
        ((NAME,), False, False, "unable to get local issuer certificate"),
        ((NAME,), True, True, "certificate has expired"),
        (("other.example",), False, True, f"certificate is not valid for '{NAME}'"),
    ],
    ids=["wrong-ca", "expired", "wrong-name"],
)
@on_both_loops
def test_e60_a_certificate_that_cannot_be_trusted_is_refused(
    loop_name: str, tmp_path: Path, names: tuple[str, ...], expired: bool, own_ca: bool, said: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    trusted = authority if own_ca else CertificateAuthority(tmp_path, "somebody-else")
    file = authority.issue("server", names=names, expired=expired)

    async def main() -> None:
        listener, handler = Listener(), Handler()
        tls = options(ca_file=trusted.ca_file, server_name=NAME)
        slow = {"reconnect_seconds_min": 60.0, "reconnect_seconds_max": 60.0}
        async with (
            tls_server(handler, file) as server,
            binding(server.port, listener, tls | slow, wait_bound=False) as bind,
        ):
            error = await refusal(bind)
            assert error.startswith(f"cannot connect to 127.0.0.1:{server.port}: TLS: the peer's")
            assert said in error
            assert handler.binds == []  # the password did not leave
            assert server.sessions == frozenset()
        assert listener.unbounds == []

    run_on(loop_name, main)


@pytest.mark.parametrize("shown", ["none", "of-another-ca"])
async def test_e60_a_server_that_wants_a_client_certificate_is_understood(
    tmp_path: Path, shown: str
) -> None:
    authority = CertificateAuthority(tmp_path)
    other = CertificateAuthority(tmp_path, "somebody-else")
    file = authority.issue("server", names=(NAME,))
    tls: dict[str, object] = {"ca_file": authority.ca_file, "server_name": NAME}
    if shown != "none":
        tls["certificate_file"] = other.issue("client")
    handler = Handler()
    slow = {"reconnect_seconds_min": 60.0, "reconnect_seconds_max": 60.0}
    async with (
        tls_server(handler, file, authority.ca_file) as server,
        binding(server.port, Listener(), options(**tls) | slow, wait_bound=False) as bind,
    ):
        error = await refusal(bind)
        assert "is our certificate refused?" in error  # asyncio's server closes without an alert
        assert handler.binds == []
        assert server.sessions == frozenset()


async def test_e60_the_alert_of_a_server_that_wants_a_client_certificate_is_understood(
    authority: CertificateAuthority,
) -> None:
    file = authority.issue("server", names=(NAME,))
    context = server_context(
        TlsServerSettings(certificate_file=file, client_ca_file=authority.ca_file)
    )
    tls = options(ca_file=authority.ca_file, server_name=NAME)
    slow = {"reconnect_seconds_min": 60.0, "reconnect_seconds_max": 60.0}
    with RawCarrier(lambda connection, reader: None, context) as carrier:
        async with binding(carrier.port, Listener(), tls | slow, wait_bound=False) as bind:
            error = await refusal(bind)
            assert "TLS: the peer refuses our client certificate, or that there is none" in error


async def test_e60_a_peer_that_says_nothing_in_tls_is_named() -> None:
    slow = {"reconnect_seconds_min": 60.0, "reconnect_seconds_max": 60.0}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        quick = options() | slow | {"bind_timeout_seconds": 0.05}
        async with binding(port, Listener(), quick, wait_bound=False) as bind:
            assert (await refusal(bind)).endswith("no TLS handshake in 0.05 s")


async def test_e60_a_peer_that_does_not_speak_tls_is_named() -> None:
    def greet(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"220 this is no SMSC\r\n")
            connection.recv(4096)

    slow = {"reconnect_seconds_min": 60.0, "reconnect_seconds_max": 60.0}
    once = slow | {"bind_attempts_per_minute_max": 1}
    with socket.create_server(("127.0.0.1", 0)) as carrier:
        port = carrier.getsockname()[1]
        async with binding(port, Listener(), options() | once, wait_bound=False) as bind:
            connection, _ = await asyncio.to_thread(carrier.accept)
            await asyncio.to_thread(greet, connection)
            assert "TLS: the peer does not speak TLS on this port" in await refusal(bind)
            # It was seen by the carrier, so it counts as an attempt (E54).
            assert bind._attempts.wait(asyncio.get_running_loop().time()) > 0


async def test_e60_a_client_without_tls_does_not_stop_the_server(
    authority: CertificateAuthority,
) -> None:
    """A failed handshake leaves nothing behind: the next client gets in, and stop() ends."""
    listener, handler = Listener(), Handler()
    file = authority.issue("server", names=(NAME,))
    tls = TlsServerSettings(certificate_file=file)
    settings = ServerSettings(tls=tls, sessions_max=1, timers=TimerSettings(bind_seconds=5.0))
    async with serving(handler, settings) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        trust = options(ca_file=authority.ca_file, server_name=NAME)
        async with binding(server.port, listener, trust) as bind:
            assert bind.state is BindState.BOUND


async def test_e60_connections_are_counted_again_after_the_handshake(
    authority: CertificateAuthority,
) -> None:
    """Two are accepted while none is counted; the second to finish its handshake is refused."""
    file = authority.issue("server", names=(NAME,))
    settings = ServerSettings(tls=TlsServerSettings(certificate_file=file), sessions_max=1)
    trust = client_context(TlsSettings(ca_file=authority.ca_file))
    async with serving(Handler(), settings) as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address) as late, socket.create_connection(address) as early:
            for sock in (late, early):
                sock.setblocking(False)
            _, first = await asyncio.open_connection(sock=early, ssl=trust, server_hostname=NAME)
            await eventually(lambda: len(server._sessions) == 1)
            reader, second = await asyncio.open_connection(
                sock=late, ssl=trust, server_hostname=NAME
            )
            with contextlib.suppress(OSError):
                assert await reader.read() == b""
            assert server.connections_refused == 1
            assert not first.is_closing()
            for writer in (first, second):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()


async def test_e60_stop_ends_a_handshake_that_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        slow = {"bind_timeout_seconds": 3600.0}
        async with binding(port, Listener(), options() | slow, wait_bound=False) as bind:
            await eventually(lambda: bind._attempt is not None)
            async with asyncio.timeout(WAIT_SECONDS):
                await bind.stop(5.0)
            assert bind.state is BindState.STOPPED


# --- files that are wrong ------------------------------------------------------------------------


def test_e60_a_wrong_file_is_one_clear_error(
    tmp_path: Path, authority: CertificateAuthority
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("buy milk\n")
    missing = str(tmp_path / "missing.pem")
    server = authority.issue("server", names=(NAME,))
    client = authority.issue("client")
    wrong = [
        (TlsSettings(ca_file=missing), f"TLS: ca_file {missing}: No such file or directory"),
        (TlsSettings(ca_file=str(notes)), f"TLS: ca_file {notes}: no PEM certificate"),
        (TlsSettings(certificate_file=missing), f"certificate_file {missing}: No such file"),
        (TlsSettings(certificate_file=str(notes)), f"{notes}: no PEM certificate with its own"),
        (TlsSettings(certificate_file=client, key_file=server), f"with key_file {server}: no PEM"),
        (TlsSettings(key_file=client), "without a certificate_file"),
    ]
    for settings, said in wrong:
        with pytest.raises(TlsError) as caught:
            client_context(settings)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(TlsError, match="ca_file"):
        bind = BindSettings(
            host="h", port=1, system_id="u", password="p", tls=TlsSettings(ca_file=missing)
        )
        Bind("carrier", bind, Listener())


async def test_e60_a_server_with_a_wrong_file_does_not_listen(tmp_path: Path) -> None:
    tls = TlsServerSettings(certificate_file=str(tmp_path / "missing.pem"))
    server = SmppServer(Handler(), "127.0.0.1", 0, ServerSettings(tls=tls))
    with pytest.raises(TlsError, match=r"missing\.pem"):
        await server.start()


# --- E31 -----------------------------------------------------------------------------------------


@on_both_loops
def test_e31_a_stalled_loop_reads_before_it_expires_over_tls(
    loop_name: str, authority: CertificateAuthority
) -> None:
    """1000 answers come, enciphered, while our loop stands still for twice the timeout.

    They are several records and slices, all in the kernel's buffers when the loop goes on.
    """
    count = 1000
    timeout_seconds = 0.5
    octets_sent = count * len(encode(submits(1)[0][0]))
    answers = b"".join(encode(SubmitSmResp(n, 0, b"9" * 64)) for n in range(2, count + 2))
    sent = threading.Event()

    def script(connection: socket.socket, reader: PduReader) -> None:
        octets_left = octets_sent
        while octets_left:
            octets_left -= len(connection.recv(min(octets_left, 65536)))
        connection.sendall(answers)
        sent.set()
        with contextlib.suppress(OSError):
            reader.next()

    async def main() -> None:
        listener = Listener()
        tls = options(ca_file=authority.ca_file, server_name=NAME)
        more = {"window": count, "response_timeout_seconds": timeout_seconds}
        async with binding(carrier.port, listener, tls | more) as bind:
            assert bind.submit(submits(count)) == count
            sent.wait(WAIT_SECONDS)
            time.sleep(2 * timeout_seconds)  # noqa: ASYNC251  # the stall is what is tested
            await listener.until(lambda: len(listener.answers) + len(listener.expirations) == count)
        assert listener.expirations == []

    file = authority.issue("server", names=(NAME,))
    context = server_context(TlsServerSettings(certificate_file=file))
    with RawCarrier(script, context) as carrier:
        run_on(loop_name, main)


@on_both_loops
def test_e31_paused_reading_does_not_expire_what_the_tls_layer_holds(
    loop_name: str, authority: CertificateAuthority
) -> None:
    """While reading is paused the TLS layer takes bytes from the kernel and keeps them.

    FIONREAD says 0, and the answers are there all the same.
    """

    async def main() -> None:
        listener, handler = Listener(), Handler(answering=False)
        tls = options(ca_file=authority.ca_file, server_name=NAME)
        more = {"response_timeout_seconds": 0.05}
        async with (
            tls_server(handler, file) as server,
            binding(server.port, listener, tls | more) as bind,
        ):
            bind.submit(submits(3))
            await handler.until(lambda: len(handler.received) == 3)
            bind.pause_reading()
            assert handler.session is not None
            handler.answer(handler.session, handler.received)
            session = bind._session
            assert session is not None
            await eventually(lambda: session._expiry is not None)
            for _ in range(50):
                await asyncio.sleep(0)  # the TLS layer empties the kernel meanwhile
            assert listener.expirations == []
            bind.resume_reading()
            await listener.until(lambda: len(listener.answers) == 3)
            assert listener.expirations == []

    file = authority.issue("server", names=(NAME,))
    run_on(loop_name, main)


@on_both_loops
def test_e31_without_an_answer_requests_expire_over_tls(
    loop_name: str, authority: CertificateAuthority
) -> None:
    async def main() -> None:
        listener, handler = Listener(), Handler(answering=False)
        tls = options(ca_file=authority.ca_file, server_name=NAME)
        more = {"response_timeout_seconds": 0.05, "window": 3}
        async with (
            tls_server(handler, file) as server,
            binding(server.port, listener, tls | more) as bind,
        ):
            bind.submit(submits(3))
            await listener.until(lambda: listener.expirations == [0, 1, 2])
            assert bind.free_slots == 3
            assert bind.state is BindState.BOUND

    file = authority.issue("server", names=(NAME,))
    run_on(loop_name, main)
