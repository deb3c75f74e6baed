"""The short way for single messages: those of one round of the event loop are stored together.

Owns what waits between a connection and the accepter, and the octets of these answers. Must not
validate nor store. It answers what messages.py would.

That one takes everything that is not quite usual: a key not verified lately, an Idempotency-Key, a
large body. The short way saves aiohttp's parser, tasks, request and response: half of the cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from email.utils import formatdate

import msgspec

from messages.accept.templated import TemplateUnread
from messages.models import AccountPolicy, Prepared, Refused, Verdict
from storage.categories import Category
from web.api.message_answers import SentMessage, sent
from web.api.messages import MessagesApi
from web.api.templated import checked_after_reading
from web.edge.access import Access
from web.edge.answer_fields import octets_of
from web.edge.bodies import JSON
from web.edge.connection import Connection
from web.edge.list_bodies import SLICE_ITEMS
from web.edge.middleware import Edge
from web.edge.problems import not_taken, problem_response
from web.edge.request_head import BODY_BYTES_MAX, RequestHead, RequestHeads
from web.edge.request_ids import REQUEST_ID_HEADER
from web.services import Services

PATH = "/v1/messages"
TARGET = f"POST {PATH}"


class _Post:
    """One request on its way."""

    __slots__ = ("account", "body", "connection", "prepared", "request_id", "started")

    def __init__(
        self,
        connection: Connection,
        account: AccountPolicy,
        body: bytes,
        request_id: str,
        started: float,
    ) -> None:
        self.connection = connection
        self.account = account
        self.body = body
        self.request_id = request_id
        self.started = started
        self.prepared: Prepared


class SinglePosts:
    """Takes single messages off their connections. Call `close` when no more are to be taken."""

    def __init__(
        self,
        services: Services,
        access: Access,
        edge: Edge,
        messages: MessagesApi,
    ) -> None:
        self.heads = RequestHeads()
        self.monotonic = services.monotonic
        self._services = services
        self._access = access
        self._edge = edge
        self._always = octets_of(edge.always)
        self._limits = services.limits
        self._messages = messages
        self._encode = msgspec.json.Encoder().encode
        self._posts: list[_Post] = []  # bounded by the connections: each has one at a time
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._stamp = (0, "")

    def suits(self, head: RequestHead) -> bool:
        """Whether it is a small message as JSON, without an Idempotency-Key."""
        return (
            head.target == TARGET
            and head.media_type == JSON
            and head.idempotency_key is None
            and 0 < head.body_bytes <= BODY_BYTES_MAX
            and not self._closed
        )

    def take(self, connection: Connection, head: RequestHead, body: bytes) -> bool:
        """As ShortWay.take. Its turn comes when the event loop has looked at every connection."""
        account = self._access.known_sender(head.authorization)
        if account is None:
            return False
        if not self._posts:
            asyncio.get_running_loop().call_soon(self._work)
        request_id = self._edge.request_id(head.request_id)
        started = self.monotonic()
        self._posts.append(_Post(connection, account, body, request_id, started))
        return True

    async def close(self, seconds: float) -> None:
        """Take no more. Wait at most so many seconds until those taken are answered."""
        self._closed = True
        while self._posts:
            self._work()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    def _work(self) -> None:
        """Handle what was taken, in callbacks of at most 5 ms."""
        posts, self._posts = self._posts[:SLICE_ITEMS], self._posts[SLICE_ITEMS:]
        loop = asyncio.get_running_loop()
        if self._posts:
            loop.call_soon(self._work)
        otp: list[_Post] = []
        rest: list[_Post] = []
        now_ms = self._services.wall_ms()
        for post in posts:
            try:
                prepared = self._checked(post, now_ms)
            except Exception as error:  # noqa: BLE001 - the others of this round are not concerned
                self._fail(post, error)
                continue
            if isinstance(prepared, TemplateUnread):
                self._start(self._accept_later(post, prepared))
                continue
            post.prepared = prepared
            (otp if prepared.category == Category.OTP else rest).append(post)
        for together in (otp, rest):  # no one-time password waits for others to be stored
            if together:
                self._start(self._accept(together))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _checked(self, post: _Post, now_ms: int) -> Prepared | TemplateUnread:
        if self._limits:
            self._limits.take(post.account.id)
        checked = self._services.validator.check(post.body, post.account, now_ms=now_ms)
        if isinstance(checked, Refused) and not isinstance(checked, TemplateUnread):
            raise not_taken(checked)
        return checked

    async def _accept_later(self, post: _Post, unread: TemplateUnread) -> None:
        """One whose template is read first: once in some seconds for each template."""
        try:
            checked = await checked_after_reading(self._services, post.body, post.account, unread)
            if isinstance(checked, Refused):
                raise not_taken(checked)
        except Exception as error:  # noqa: BLE001 - it is the answer
            self._fail(post, error)
            return
        except BaseException:
            post.connection.abandon()
            raise
        post.prepared = checked
        await self._accept([post])

    async def _accept(self, posts: Sequence[_Post]) -> None:
        try:
            verdicts = await self._services.accepter.accept(
                [post.prepared for post in posts], batch_id=None
            )
            judged = list(zip(posts, verdicts, strict=True))
        except Exception as error:  # noqa: BLE001 - it is the answer to all of them
            for post in posts:
                self._fail(post, error)
            return
        except BaseException:  # canceled: who waits for an answer must not wait for ever
            for post in posts:
                post.connection.abandon()
            raise
        repeats: list[tuple[_Post, Verdict]] = []
        for post, verdict in judged:
            if isinstance(verdict, Refused):
                self._fail(post, not_taken(verdict))
            elif verdict.deduplicated:
                repeats.append((post, verdict))
            else:
                self._accepted(post, sent(post.prepared, verdict))
        if repeats:  # each is looked up by itself: none waits for the others
            await asyncio.gather(*(self._repeat(post, verdict) for post, verdict in repeats))

    async def _repeat(self, post: _Post, verdict: Verdict) -> None:
        try:
            self._accepted(post, await self._messages.answer_before(post.account, verdict))
        except Exception as error:  # noqa: BLE001 - the others are not concerned
            self._fail(post, error)
        except BaseException:
            post.connection.abandon()
            raise

    def _accepted(self, post: _Post, answer: SentMessage) -> None:
        head = f"HTTP/1.1 202 Accepted\r\nLocation: {PATH}/{answer.id}\r\nContent-Type: {JSON}\r\n"
        self._answer(post, 202, head, self._encode(answer))

    def _fail(self, post: _Post, error: Exception) -> None:
        problem = self._edge.problem(error, PATH, post.request_id)
        response = problem_response(problem, PATH, post.request_id)
        fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
        head = f"HTTP/1.1 {response.status} {response.reason}\r\n{fields}"
        assert isinstance(response.body, bytes)
        self._answer(post, response.status, head, response.body)

    def _answer(self, post: _Post, status: int, head: str, body: bytes) -> None:
        if self._limits:
            quotas = self._limits.fields(post.account.id)
            head += "".join(f"{name}: {value}\r\n" for name, value in quotas.items())
        head += (
            f"{REQUEST_ID_HEADER}: {post.request_id}\r\nContent-Length: {len(body)}\r\n"
            f"{self._dated()}\r\n"
        )
        post.connection.answer(head.encode() + body)
        self._edge.record("POST", PATH, status, self.monotonic() - post.started)

    def _dated(self) -> str:
        """The header fields of every answer, with the date. Made once a second."""
        now = self._services.wall_ms() // 1000
        if self._stamp[0] != now:
            date = formatdate(now, usegmt=True)
            self._stamp = (now, f"Date: {date}\r\n{self._always}")
        return self._stamp[1]
