"""One request to a webhook's receiver, guarded: it reaches no address that was not checked.

Owns the aiohttp session, the names it resolves, and the bounds of an answer. Must not sign, decide
what follows on an attempt (schedule.py), or store anything.

What protects: a literal address is judged before aiohttp sees it, for aiohttp asks its resolver
about names only. The resolver judges every address a name leads to, and the connection goes to one
of these. Nothing is remembered of a name, no proxy variable is read, no redirect is followed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from types import SimpleNamespace
from typing import Self

import aiohttp
import msgspec
from aiohttp import StreamReader
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.http_parser import RawResponseMessage

from dlr.webhooks.addresses import AddressPolicy, AddressRefused, UrlRefused

CONNECT_SECONDS = 5.0  # name, TCP and TLS
WHOLE_SECONDS = 15.0
ANSWER_BYTES_READ = 16 * 1024  # more is not fetched; the connection is closed
ANSWER_BYTES_KEPT = 1024
ANNOUNCED_MAX = 16
REQUESTS_MAX = 256
LOOKUPS_MAX = 16  # threads: a name server that hangs must not take those that others need
# Shorter than any server waits before it closes: a request must not meet the end of a connection.
IDLE_SECONDS = 1.5
CONTEXTS_MAX = 64
DETAIL_MAX = 300

# host, port -> family and address of each. Blocks; asked in a thread.
Lookup = Callable[[str, int], Sequence[tuple[int, str]]]

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class Failure(StrEnum):
    """Why there was no answer."""

    URL_REFUSED = "url_refused"  # final: it may not be asked, whatever happens
    ADDRESS_REFUSED = "address_refused"  # its name led to an address that may not be asked
    NAME_UNKNOWN = "name_unknown"
    CONNECT_FAILED = "connect_failed"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    TIMEOUT = "timeout"
    DISCONNECTED = "disconnected"
    ANSWER_UNREADABLE = "answer_unreadable"
    NO_HANDLES = "no_handles"  # nothing was asked: this process may open no more files
    SECRET_UNREADABLE = "secret_unreadable"  # nothing was asked: there is nothing to sign with


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one request: `status`, or `error` and what was said about it."""

    status: int | None = None
    error: Failure | None = None
    detail: str | None = None
    milliseconds: int
    answer: bytes = b""
    retry_after: str | None = None
    date: str | None = None

    @property
    def refused(self) -> bool:
        """Whether no later attempt can end otherwise."""
        return self.error is Failure.URL_REFUSED

    @property
    def unsaid(self) -> bool:
        """Whether it says nothing of the receiver, which was not asked."""
        return self.error is Failure.NO_HANDLES

    @property
    def timed_out(self) -> bool:
        """Whether it took too long."""
        return self.error in (Failure.TIMEOUT, Failure.CONNECT_TIMEOUT)


class WebhookClient:
    """Posts to receivers. `authority`: PEM of who is trusted beside those of the system."""

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        user_agent: str,
        monotonic: Callable[[], float],
        authority: str | None = None,
        lookup: Lookup | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        self.policy = policy
        self._user_agent = user_agent
        self._monotonic = monotonic
        self._authority = authority
        self._lookup = lookup or _system_lookup
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_seconds)
        self._whole_seconds = whole_seconds
        self._contexts: OrderedDict[str | None, ssl.SSLContext] = OrderedDict()
        self._threads: ThreadPoolExecutor | None = None
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """End what is open. Requests under way fail."""
        session, threads = self._session, self._threads
        self._session = self._threads = None
        if session is not None:
            await session.close()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, authority: str | None = None
    ) -> Attempt:
        """One request. `authority`: PEM of who alone is trusted to know this receiver. Never raises
        for what the receiver, its name or its certificate does.
        """
        said = {**headers, "Content-Type": "application/json"}
        return await self._attempt("POST", url, body, said, authority)

    async def head(self, url: str, *, authority: str | None = None) -> Attempt:
        """What a receiver says of itself, without being told anything. As `post` otherwise."""
        return await self._attempt("HEAD", url, None, {}, authority)

    async def get(self, url: str) -> Attempt:
        """What stands there for everybody. As `post` otherwise."""
        return await self._attempt("GET", url, None, {}, None)

    async def _attempt(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        authority: str | None,
    ) -> Attempt:
        began = self._monotonic()
        heard = _Heard()
        error, detail = None, None
        try:
            async with asyncio.timeout(self._whole_seconds):
                await self._ask_again_if_stale(method, url, body, headers, authority, heard)
        except _FAILURES as failure:
            # Once the status is there, what follows it cannot change what it says.
            if heard.status is None:
                error, detail = _failure(failure)
        return Attempt(
            status=heard.status,
            error=error,
            detail=detail,
            milliseconds=round((self._monotonic() - began) * 1000),
            answer=bytes(heard.answer[:ANSWER_BYTES_KEPT]),
            retry_after=heard.retry_after,
            date=heard.date,
        )

    async def _ask_again_if_stale(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        authority: str | None,
        heard: _Heard,
    ) -> None:
        """A server may close a connection that is used again at the very moment: that says nothing
        of the receiver. The id is the same, so that it may hear it twice.
        """
        try:
            return await self._ask(method, url, body, headers, authority, heard)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not heard.reused or heard.status is not None:
                raise
        return await self._ask(method, url, body, headers, authority, heard)

    async def _ask(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        authority: str | None,
        heard: _Heard,
    ) -> None:
        target = self.policy.target(url)
        response = await self._opened().request(
            method,
            target.url,
            data=body,
            headers={
                **headers,
                "User-Agent": self._user_agent,
                "Accept-Encoding": "identity",
            },
            allow_redirects=False,
            ssl=self._context(authority) if target.url.scheme == "https" else True,
            timeout=self._timeout,
            trace_request_ctx=heard,
        )
        try:
            heard.status = response.status
            heard.retry_after = response.headers.get("Retry-After")
            heard.date = response.headers.get("Date")
            while len(heard.answer) < ANSWER_BYTES_READ:
                piece = await response.content.read(ANSWER_BYTES_READ - len(heard.answer))
                if not piece:
                    response.release()
                    return
                heard.answer += piece
        finally:
            response.close()  # does nothing to a connection that was given back

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._threads = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="webhook-names")
            connector = aiohttp.TCPConnector(
                resolver=CheckedResolver(self.policy, self._lookup, self._threads),
                use_dns_cache=False,
                limit=REQUESTS_MAX,
                keepalive_timeout=IDLE_SECONDS,
            )
            tracing = aiohttp.TraceConfig()
            tracing.on_connection_reuseconn.append(_note_reuse)
            self._session = aiohttp.ClientSession(
                connector=connector,
                trace_configs=[tracing],
                trust_env=False,
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=ANSWER_BYTES_READ,
                response_class=_Answer,
            )
        return self._session

    def _context(self, authority: str | None) -> ssl.SSLContext:
        context = self._contexts.get(authority)
        if context is None:
            context = ssl.create_default_context(cadata=authority)
            if authority is None and self._authority is not None:
                context.load_verify_locations(cadata=self._authority)
            self._contexts[authority] = context
            if len(self._contexts) > CONTEXTS_MAX:
                self._contexts.popitem(last=False)
        self._contexts.move_to_end(authority)
        return context


