"""One message as its owner sees it: its status, and everything that happened to it and why.

Owns the reading of message, outbox, submission, event and click rows into one record and one
ordered timeline. Must not write or decide anything: parts fold as dlr/status.py says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import asyncpg
import msgspec

from dispatch.holds import Hold
from dlr.reasons import Reason
from dlr.receipt_times import plausible
from dlr.status import Status
from dlr.webhooks.callbacks import Callback, callback_of
from messages.reading.statuses import Standing, code_of, of_parts, waiting
from shortlinks.report import MessageClick, clicks_of_message
from storage import events, sql
from storage.categories import Category
from storage.events import Event
from storage.ids import time_of
from storage.names import Registry
from storage.pool import Connection

_SQL = sql.load("messages")
WIRE_PART_MIN = 1  # part 0 stands for a message that never reached the wire


class TimelineEvent(msgspec.Struct):
    """One thing that happened to a message. `detail` holds no telephone number."""

    at: datetime
    kind: str
    detail: Mapping[str, object]


class TimelinePage(msgspec.Struct, frozen=True):
    """Which part of a timeline: clicks behind the click `after`, at most so many."""

    clicks_max: int
    after: int | None = None


class Timeline(msgspec.Struct, frozen=True):
    """A page of events in order of time. `more_after`: the last click, if there are more."""

    events: Sequence[TimelineEvent]
    more_after: int | None = None


class Part(msgspec.Struct, frozen=True):
    """One submit_sm that has a result, or part 0."""

    id: int
    part: int
    parts: int
    segments: int
    connector: str | None
    status: Status
    reason: Reason
    error: str | None
    carrier_id: str | None
    submitted_at: datetime | None
    responded_at: datetime | None
    receipt_at: datetime | None
    done_at: datetime | None
    replaced: bool  # another way of the message counts

    @property
    def told(self) -> bool:
        """Whether the carrier said what it is. Then `error` is its code, else our own words."""
        heard = self.receipt_at is not None or self.responded_at is not None
        return self.part >= WIRE_PART_MIN and heard


class MessageRecord(msgspec.Struct, frozen=True):
    """Everything stored about one message."""

    id: int
    status: Status
    category: Category
    to_enc: bytes
    sender: str
    text: str
    data_coding: int
    parts: int
    connector: str | None
    client_ref: str | None
    batch_id: int | None
    campaign_id: str | None
    variant: str | None
    tags: Sequence[str]
    callback: Callback | None
    send_at: datetime | None
    expires_at: datetime | None
    attempt: int
    results: Sequence[Part]
    standing: Standing
    changes: Sequence[datetime]  # of what none of the results tells
    batch_changed_at: datetime | None  # while it waits

    @property
    def created_at(self) -> datetime:
        """When it was accepted, by its id."""
        return time_of(self.id)

    @property
    def updated_at(self) -> datetime:
        """When the last thing happened to it: a result, a hold, a release, a cancel."""
        times = [self.created_at, *self.changes]
        for part in self.results:
            told = (part.submitted_at, part.responded_at, part.receipt_at)
            times += [time_of(part.id), *[at for at in told if at]]
        return max(times)

    @property
    def deciding(self) -> Part | None:
        """The part that decides the message's status and reason."""
        of_status = [part for part in _counting(self.results) if part.status == self.status]
        exactly = (part for part in of_status if part.reason == self.standing.reason)
        return next(exactly, of_status[0] if of_status else None)

    @property
    def parts_delivered(self) -> int:
        """How many parts the carrier confirmed."""
        return sum(
            part.segments for part in _counting(self.results) if part.status is Status.DELIVERED
        )


async def read_message(
    connection: Connection, registry: Registry, account: int, message_id: int
) -> MessageRecord | None:
    """The message if it is this account's, else None."""
    found = await read_messages(connection, registry, account, [message_id])
    return found[0] if found else None


