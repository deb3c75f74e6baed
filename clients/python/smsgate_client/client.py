"""The client for code that blocks. Owns its connections and its waiting.

What is asked, and what an answer means, is the same for both clients: see calls and exchange.
Must not decide either.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar

import httpx2

from smsgate_client import calls
from smsgate_client.blocking import (
    Anomalies,
    Audit,
    Batches,
    Breakers,
    Complaints,
    Connectors,
    Consents,
    Conversions,
    Inbound,
    Messages,
    Numbers,
    Persons,
    Suppressions,
    WebhookCallbacks,
    WebhookEndpoints,
)
from smsgate_client.blocking_campaigns import Campaigns
from smsgate_client.blocking_caps import Caps
from smsgate_client.blocking_contacts import Contacts, Events
from smsgate_client.blocking_links import Links
from smsgate_client.blocking_reports import Reports
from smsgate_client.blocking_segments import Segments
from smsgate_client.blocking_templates import Templates
from smsgate_client.connection import MAY_PASS, connection, was_sent
from smsgate_client.exchange import Done, Exchange, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from smsgate_client.calls import Call, Page
    from smsgate_client.retries import RetryPolicy

T = TypeVar("T")


class Client:
    """One account of a gateway. Close it, or use it with `with`; threads may share it."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        retry: RetryPolicy | None = None,
        timeout_seconds: float = 30.0,
        http: httpx2.Client | None = None,
    ) -> None:
        """`http` is of your own making, for a proxy or a private CA; you close it."""
        self._connection = connection(url, key, retry, timeout_seconds)
        self._closes = http is None
        self._http = http or httpx2.Client()
        self.messages = Messages(self)
        self.batches = Batches(self)
        self.suppressions = Suppressions(self)
        self.consents = Consents(self)
        self.complaints = Complaints(self)
        self.conversions = Conversions(self)
        self.contacts = Contacts(self)
        self.events = Events(self)
        self.links = Links(self)
        self.segments = Segments(self)
        self.campaigns = Campaigns(self)
        self.caps = Caps(self)
        self.templates = Templates(self)
        self.audit = Audit(self)
        self.persons = Persons(self)
        self.inbound = Inbound(self)
        self.numbers = Numbers(self)
        self.reports = Reports(self)
        self.connectors = Connectors(self)
        self.breakers = Breakers(self)
        self.anomalies = Anomalies(self)
        self.webhook_endpoints = WebhookEndpoints(self)
        self.webhook_callbacks = WebhookCallbacks(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, if the client has opened them itself."""
        if self._closes:
            self._http.close()

    def run(self, call: Call[T]) -> T:
        """One request and its repetitions; raises SmsgateError."""
        exchange = Exchange(call, self._connection.retry)
        outcome: Wait | Done[T]
        while True:
            try:
                answer = self._http.request(**self._connection.request(call, exchange))
            except MAY_PASS as error:
                outcome = exchange.broke(error, sent=was_sent(error), chance=random.random())
            else:
                outcome = exchange.answered(
                    answer.status_code, answer.headers, answer.content,
                    now=datetime.now(UTC), chance=random.random(),
                )  # fmt: skip
            if not isinstance(outcome, Wait):
                return outcome.value
            time.sleep(outcome.seconds)

    def each(self, call: Call[Page[T]]) -> Iterator[T]:
        """The items of a list, a page at a time as they are asked for."""
        while True:
            page = self.run(call)
            yield from page.data
            if page.next_cursor is None:
                return
            call = calls.after(call, page.next_cursor)
