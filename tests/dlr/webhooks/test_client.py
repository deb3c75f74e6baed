"""What a receiver may do to us, over real sockets: nothing but answer."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dlr.webhooks.addresses import AddressPolicy
from dlr.webhooks.client import CONTEXTS_MAX, Attempt, Failure, WebhookClient, authority_fault
from tests.dlr.webhooks.raw_receiver import Receiver, Talk, answering, receiving, silent
from tests.smpp.certificates import CertificateAuthority

LOCAL = AddressPolicy.of(["127.0.0.0/8"], allow_http=True)
BODY = b'{"type":"webhook.test"}'
EMPTY = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
KEPT = b"HTTP/1.1 204 No Content\r\n\r\n"
MIB = 1 << 20


@asynccontextmanager
async def client(
    policy: AddressPolicy = LOCAL,
    *,
    lookup: Callable[[str, int], list[tuple[int, str]]] | None = None,
    authority: str | None = None,
    connect_seconds: float = 30.0,
    whole_seconds: float = 60.0,
) -> AsyncIterator[WebhookClient]:
    made = WebhookClient(
        policy,
        user_agent="smsgate/1",
        monotonic=time.monotonic,
        lookup=lookup,
        authority=authority,
        connect_seconds=connect_seconds,
        whole_seconds=whole_seconds,
    )
    try:
        yield made
    finally:
        await made.close()


async def asked(url: str, *, whole_seconds: float = 60.0) -> Attempt:
    async with client(whole_seconds=whole_seconds) as made:
        return await made.post(url, BODY, {"webhook-id": "evt_1"})


def leads_to(*addresses: str) -> Callable[[str, int], list[tuple[int, str]]]:
    return lambda _host, _port: [(socket.AF_INET, address) for address in addresses]


async def test_w25_an_empty_204_is_an_answer() -> None:
    async with receiving(answering(EMPTY)) as receiver:
        attempt = await asked(receiver.url)
    assert (attempt.status, attempt.error, attempt.answer) == (204, None, b"")
    assert attempt.milliseconds >= 0
    head = receiver.heads[0].lower()
    assert head.startswith("post /hooks http/1.1\r\n")
    for line in (
        f"host: 127.0.0.1:{receiver.port}",
        "content-type: application/json",
        "user-agent: smsgate/1",
        "webhook-id: evt_1",
        f"content-length: {len(BODY)}",
    ):
        assert f"{line}\r\n" in head


async def test_w1_the_octets_on_the_socket_are_those_given() -> None:
    body = '{"text":"退订😀 </script> \\u0041"}'.encode()
    arrived = []

    def talk(receiver: Receiver) -> Talk:
        async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.append(await receiver.request(reader))
            writer.write(EMPTY)

        return spoken

    async with receiving(talk) as receiver, client() as made:
        await made.post(receiver.url, body, {})
    assert arrived == [body]


async def test_what_the_answer_says_is_handed_on() -> None:
    head = b"HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nDate: Tue, 01 Dec 2026 00:00:00 GMT\r\n"
    async with receiving(answering(head + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000)) as one:
        attempt = await asked(one.url)
    assert attempt.status == 503
    assert attempt.retry_after == "120"
    assert attempt.date == "Tue, 01 Dec 2026 00:00:00 GMT"
    assert attempt.answer == b"x" * 1024


async def test_a_connection_is_used_again() -> None:
    async with receiving(answering(KEPT, keep=True)) as receiver, client() as made:
        for _ in range(3):
            assert (await made.post(receiver.url, BODY, {})).status == 204
    assert receiver.connections == 1
    assert len(receiver.heads) == 3


async def test_a_connection_that_was_closed_meanwhile_is_no_failure() -> None:
    """The receiver says that it stays, and closes: each request but the first meets that."""
    async with receiving(answering(KEPT)) as receiver, client() as made:
        statuses = [(await made.post(receiver.url, BODY, {})).status for _ in range(4)]
    assert statuses == [204] * 4
    assert receiver.connections == 4


async def test_a_receiver_that_hangs_ends_in_time() -> None:
    async with receiving(silent) as receiver:
        attempt = await asked(receiver.url, whole_seconds=0.2)
    assert attempt.error is Failure.TIMEOUT
    assert attempt.timed_out
    assert attempt.status is None


async def test_an_answer_that_hangs_behind_its_status_is_that_status() -> None:
    def talk(receiver: Receiver) -> Talk:
        async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await receiver.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nabc")
            await asyncio.Event().wait()

        return spoken

    async with receiving(talk) as receiver:
        attempt = await asked(receiver.url, whole_seconds=0.3)
    assert (attempt.status, attempt.error, attempt.answer) == (200, None, b"abc")


async def test_a_name_server_that_hangs_ends_in_time() -> None:
    over = threading.Event()

    def hanging(_host: str, _port: int) -> list[tuple[int, str]]:
        over.wait()
        return []

    try:
        async with client(lookup=hanging, connect_seconds=0.2) as made:
            attempt = await made.post("http://app.example/", BODY, {})
    finally:
        over.set()
    assert attempt.error is Failure.CONNECT_TIMEOUT
    assert attempt.timed_out


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        attempt = await asked(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert attempt.error is Failure.CONNECT_FAILED


async def test_a_name_that_nobody_knows() -> None:
    def unknown(_host: str, _port: int) -> list[tuple[int, str]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with client(lookup=unknown) as made:
        attempt = await made.post("http://app.example/", BODY, {})
    assert attempt.error is Failure.NAME_UNKNOWN
    assert not attempt.refused


async def test_a_process_without_a_handle_left_says_nothing_of_the_receiver() -> None:
    def exhausted(_host: str, _port: int) -> list[tuple[int, str]]:
        raise OSError(errno.EMFILE, "Too many open files")

    async with client(lookup=exhausted) as made:
        attempt = await made.post("http://app.example/", BODY, {})
    assert attempt.error is Failure.NO_HANDLES
    assert attempt.unsaid


async def test_no_handle_for_the_socket_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    async with client() as made:
        made_session = made._opened()
        monkeypatch.setattr(made_session.connector, "_socket_factory", no_socket)
        attempt = await made.post("http://127.0.0.1:9/", BODY, {})
    assert attempt.unsaid


@pytest.mark.parametrize(
    "said",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 99999999999 Odd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"\x00\xff" * 500,
    ],
)
async def test_what_is_no_answer(said: bytes) -> None:
    async with receiving(answering(said)) as receiver:
        attempt = await asked(receiver.url)
    assert attempt.status is None
    assert attempt.error in (Failure.ANSWER_UNREADABLE, Failure.DISCONNECTED)
    assert len(attempt.detail or "") <= 300


async def test_a_receiver_that_closes_without_a_word() -> None:
    async with receiving(answering()) as receiver:
        attempt = await asked(receiver.url)
    assert attempt.error is Failure.DISCONNECTED
    assert len(receiver.heads) == 1  # the next attempt is the schedule's


async def test_a_receiver_that_closes_in_its_answer_has_said_its_status() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc"
    async with receiving(answering(said)) as receiver:
        attempt = await asked(receiver.url)
    assert (attempt.status, attempt.error, attempt.answer) == (200, None, b"abc")


def endless(first: bytes, more: bytes, sent: list[int]) -> Callable[[Receiver], Talk]:
    def talk(receiver: Receiver) -> Talk:
        async def spoken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await receiver.request(reader)
            writer.write(first)
            while True:
                writer.write(more)
                sent[0] += len(more)
                await writer.drain()

        return spoken

    return talk


@pytest.mark.parametrize(
    ("first", "more", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n", b"x" * 65536, 200),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"10000\r\n" + b"x" * 65536 + b"\r\n",
            200,
        ),
        (
            b"HTTP/1.1 500 No\r\nContent-Encoding: gzip\r\nContent-Length: 5000000000\r\n\r\n",
            b"\x1f\x8b" * 32768,
            500,
        ),
        (b"HTTP/1.1 200 OK\r\n", b"X-More: y\r\n" * 6000, None),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"y" * 65536, None),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 2000, None),
    ],
    ids=["body", "chunks", "packed", "headers", "header", "informational"],
)
async def test_w19_an_answer_without_end_is_not_kept(
    first: bytes, more: bytes, status: int | None
) -> None:
    sent = [0]
    async with receiving(endless(first, more, sent)) as receiver, client(whole_seconds=1) as made:
        tracemalloc.start()
        try:
            attempt = await made.post(receiver.url, BODY, {})
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert attempt.status == status
    assert status is not None or attempt.error is Failure.ANSWER_UNREADABLE
    assert len(attempt.answer) <= 1024
    assert peak < 8 * MIB, f"{peak} of {sent[0]}"


async def test_an_answer_may_be_announced_before_it_comes() -> None:
    said = b"HTTP/1.1 102 Processing\r\n\r\n" * 16 + EMPTY
    async with receiving(answering(said)) as receiver:
        assert (await asked(receiver.url)).status == 204


async def test_w6_a_redirect_is_not_followed() -> None:
    async with receiving(answering(EMPTY)) as inner:
        for target in ("http://169.254.169.254/latest/meta-data/", inner.url):
            said = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
            async with receiving(answering(said)) as receiver:
                attempt = await asked(receiver.url)
            assert attempt.status == 302
            assert len(receiver.heads) == 1
    assert inner.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "１２７.0.0.1", "127.1"]
)
async def test_w8_a_literal_address_is_judged_before_the_resolver(host: str) -> None:
    asked_for: list[str] = []

    def lookup(name: str, _port: int) -> list[tuple[int, str]]:
        asked_for.append(name)
        return [(socket.AF_INET, "127.0.0.1")]

    strict = AddressPolicy.of(ports=range(1, 65536), allow_http=True)
    async with receiving(answering(EMPTY)) as receiver, client(strict, lookup=lookup) as made:
        attempt = await made.post(f"http://{host}:{receiver.port}/", BODY, {})
    assert attempt.error is Failure.URL_REFUSED
    assert attempt.refused
    assert receiver.connections == 0
    assert asked_for == []


async def test_w7_a_name_that_leads_elsewhere_later_is_judged_again() -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"], ["127.0.0.1", "10.0.0.1"], ["127.0.0.1"]])

    def alternating(_host: str, _port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, address) for address in next(answers)]

    async with receiving(answering(EMPTY)) as receiver, client(lookup=alternating) as made:
        url = f"http://app.example:{receiver.port}/"
        attempts = [await made.post(url, BODY, {}) for _ in range(4)]
    assert [each.status for each in attempts] == [204, None, None, 204]
    assert [each.error for each in attempts[1:3]] == [Failure.ADDRESS_REFUSED] * 2
    assert not attempts[1].refused  # a name may lead elsewhere tomorrow: the schedule goes on
    assert receiver.connections == 2
    assert f"Host: app.example:{receiver.port}\r\n" in receiver.heads[0]


async def test_w7_the_connection_goes_to_the_address_that_was_checked() -> None:
    lookups = []

    def lookup(host: str, _port: int) -> list[tuple[int, str]]:
        lookups.append(host)
        return [(socket.AF_INET, "127.0.0.1" if len(lookups) == 1 else "127.0.0.2")]

    async with receiving(answering(EMPTY)) as first:
        other = receiving(answering(EMPTY), host="127.0.0.2", port=first.port)
        async with other as second, client(lookup=lookup) as made:
            await made.post(f"http://app.example:{first.port}/", BODY, {})
    assert (first.connections, second.connections) == (1, 0)
    assert lookups == ["app.example"]


async def test_w10_proxy_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving(answering(EMPTY)) as proxy, receiving(answering(EMPTY)) as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            for variable in (name, name.lower()):
                monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")
        for variable in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(variable, raising=False)
        attempt = await asked(receiver.url)
    assert attempt.status == 204
    assert (proxy.connections, receiver.connections) == (0, 1)


def text_of(authority: CertificateAuthority) -> str:
    return Path(authority.ca_file).read_text(encoding="ascii")


def serving(certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


async def over_tls(
    certificate: str, *, own: str | None = None, shared: str | None = None
) -> tuple[Attempt, Receiver]:
    """`own` is the endpoint's authority, `shared` the setting's."""
    async with (
        receiving(answering(EMPTY), tls=serving(certificate)) as receiver,
        client(lookup=leads_to("127.0.0.1"), authority=shared) as made,
    ):
        url = f"https://app.example:{receiver.port}/"
        return await made.post(url, BODY, {}, authority=own), receiver


async def test_w24_a_private_authority_is_trusted_where_it_is_named(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    pem = text_of(authority)
    certificate = authority.issue("server", names=("app.example",))
    for trusted in ({"own": pem}, {"shared": pem}):
        attempt, receiver = await over_tls(certificate, **trusted)
        assert attempt.status == 204
        assert receiver.names == ["app.example"]
        assert f"Host: app.example:{receiver.port}\r\n" in receiver.heads[0]


async def test_w24_nothing_else_is_trusted(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    pem = text_of(authority)
    other = text_of(CertificateAuthority(tmp_path, "other-ca"))
    certificate = authority.issue("server", names=("app.example",))
    elsewhere = authority.issue("elsewhere", names=("127.0.0.1", "other.example"))
    expired = authority.issue("expired", names=("app.example",), expired=True)
    for shown, own, shared in (
        (certificate, None, None),
        (certificate, other, pem),  # an endpoint that names its authority trusts it alone
        (elsewhere, pem, None),
        (expired, pem, None),
        (certificate, "-----BEGIN CERTIFICATE-----\n", None),
    ):
        attempt, receiver = await over_tls(shown, own=own, shared=shared)
        assert attempt.error is Failure.TLS_FAILED
        assert receiver.heads == []


async def test_trust_is_remembered_within_a_bound(tmp_path: Path) -> None:
    pem = text_of(CertificateAuthority(tmp_path))
    async with client(lookup=leads_to("10.0.0.1")) as made:
        for number in range(CONTEXTS_MAX + 5):
            url = "https://app.example/"
            attempt = await made.post(url, BODY, {}, authority=pem + "\n" * number)
            assert attempt.error is Failure.ADDRESS_REFUSED
        assert len(made._contexts) == CONTEXTS_MAX


async def test_who_gives_up_is_not_held() -> None:
    async with receiving(silent) as receiver, client() as made:
        request = asyncio.create_task(made.post(receiver.url, BODY, {}))
        while not receiver.heads:
            await asyncio.sleep(0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request


async def test_what_is_under_way_at_the_end_fails() -> None:
    async with receiving(silent) as receiver, client() as made:
        request = asyncio.create_task(made.post(receiver.url, BODY, {}))
        while not receiver.heads:
            await asyncio.sleep(0)
        await made.close()
        assert (await request).error is Failure.DISCONNECTED


@pytest.mark.parametrize(
    "pem", ["", "COM1", "\x00", "é", "\U0001d4fd", "\x85", "-----BEGIN CERTIFICATE-----"]
)
def test_w24_what_is_no_authority_is_said_and_never_raised(pem: str) -> None:
    assert authority_fault(pem) is not None


def test_what_no_table_takes_is_no_authority(tmp_path: Path) -> None:
    pem = text_of(CertificateAuthority(tmp_path))
    assert authority_fault(f"ours\n{pem}") is None
    assert authority_fault(f"ours\0\n{pem}") is not None