async def read_messages(
    connection: Connection, registry: Registry, account: int, message_ids: Sequence[int]
) -> list[MessageRecord]:
    """Those of these messages that are this account's, in the order asked for."""
    rows = await connection.fetch(_SQL["messages"], message_ids, account)
    if not rows:
        return []
    results: dict[int, list[Part]] = {row["id"]: [] for row in rows}
    for record in await connection.fetch(
        _SQL["submissions_of_messages"], list(results), min(results)
    ):
        results[record["message_id"]].append(_part(record, registry))
    events = await connection.fetch(_SQL["last_events"], list(results), min(results))
    last = {event["message_id"]: time_of(event["id"]) for event in events}
    by_id = {
        row["id"]: _record(row, results[row["id"]], last.get(row["id"]), registry) for row in rows
    }
    return [by_id[message_id] for message_id in message_ids if message_id in by_id]


def _record(
    row: asyncpg.Record, results: Sequence[Part], last_event: datetime | None, registry: Registry
) -> MessageRecord:
    standing = _standing(row, results)
    # What was said of a batch concerns those of its messages that wait.
    batch_changed_at = row["changed_at"] if row["waiting"] else None
    return MessageRecord(
        id=row["id"],
        status=standing.status,
        standing=standing,
        changes=[at for at in (last_event, batch_changed_at, row["released_at"]) if at],
        batch_changed_at=batch_changed_at,
        category=Category(row["category"]),
        to_enc=row["to_enc"],
        sender=row["sender"],
        text=row["text"],
        data_coding=row["data_coding"],
        parts=_parts(row, results),
        connector=registry.connector_name(row["connector"]),
        client_ref=row["client_ref"],
        batch_id=row["batch_id"],
        campaign_id=row["campaign_id"],
        variant=row["variant"],
        tags=row["tags"] or (),
        callback=callback_of(row["callback"]),
        send_at=_instant(row["send_at"]),
        expires_at=row["expires_at"],
        attempt=row["attempt"] or 0,
        results=results,
    )


async def read_timeline(
    connection: Connection,
    registry: Registry,
    account: int,
    message_id: int,
    page: TimelinePage,
) -> Timeline | None:
    """One page of what happened to the message, oldest first; None if it is not this account's.

    Only clicks can be many. Everything else stands on the page of its time.
    """
    record = await read_message(connection, registry, account, message_id)
    if record is None:
        return None
    happenings = [
        *_told_by_rows(record),
        *_told_by_batch(record),
        *[_event(event, registry) for event in await events.of_message(connection, message_id)],
    ]
    clicks = await clicks_of_message(
        connection, message_id, clicks_max=page.clicks_max + 1, after=page.after
    )
    last = None
    if page.after is not None:
        happenings = [each for each in happenings if each.at > time_of(page.after)]
    if len(clicks) > page.clicks_max:
        clicks = clicks[: page.clicks_max]
        last = clicks[-1]
        happenings = [each for each in happenings if each.at <= last.at]
    happenings += [_click(click) for click in clicks]
    happenings.sort(key=lambda happening: happening.at)
    return Timeline(happenings, None if last is None else last.id)


def _standing(row: asyncpg.Record, results: Sequence[Part]) -> Standing:
    if row["waiting"]:
        return waiting(row, begun=row["in_doubt"] or bool(results))
    best: dict[int, int] = {}  # a part that was submitted again is what its best result says
    counting = _counting(results)
    for part in counting:
        best[part.part] = max(best.get(part.part, 0), code_of(part.status, part.reason))
    return of_parts([*best.values()], max((part.parts for part in counting), default=0))


def _counting(results: Sequence[Part]) -> list[Part]:
    """Those of the way that says what the message is (dlr/ways.py)."""
    return [part for part in results if not part.replaced]


def _parts(row: asyncpg.Record, results: Sequence[Part]) -> int:
    """The parts as they were sent. Those counted at accept may have been for another connector."""
    sent = next((part for part in _counting(results) if part.part), None)
    return row["parts"] if sent is None else sent.parts * sent.segments


