"""Owns which request each operation is, and what its answer is read as.

`repeatable`: carried out twice it is as if carried out once, so a lost answer is asked for again.
Must not send one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import quote

from smsgate_client import answers as a
from smsgate_client import contacts as k
from smsgate_client import conversions as v
from smsgate_client import endpoints as e
from smsgate_client import links as s
from smsgate_client import operating as o
from smsgate_client import privacy as y
from smsgate_client import recipients as p
from smsgate_client import reports as r
from smsgate_client import segments as g
from smsgate_client import templates as t
from smsgate_client.shapes import ShapeError, read, write, write_time

T = TypeVar("T")

Query = Mapping[str, str]


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list, and where the next one begins."""

    data: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """One request, and what its answer is read as."""

    # What errors call it, if not by its path, which may hold a number. A query is never told.
    name: str = ""
    method: str
    path: str
    read: Callable[[object], T]
    query: Query = field(default_factory=dict)
    body: bytes | None = None
    idempotency_key: str | None = None
    reveal_reason: str | None = None
    version: int | None = None  # that is to be changed, and no other
    repeatable: bool = True


def get(path: str, shape: type[T], **query: object) -> Call[T]:
    return Call(method="GET", path=path, read=_reads(shape), query=given(query))


def post(
    path: str, shape: type[T], body: object = None, *, key: str | None = None,
    repeatable: bool = True,
) -> Call[T]:  # fmt: skip
    return Call(
        method="POST", path=path, read=_reads(shape), body=None if body is None else packed(body),
        idempotency_key=key, repeatable=repeatable,
    )  # fmt: skip


def patch(path: str, shape: type[T], body: object) -> Call[T]:
    return Call(method="PATCH", path=path, read=_reads(shape), body=packed(body))


def change(path: str, shape: type[T], version: int, changes: Mapping[str, object]) -> Call[T]:
    """Asked for twice, the second one would find the next version."""
    return replace(patch(path, shape, changes), version=version, repeatable=False)


def put(path: str, shape: type[T], body: object) -> Call[T]:
    return Call(method="PUT", path=path, read=_reads(shape), body=packed(body))


def end(path: str, version: int | None = None) -> Call[None]:
    return Call(method="DELETE", path=path, read=lambda _: None, version=version)


def page(
    path: str, item: Callable[[object], T], query: Mapping[str, object], data: str = "data"
) -> Call[Page[T]]:
    """A list's first page; `item` reads one of its items, which lie in the field `data`."""

    def read_page(value: object) -> Page[T]:
        if not isinstance(value, dict) or not isinstance(value.get(data), list):
            raise ShapeError(f"a page without {data}")
        cursor = value.get("next_cursor")
        if not isinstance(cursor, str | None):
            raise ShapeError("next_cursor is no text")
        return Page(tuple(map(item, value[data])), cursor)

    return Call(method="GET", path=path, read=read_page, query=given(query))


def after(call: Call[Page[T]], cursor: str) -> Call[Page[T]]:
    """The next page of the same list."""
    return replace(call, query={**call.query, "cursor": cursor})