class CheckedResolver(AbstractResolver):
    """Resolves a name once for each connection, and gives away no address that was not checked."""

    def __init__(self, policy: AddressPolicy, lookup: Lookup, threads: ThreadPoolExecutor) -> None:
        self._policy = policy
        self._lookup = lookup
        self._threads = threads

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises AddressRefused, socket.gaierror."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port)
        self._policy.check_answers(host, port, [address for _, address in found])
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=each, proto=0, flags=_NUMERIC
            )
            for each, address in found
        ]

    async def close(self) -> None:
        """The threads belong to the client."""


class _Answer(aiohttp.ClientResponse):
    """An answer behind at most ANNOUNCED_MAX that only announce it (1xx).

    Aiohttp reads any number of them, and parsing them without end would hold the event loop.
    """

    async def start(self, connection: Connection) -> Self:
        protocol = connection.protocol
        assert protocol is not None  # the connection was just made
        read, left = protocol.read, ANNOUNCED_MAX + 1

        async def counted() -> tuple[RawResponseMessage, StreamReader]:
            nonlocal left
            if not left:
                raise aiohttp.ClientPayloadError("nothing but announcements of an answer")
            left -= 1
            return await read()

        protocol.read = counted  # type: ignore[method-assign]
        try:
            await super().start(connection)
        finally:
            del protocol.read
        return self


class _Heard:
    """What has arrived of an answer so far."""

    __slots__ = ("answer", "date", "retry_after", "reused", "status")

    def __init__(self) -> None:
        self.reused = False  # the connection had been used before
        self.status: int | None = None
        self.retry_after: str | None = None
        self.date: str | None = None
        self.answer = bytearray()


async def _note_reuse(_session: object, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.reused = True


_FAILURES = (UrlRefused, aiohttp.ClientError, TimeoutError, OSError, ValueError)
# The first that fits counts.
_KINDS: Sequence[tuple[type[Exception], Failure]] = (
    (UrlRefused, Failure.URL_REFUSED),
    (aiohttp.InvalidURL, Failure.URL_REFUSED),
    (aiohttp.ConnectionTimeoutError, Failure.CONNECT_TIMEOUT),
    (TimeoutError, Failure.TIMEOUT),
    (aiohttp.ClientConnectorDNSError, Failure.NAME_UNKNOWN),
    (aiohttp.ClientSSLError, Failure.TLS_FAILED),
    (ssl.SSLError, Failure.TLS_FAILED),
    (aiohttp.ClientConnectorError, Failure.CONNECT_FAILED),
    (aiohttp.ClientResponseError, Failure.ANSWER_UNREADABLE),
    (aiohttp.ClientPayloadError, Failure.ANSWER_UNREADABLE),
    (ValueError, Failure.ANSWER_UNREADABLE),
)


def _failure(error: Exception) -> tuple[Failure, str]:
    inner = getattr(error, "os_error", None)
    if isinstance(inner, AddressRefused):
        return Failure.ADDRESS_REFUSED, str(inner)[:DETAIL_MAX]
    if getattr(inner or error, "errno", None) in (errno.EMFILE, errno.ENFILE):
        return Failure.NO_HANDLES, str(inner or error)[:DETAIL_MAX]
    kind = next((kind for known, kind in _KINDS if isinstance(error, known)), None)
    return kind or Failure.DISCONNECTED, (str(error) or type(error).__name__)[:DETAIL_MAX]


def authority_fault(pem: str) -> str | None:
    """Why this text is no authority that could be trusted; None: it is one."""
    # Nothing means the system's own; of what is not ASCII ssl raises a TypeError. No table takes
    # a NUL, which may stand between two certificates.
    if not pem or not pem.isascii() or "\0" in pem:
        return "is no certificate in PEM"
    try:
        context = ssl.create_default_context(cadata=pem)
    except (ssl.SSLError, ValueError):
        return "is no certificate in PEM"
    return None if context.get_ca_certs() else "is no certificate of an authority"


def _system_lookup(host: str, port: int) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, str(address[0])) for family, _, _, _, address in found]
