"""Owns what an account can do, one class a noun, for coroutines: as in blocking, and awaited.

Must not know a path or a shape of JSON: see calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from smsgate_client import answers as a
from smsgate_client import calls
from smsgate_client import conversions as v
from smsgate_client import endpoints as e
from smsgate_client import operating as o
from smsgate_client import privacy as y
from smsgate_client import recipients as p
from smsgate_client.calls import under

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from typing import Unpack

    from smsgate_client import filters as f
    from smsgate_client.calls import Call, Page
    from smsgate_client.requests import NewComplaint, NewConsent, NewMessage, NewSuppression
    from smsgate_client.words import BreakerScope, SuppressedCategory

T = TypeVar("T")


class Runner(Protocol):
    """What carries calls out: the client."""

    async def run(self, call: Call[T]) -> T: ...
    def each(self, call: Call[Page[T]]) -> AsyncIterator[T]: ...


class Noun:
    """Some operations of one client."""

    def __init__(self, client: Runner) -> None:
        self._client = client


class Messages(Noun):
    """Messages that were or are to be sent."""

    async def send(
        self, message: NewMessage, *, idempotency_key: str | None = None
    ) -> a.SentMessage:
        """Send one. Repeated, also by you with the same key, it is sent once."""
        return await self._client.run(calls.send(message, idempotency_key))

    async def send_batch(
        self, messages: Sequence[NewMessage], *, idempotency_key: str | None = None
    ) -> a.SentBatch:
        """Send up to 1 000. A wrong one is an item's error and stops no other."""
        return await self._client.run(calls.send_batch(messages, idempotency_key))

    async def preview(self, messages: Sequence[NewMessage]) -> a.Preview:
        """What would become of them: parts, encoding, route, rules. Nothing is sent."""
        return await self._client.run(calls.preview(messages))

    async def get(self, message_id: str) -> a.Message:
        """One as it stands; raises NotFound."""
        return await self._client.run(calls.get(under("messages", message_id), a.Message))

    def list(self, **which: Unpack[f.MessageFilter]) -> AsyncIterator[a.Message]:
        """Those that fit, the latest first."""
        return self._client.each(calls.listed(under("messages"), a.Message, **which))

    def events(self, message_id: str, **pages: Unpack[f.Pages]) -> AsyncIterator[a.Event]:
        """What happened to one, in order."""
        return self._client.each(calls.events(message_id, **pages))

    async def cancel(self, message_id: str) -> a.CanceledMessage:
        """Take one back that no carrier was given yet; else raises Conflict."""
        path = under("messages", message_id, "cancel")
        return await self._client.run(calls.post(path, a.CanceledMessage))


class Batches(Noun):
    """Batches that were sent, and how they go on."""

    async def get(self, batch_id: str) -> a.Batch:
        """One as it stands; raises NotFound."""
        return await self._client.run(calls.get(under("batches", batch_id), a.Batch))

    async def pause(self, batch_id: str) -> a.ChangedBatch:
        """Begin nothing more of it until it is resumed."""
        return await self._client.run(calls.change_batch(batch_id, "pause"))

    async def resume(self, batch_id: str) -> a.ChangedBatch:
        """Go on with it."""
        return await self._client.run(calls.change_batch(batch_id, "resume"))

    async def cancel(self, batch_id: str) -> a.ChangedBatch:
        """Take back what waits of it."""
        return await self._client.run(calls.change_batch(batch_id, "cancel"))

    async def set_rate(self, batch_id: str, rate: str | None) -> a.ChangedBatch:
        """Give it a rate of its own, as "50/s"; None: no longer."""
        return await self._client.run(calls.rated(under("batches", batch_id), a.ChangedBatch, rate))


class Suppressions(Noun):
    """Numbers that get nothing."""

    def list(self, **which: Unpack[f.SuppressionFilter]) -> AsyncIterator[p.Suppression]:
        """Those that fit."""
        return self._client.each(calls.listed(under("suppressions"), p.Suppression, **which))

    async def add(self, new: Sequence[NewSuppression]) -> p.AddedSuppressions:
        """Add up to 1 000. A wrong one is an item's error and stops no other."""
        return await self._client.run(calls.suppress(new))

    async def remove(
        self, number: str, *, reason: str, category: SuppressedCategory | str | None = None
    ) -> p.RemovedSuppressions:
        """Remove a number's entry of one category, or each; the audit keeps the reason."""
        return await self._client.run(calls.unsuppress(number, category, reason))

    def imports(self, **which: Unpack[f.Pages]) -> AsyncIterator[p.SuppressionImport]:
        """Files that were imported, the latest first."""
        where = under("suppressions", "imports")
        return self._client.each(calls.listed(where, p.SuppressionImport, **which))

    async def get_import(self, import_id: str) -> p.SuppressionImport:
        """How far one of them is."""
        where = under("suppressions", "imports", import_id)
        return await self._client.run(calls.get(where, p.SuppressionImport))