def under(*parts: str) -> str:
    """A path below /v1, each part quoted."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def packed(body: object) -> bytes:
    """A body as it is sent, also when it is sent again."""
    return json.dumps(write(body), ensure_ascii=False, separators=(",", ":")).encode()


def given(query: Mapping[str, object]) -> dict[str, str]:
    """The parameters that were given, as text."""
    return {name: _text(value) for name, value in query.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return write_time(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)


def new_key() -> str:
    """An Idempotency-Key for one request and its repetitions."""
    return str(uuid.uuid4())


def _reads(shape: type[T]) -> Callable[[object], T]:
    return lambda value: read(shape, value)


def send(message: object, key: str | None) -> Call[a.SentMessage]:
    return post(under("messages"), a.SentMessage, message, key=key or new_key())


def send_batch(messages: Sequence[object], key: str | None) -> Call[a.SentBatch]:
    body = {"messages": messages}
    return post(under("messages", "batch"), a.SentBatch, body, key=key or new_key())


def preview(messages: Sequence[object]) -> Call[a.Preview]:
    return post(under("messages", "preview"), a.Preview, {"messages": messages})


def consent(new: object, key: str | None) -> Call[p.Consent]:
    """A gateway that ended in between may have it all the same, and would store another."""
    return post(under("consents"), p.Consent, new, key=key or new_key(), repeatable=False)


def complain(new: object) -> Call[p.Complaint]:
    return post(under("complaints"), p.Complaint, new)


def convert(new: object) -> Call[v.Conversion]:
    return post(under("conversions"), v.Conversion, new)


def convert_batch(new: Sequence[object]) -> Call[v.ConversionBatch]:
    return post(under("conversions", "batch"), v.ConversionBatch, {"conversions": new})


def proof(number: str, reveal: bool, reason: str) -> Call[p.Proof]:
    call = get(under("consents", "proof"), p.Proof, to=number, reveal=reveal or None)
    return replace(call, reveal_reason=reason or None)


def erase(asked: str, reason: str) -> Call[y.Erasure]:
    return post(under("persons", "erase"), y.Erasure, {"number": asked, "reason": reason})


def erasure(erasure_id: str) -> Call[y.Erasure]:
    return get(under("persons", "erasures", erasure_id), y.Erasure)


def inbound(kind: str | None = None, **query: object) -> Call[Page[p.InboundMessage]]:
    query["class"] = kind  # no name for a parameter in Python
    return listed(under("inbound"), p.InboundMessage, **query)


def suppress(new: Sequence[object]) -> Call[p.AddedSuppressions]:
    return post(under("suppressions"), p.AddedSuppressions, {"suppressions": new})


def unsuppress(number: str, category: str | None, reason: str) -> Call[p.RemovedSuppressions]:
    query = given({"number": number, "category": category, "reason": reason})
    call = get(under("suppressions"), p.RemovedSuppressions)
    return replace(call, method="DELETE", query=query)


def groups(kind: str, **query: object) -> Call[Page[r.Group]]:
    return page(under("reports", kind), _reads(r.Group), query, "groups")


def click_groups(**query: object) -> Call[Page[r.ClickGroup]]:
    return page(under("reports", "clicks"), _reads(r.ClickGroup), query, "groups")


def connectors() -> Call[Page[a.ConnectorState]]:
    return page(under("connectors"), connector, {})


def connector(value: object) -> a.ConnectorState:
    """The operator's view where the key may have it."""
    whole = isinstance(value, dict) and "binds" in value
    return read(a.Connector if whole else a.ConnectorState, value)


def events(message_id: str, **query: object) -> Call[Page[a.Event]]:
    return listed(under("messages", message_id, "events"), a.Event, **query)


def change_batch(batch_id: str, verb: str) -> Call[a.ChangedBatch]:
    return post(under("batches", batch_id, verb), a.ChangedBatch)


def number(asked: str) -> Call[p.Number]:
    call = get(under("numbers", asked), p.Number)
    return replace(call, name="GET /v1/numbers/…")


def validate(numbers: Sequence[str], category: str | None) -> Call[p.ValidatedNumbers]:
    body: dict[str, object] = {"numbers": list(numbers)}
    if category is not None:
        body["category"] = category
    return post(under("numbers", "validate"), p.ValidatedNumbers, body)


def pause_connector(name: str, paused: bool) -> Call[a.Connector]:
    return patch(under("connectors", name), a.Connector, {"paused": paused})


def change_breaker(scope: str, subject: str, verb: str, change: object) -> Call[o.Breaker]:
    """Said twice it is said once: its end is counted from the later one."""
    return post(under("breakers", scope, subject, verb), o.Breaker, change)


def new_link(new: object, key: str | None) -> Call[s.Link]:
    return post(under("links"), s.Link, new, key=key or new_key())


def new_links(new: Sequence[object], key: str | None) -> Call[s.LinkBatch]:
    return post(under("links", "bulk"), s.LinkBatch, {"links": new}, key=key or new_key())


def change_link(link_id: str, changes: Mapping[str, object]) -> Call[s.Link]:
    """A change to None is said: it takes away what was there."""
    return patch(under("links", link_id), s.Link, changes)


def new_segment(new: object, key: str | None) -> Call[g.Segment]:
    return post(under("segments"), g.Segment, new, key=key or new_key())


def change_segment(segment_id: str, version: int, changes: Mapping[str, object]) -> Call[g.Segment]:
    return change(under("segments", segment_id), g.Segment, version, changes)