def _part(row: asyncpg.Record, registry: Registry) -> Part:
    return Part(
        id=row["id"],
        part=row["part"],
        parts=row["parts"],
        segments=row["segments"],
        connector=registry.connector_name(row["connector"]),
        status=Status(row["status"]),
        reason=Reason(row["reason"]),
        error=row["error"],
        carrier_id=row["carrier_id"],
        submitted_at=row["submitted_at"],
        responded_at=row["responded_at"],
        receipt_at=row["receipt_at"],
        done_at=row["done_at"],
        replaced=row["replaced"],
    )


def _told_by_rows(record: MessageRecord) -> Iterator[TimelineEvent]:
    accepted: dict[str, object] = {"category": record.category.label, "parts": record.parts}
    if record.connector is not None:
        accepted["route"] = record.connector
    yield TimelineEvent(record.created_at, "accepted", accepted)
    for part in record.results:
        if part.part < WIRE_PART_MIN:
            yield TimelineEvent(time_of(part.id), part.status.label, _why(part))
        else:
            yield from _told_by_part(part)


def _told_by_batch(record: MessageRecord) -> Iterator[TimelineEvent]:
    """Events that are said once for all waiting messages of a batch."""
    if record.batch_changed_at is None:
        return
    if record.standing.hold is Hold.PAUSED:
        yield TimelineEvent(record.batch_changed_at, "held", _held({"rule": Hold.PAUSED.rule}))
    elif record.status is Status.CANCELED:
        yield TimelineEvent(record.batch_changed_at, Status.CANCELED.label, {})


def _held(detail: Mapping[str, object]) -> dict[str, object]:
    """The rule and its moment, also under the names that a message has for them."""
    return {**detail, "reason": detail.get("rule"), "held_until": detail.get("until")}


def _told_by_part(part: Part) -> Iterator[TimelineEvent]:
    about: dict[str, object] = {"part": part.part, "connector": part.connector}
    if part.submitted_at is not None:
        yield TimelineEvent(part.submitted_at, "submitted", about)
    if part.status is Status.UNCONFIRMED:
        yield TimelineEvent(time_of(part.id), "unconfirmed", about)
    elif part.status is Status.FAILED and not part.told:
        yield TimelineEvent(time_of(part.id), part.status.label, {**about, **_why(part)})
    if part.responded_at is not None:
        # No carrier id and no receipt: the answer itself was the end, a refusal.
        refused = part.carrier_id is None and part.receipt_at is None and part.status.final
        kind = part.status.label if refused else "sent"
        said = _why(part) if refused else {"carrier_id": part.carrier_id}
        yield TimelineEvent(part.responded_at, kind, {**about, **said})
    if part.receipt_at is not None:
        receipt = {**about, "status": part.status.label, **_why(part)}
        # The release before may have stored a date that is not plausible.
        done_at = plausible(part.done_at, part.submitted_at, part.receipt_at)
        if done_at is not None:
            receipt["done_at"] = done_at
        yield TimelineEvent(part.receipt_at, "receipt", receipt)


def _why(part: Part) -> dict[str, object]:
    detail: dict[str, object] = {}
    if part.reason is not Reason.NONE:
        detail["reason"] = part.reason.label
    if part.error:
        detail["carrier_code" if part.told else "detail"] = part.error
    return detail


def _event(event: Event, registry: Registry) -> TimelineEvent:
    detail = dict(event.detail)
    for key in ("connector", "from", "to"):
        connector = detail.get(key)
        if isinstance(connector, int):
            detail[key] = registry.connector_name(connector)
    if event.kind == Status.HELD.label:
        detail = _held(detail)
    return TimelineEvent(time_of(event.id), event.kind, detail)


def _instant(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _click(click: MessageClick) -> TimelineEvent:
    detail: dict[str, object] = {"class": click.click_class.name.lower(), "slot": click.slot}
    if click.reasons:
        detail["reasons"] = list(click.reasons)
    return TimelineEvent(click.at, "click", detail)