class Consents(Noun):
    """The ledger of who agreed to what."""

    def list(self, **which: Unpack[f.ConsentFilter]) -> AsyncIterator[p.Consent]:
        """Entries that fit, the latest recorded first."""
        return self._client.each(calls.listed(under("consents"), p.Consent, **which))

    async def record(self, new: NewConsent, *, idempotency_key: str | None = None) -> p.Consent:
        """Add an entry. Not repeated if its answer is lost: look before you do."""
        return await self._client.run(calls.consent(new, idempotency_key))

    async def proof(self, number: str, *, reveal: bool = False, reason: str = "") -> p.Proof:
        """All that is on record of one number: consents, replies, complaints, suppressions."""
        return await self._client.run(calls.proof(number, reveal, reason))


class Complaints(Noun):
    """What people complained of."""

    def list(self, **which: Unpack[f.ComplaintFilter]) -> AsyncIterator[p.Complaint]:
        """Those that fit, the latest recorded first."""
        return self._client.each(calls.listed(under("complaints"), p.Complaint, **which))

    async def record(self, new: NewComplaint) -> p.Complaint:
        """Tell of one. Repeated under its id it is one."""
        return await self._client.run(calls.complain(new))


class Conversions(Noun):
    """What links led to."""

    async def record(self, new: v.NewConversion) -> v.Conversion:
        """Tell of one. Repeated under its id it is one."""
        return await self._client.run(calls.convert(new))

    async def record_batch(self, new: Sequence[v.NewConversion]) -> v.ConversionBatch:
        """Tell of up to 1 000. A wrong one is an item's error and stops no other."""
        return await self._client.run(calls.convert_batch(new))


class Audit(Noun):
    """Who changed or saw what."""

    def list(self, **which: Unpack[f.AuditFilter]) -> AsyncIterator[y.AuditRow]:
        """Rows that fit, the newest first."""
        return self._client.each(calls.listed(under("audit"), y.AuditRow, **which))


class Persons(Noun):
    """What is stored of one person. An export is a file: `smsgate persons export`, or curl."""

    async def erase(self, number: str, reason: str) -> y.Erasure:
        """Erase a person; the same request meanwhile is the same erasure."""
        return await self._client.run(calls.erase(number, reason))

    async def erasure(self, erasure_id: str) -> y.Erasure:
        """How far one is."""
        return await self._client.run(calls.erasure(erasure_id))


class Inbound(Noun):
    """Messages from handsets."""

    def list(self, **which: Unpack[f.InboundFilter]) -> AsyncIterator[p.InboundMessage]:
        """Those that fit, the latest first."""
        return self._client.each(calls.inbound(**which))


class Numbers(Noun):
    """How numbers fare."""

    async def get(self, number: str) -> p.Number:
        """One number of this account, over the last 90 days."""
        return await self._client.run(calls.number(number))

    async def validate(
        self, numbers: Sequence[str], *, category: SuppressedCategory | str | None = None
    ) -> p.ValidatedNumbers:
        """What to think of up to 1 000 numbers. `category`: of what would be sent."""
        return await self._client.run(calls.validate(numbers, category))


class Connectors(Noun):
    """Connections to carriers."""

    def list(self) -> AsyncIterator[a.ConnectorState]:
        """Each; a Connector where the key has `connectors:read`, too."""
        return self._client.each(calls.connectors())

    async def set_rate(self, name: str, rate: str | None) -> a.Connector:
        """Another rate, in this process until it is restarted; needs the scope `admin`."""
        return await self._client.run(calls.rated(under("connectors", name), a.Connector, rate))

    async def pause(self, name: str, *, paused: bool = True) -> a.Connector:
        """Give it nothing more; with False, go on. Needs the scope `admin`."""
        return await self._client.run(calls.pause_connector(name, paused))

    def routes(self) -> AsyncIterator[o.Route]:
        """Each route, with its capacity and delivery; needs the scope `connectors:read`."""
        return self._client.each(calls.listed(under("routes"), o.Route))


class Breakers(Noun):
    """What is held back where too much fails; needs the scopes `operations:read` and `:write`."""

    def list(self, **which: Unpack[f.BreakerFilter]) -> AsyncIterator[o.Breaker]:
        """Those that hold messages back first."""
        return self._client.each(calls.listed(under("breakers"), o.Breaker, **which))

    async def get(self, scope: BreakerScope | str, subject: str) -> o.Breaker:
        """One as it stands; raises NotFound if it was never open."""
        return await self._client.run(calls.get(under("breakers", scope, subject), o.Breaker))

    async def open(
        self, scope: BreakerScope | str, subject: str, change: o.BreakerChange
    ) -> o.Breaker:
        """Hold back what it covers."""
        return await self._client.run(calls.change_breaker(scope, subject, "open", change))

    async def close(
        self, scope: BreakerScope | str, subject: str, change: o.BreakerChange
    ) -> o.Breaker:
        """Let everything go."""
        return await self._client.run(calls.change_breaker(scope, subject, "close", change))