def put_contact(new: object, version: int | None) -> Call[k.Contact]:
    """Of a version, asked for twice, the second one would find the next."""
    call = post(under("contacts"), k.Contact, new, repeatable=version is None)
    return replace(call, version=version)


def change_contact(contact_id: str, version: int, changes: Mapping[str, object]) -> Call[k.Contact]:
    return change(under("contacts", contact_id), k.Contact, version, changes)


def merge_contacts(contacts: Sequence[str], version: int | None) -> Call[k.Contact]:
    wanted = {"contacts": [*contacts]}
    call = post(under("contacts", "merge"), k.Contact, wanted, repeatable=version is None)
    return replace(call, version=version)


def preview_segment(source: str, sample: int) -> Call[g.SegmentPreview]:
    wish = g.PreviewWish(source=source, sample=sample)
    return post(under("segments", "preview"), g.SegmentPreview, wish)


def count_segment(segment_id: str, sample: int) -> Call[g.SegmentPreview]:
    wish = g.SampleWish(sample=sample)
    return post(under("segments", segment_id, "preview"), g.SegmentPreview, wish)


def change_members(
    segment_id: str, add: Sequence[g.MemberName], remove: Sequence[g.MemberName]
) -> Call[g.ChangedMembers]:
    """Said twice it is said once; the second time nobody comes in any more."""
    changes = g.MemberChanges(add=add, remove=remove)
    return post(under("segments", segment_id, "members"), g.ChangedMembers, changes)


def new_template(new: object, key: str | None) -> Call[t.Template]:
    return post(under("templates"), t.Template, new, key=key or new_key())


def new_version(template_id: str, new: object, key: str | None) -> Call[t.Template]:
    path = under("templates", template_id, "versions")
    return post(path, t.Template, new, key=key or new_key())


def new_endpoint(new: object, key: str | None) -> Call[e.NewEndpointKey]:
    return post(under("webhook-endpoints"), e.NewEndpointKey, new, key=key or new_key())


def change_endpoint(endpoint_id: str, changes: Mapping[str, object]) -> Call[e.Endpoint]:
    """A change to None is said: it takes away what was there."""
    return patch(under("webhook-endpoints", endpoint_id), e.Endpoint, changes)


def endpoint(endpoint_id: str) -> Call[e.Endpoint]:
    return get(under("webhook-endpoints", endpoint_id), e.Endpoint)


def endpoint_verb(endpoint_id: str, verb: str) -> Call[e.Endpoint]:
    return post(under("webhook-endpoints", endpoint_id, verb), e.Endpoint)


def rotate(*path: str, shape: type[T], overlap_seconds: int | None, secret: str | None) -> Call[T]:
    """The secret of an answer that is lost is known to nobody: it is not asked for again."""
    body = {"overlap_seconds": overlap_seconds, "secret": secret}
    wanted = {name: value for name, value in body.items() if value is not None}
    return post(under(*path, "rotate"), shape, wanted, repeatable=False)


def test_endpoint(endpoint_id: str) -> Call[e.EndpointTest]:
    return post(under("webhook-endpoints", endpoint_id, "test"), e.EndpointTest)


def end_endpoint(endpoint_id: str) -> Call[None]:
    return end(under("webhook-endpoints", endpoint_id))


def redeliver(endpoint_id: str, delivery_id: str) -> Call[e.Redelivered]:
    path = under("webhook-endpoints", endpoint_id, "deliveries", delivery_id, "redeliver")
    return post(path, e.Redelivered, repeatable=False)


def replay(endpoint_id: str, wanted: object) -> Call[e.Replayed]:
    return post(under("webhook-endpoints", endpoint_id, "replay"), e.Replayed, wanted)


def listed(path: str, shape: type[T], **query: object) -> Call[Page[T]]:
    """A list of /v1. `reason` is why numbers are shown in clear: it goes beside the parameters."""
    reason = query.pop("reason", None)
    call = page(path, _reads(shape), query)
    return replace(call, reveal_reason=None if reason is None else str(reason))


def rated(path: str, shape: type[T], rate: str | None) -> Call[T]:
    """Another rate; None is said, since it means none of its own."""
    return Call(
        method="PATCH", path=path, read=_reads(shape), body=json.dumps({"rate": rate}).encode()
    )