class Anomalies(Noun):
    """What was found unlike other days; needs the scope `operations:read`."""

    def list(self, **which: Unpack[f.AnomalyFilter]) -> AsyncIterator[o.Anomaly]:
        """The latest found first."""
        return self._client.each(calls.listed(under("anomalies"), o.Anomaly, **which))


class WebhookEndpoints(Noun):
    """Where the account hears of its events."""

    def list(self, **pages: Unpack[f.Pages]) -> AsyncIterator[e.Endpoint]:
        """Each, the oldest first."""
        return self._client.each(calls.listed(under("webhook-endpoints"), e.Endpoint, **pages))

    async def create(
        self, new: e.NewEndpoint, *, idempotency_key: str | None = None
    ) -> e.NewEndpointKey:
        """Tell events to a URL. Keep the secret: no other answer has it."""
        return await self._client.run(calls.new_endpoint(new, idempotency_key))

    async def get(self, endpoint_id: str) -> e.Endpoint:
        """One as it stands; raises NotFound."""
        return await self._client.run(calls.endpoint(endpoint_id))

    async def change(self, endpoint_id: str, **changes: Unpack[e.EndpointChanges]) -> e.Endpoint:
        """Change what is given, and nothing else."""
        return await self._client.run(calls.change_endpoint(endpoint_id, changes))

    async def rotate(
        self, endpoint_id: str, *, overlap_seconds: int | None = None, secret: str | None = None
    ) -> e.NewEndpointKey:
        """Sign with a new secret, and for a time with the old one, too."""
        path = ("webhook-endpoints", endpoint_id)
        return await self._client.run(
            calls.rotate(
                *path, shape=e.NewEndpointKey, overlap_seconds=overlap_seconds, secret=secret
            )
        )

    async def retire(self, endpoint_id: str) -> e.Endpoint:
        """Sign with the newest secret alone."""
        return await self._client.run(calls.endpoint_verb(endpoint_id, "retire"))

    async def test(self, endpoint_id: str) -> e.EndpointTest:
        """Send a `webhook.test` now."""
        return await self._client.run(calls.test_endpoint(endpoint_id))

    async def pause(self, endpoint_id: str) -> e.Endpoint:
        """Let events wait."""
        return await self._client.run(calls.endpoint_verb(endpoint_id, "pause"))

    async def disable(self, endpoint_id: str) -> e.Endpoint:
        """Skip events; they can be replayed."""
        return await self._client.run(calls.endpoint_verb(endpoint_id, "disable"))

    async def enable(self, endpoint_id: str) -> e.Endpoint:
        """Deliver again, after a test that succeeds; else raises ApiError."""
        return await self._client.run(calls.endpoint_verb(endpoint_id, "enable"))

    async def delete(self, endpoint_id: str) -> None:
        """End it, with what waits for it."""
        return await self._client.run(calls.end_endpoint(endpoint_id))

    def deliveries(
        self, endpoint_id: str, **which: Unpack[f.DeliveryFilter]
    ) -> AsyncIterator[e.Delivery]:
        """What became of what it was told, the latest first."""
        path = under("webhook-endpoints", endpoint_id, "deliveries")
        return self._client.each(calls.listed(path, e.Delivery, **which))

    async def redeliver(self, endpoint_id: str, delivery_id: str) -> e.Redelivered:
        """Tell a delivery once more, now."""
        return await self._client.run(calls.redeliver(endpoint_id, delivery_id))

    async def replay(self, endpoint_id: str, wanted: e.Replay) -> e.Replayed:
        """Tell events once more that were given up or skipped."""
        return await self._client.run(calls.replay(endpoint_id, wanted))


class WebhookCallbacks(Noun):
    """What signs the callbacks that messages name."""

    async def get(self) -> e.Callbacks:
        """Whereto messages may name one, and the keys."""
        return await self._client.run(calls.get(under("webhook-callbacks"), e.Callbacks))

    async def rotate(
        self, *, overlap_seconds: int | None = None, secret: str | None = None
    ) -> e.NewCallbackKey:
        """Sign with a new secret, and for a time with the old one, too."""
        return await self._client.run(
            calls.rotate(
                "webhook-callbacks",
                shape=e.NewCallbackKey,
                overlap_seconds=overlap_seconds,
                secret=secret,
            )
        )

    async def retire(self) -> e.Callbacks:
        """Sign with the newest secret alone."""
        return await self._client.run(calls.post(under("webhook-callbacks", "retire"), e.Callbacks))
