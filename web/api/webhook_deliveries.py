"""The endpoints for what became of an endpoint's deliveries, and to tell something once more.

Owns their parameters and JSON. Must not read or write tables: all of it comes through
dlr/webhooks/owner_desk.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.webhooks.deliveries import LogState
from dlr.webhooks.desk import Shown
from dlr.webhooks.events import TEST, TYPES, event_name
from dlr.webhooks.owner_desk import PREFIX
from dlr.webhooks.owner_wishes import Actor, LogFilter, ReplayWish
from messages.body_faults import Faults
from messages.models import FieldError
from storage.ids import AHEAD_MAX, format_id, parse_id, time_of
from web.api.webhooks import IN_PATH, ONE, READ, TOLD_AGAIN, WHAT, WRITE, EndpointId
from web.edge.access import Access
from web.edge.arguments import not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.cursors import PageQuery
from web.edge.endpoints import Endpoint as Door
from web.edge.json_answers import json_response
from web.edge.parameters import MOMENTS, QueryReader, fault
from web.services import Services

DELIVERY = "whd"
ROW = "wha"  # a row of the log: where a replay goes on
WAITING = "waiting"
DELIVERIES = ONE + "/deliveries"
TYPES_MAX = 50
_STATES = {state.label: state for state in LogState}

StateLabel = Literal["waiting", "delivered", "failed", "exhausted", "skipped"]
Ended = Literal["delivered", "exhausted", "skipped"]
DeliveryId = Annotated[str, Meta(description="The delivery's id.", examples=["whd_0NX25TC8G2000"])]
_Moment = Annotated[datetime, Meta(tz=True)]


class DeliveryQuery(PageQuery, kw_only=True):
    """Attempts, newest first; of what waits, the oldest first."""

    state: Annotated[
        StateLabel | None,
        Meta(description="`waiting`: what is still to be told. The others: attempts so ended."),
    ] = None
    type: Annotated[str | None, Meta(description="Only with an event of this type.")] = None
    since: Annotated[_Moment | None, Meta(description="Attempted from then on.")] = None


class DeliveryResource(msgspec.Struct, kw_only=True):
    """One attempt, or one delivery that waits."""

    id: str
    object: str = "webhook_delivery"
    state: Annotated[
        str,
        Meta(
            description="`waiting`, `retrying`; `delivered`, `failed` (it is tried again), "
            "`exhausted`, `skipped`."
        ),
    ]
    attempt: Annotated[int, Meta(description="1 the first; 0: none was made.")]
    at: Annotated[datetime, Meta(description="Of the attempt; of what waits, of the next one.")]
    types: Sequence[str]
    event_ids: Sequence[str]
    url: Annotated[str | None, Meta(description="Of a callback; else the endpoint's.")]
    status: int | None
    error: Annotated[str | None, Meta(description="Why there was no answer.")]
    milliseconds: int | None
    answer: Annotated[str | None, Meta(description="The first KiB of its body.")]


class DeliveryList(msgspec.Struct):
    """A page of deliveries."""

    data: list[DeliveryResource]
    next_cursor: str | None


class RedeliveredAnswer(msgspec.Struct):
    """A delivery that is told once more, with the same id and the same octets."""

    id: str
    state: str = WAITING
    object: str = "webhook_delivery"


class ReplayRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What of the log is told once more: attempts in [since, until) with one of `states`."""

    since: _Moment
    until: Annotated[_Moment | None, Meta(description="Absent: now.")] = None
    types: Annotated[
        tuple[str, ...], Meta(description="Only events of these types; absent: of all.")
    ] = ()
    states: tuple[Ended, ...] = ("exhausted", "skipped")
    cursor: Annotated[
        str | None, Meta(description="`next_cursor` of the answer before, to go on there.")
    ] = None


class ReplayAnswer(msgspec.Struct):
    """So many events wait once more, behind what is fresh, the last for so many seconds."""

    events: int
    seconds: float
    next_cursor: str | None


class WebhookDeliveriesApi:
    """Handlers of /v1/webhook-endpoints/{id}/deliveries and …/replay."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._desk = services.webhooks
        self._access = access
        self._bodies = bodies
        self._query = QueryReader(DeliveryQuery)
        self._replay = msgspec.json.Decoder(ReplayRequest)

    def routes(self) -> list[Door]:
        """What server.py mounts."""
        return [
            Door(
                method="GET",
                path=DELIVERIES,
                handler=self.listed,
                summary="What became of an endpoint's deliveries",
                description="Kept as long as `retention.webhooks_days` says.",
                scope=READ,
                path_parameters=IN_PATH,
                query=DeliveryQuery,
                answers={200: DeliveryList},
            ),
            Door(
                method="POST",
                path=f"{DELIVERIES}/{{delivery}}/redeliver",
                handler=self.redeliver,
                summary="Tell a delivery once more, now",
                scope=WRITE,
                anew=TOLD_AGAIN,
                path_parameters={"id": EndpointId, "delivery": DeliveryId},
                answers={202: RedeliveredAnswer},
            ),
            Door(
                method="POST",
                path=f"{ONE}/replay",
                handler=self.replay,
                summary="Tell events once more that were given up or skipped",
                description="50 a second, behind what is fresh, each under the id it had. What "
                "waits already does not do so twice.",
                scope=WRITE,
                anew=TOLD_AGAIN,
                path_parameters=IN_PATH,
                request=ReplayRequest,
                answers={202: ReplayAnswer},
                problems=("event_unknown", "out_of_range", "cursor_invalid"),
                example={"since": "2026-11-01T00:00:00Z", "states": ["skipped"]},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """A page."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, _wrong)
        waiting = query.state == WAITING
        page = self._services.cursors.page(request, key.account, query)
        wanted = LogFilter(
            waiting=waiting,
            states=() if query.state in (None, WAITING) else (_STATES[query.state],),
            types=() if query.type is None else (query.type,),
            since=query.since,
        )
        found = await self._desk.deliveries(
            key.account,
            path_id(request, PREFIX, WHAT),
            wanted,
            place=int(page.after[0]) if page.after else None,
            limit=page.limit + 1,
        )
        if found is None:
            raise not_found(WHAT)
        kept, next_cursor = page.cut(found, lambda shown: (shown.id,))
        answer = DeliveryList([_resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def redeliver(self, request: web.Request) -> web.Response:
        """The same id and octets."""
        key = await self._access.key(request, WRITE)
        endpoint_id = path_id(request, PREFIX, WHAT)
        try:
            delivery = parse_id(DELIVERY, request.match_info["delivery"])
        except ValueError:
            raise not_found("delivery") from None
        if not await self._desk.redeliver(Actor(key.account, key.id), endpoint_id, delivery):
            raise not_found("delivery")
        return json_response(RedeliveredAnswer(format_id(DELIVERY, delivery)), status=202)

    async def replay(self, request: web.Request) -> web.Response:
        """All of it, or as much as one call takes."""
        key = await self._access.key(request, WRITE)
        wish = self._wish(await self._bodies.read(request))
        done = await self._desk.replay(
            Actor(key.account, key.id), path_id(request, PREFIX, WHAT), wish
        )
        if done is None:
            raise not_found(WHAT)
        cursor = None if done.cursor is None else format_id(ROW, done.cursor)
        return json_response(ReplayAnswer(done.events, done.seconds, cursor), status=202)

    def _wish(self, body: bytes) -> ReplayWish:
        read = read_body(ReplayRequest, self._replay, body)
        asked, faults = read.body, read.faults
        now = datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC)
        cursor = None
        if asked is not None:
            _check_span(asked, now, faults)
            _check_types(asked.types, faults)
            if not asked.states:
                faults.append(FieldError("out_of_range", "states names none", "/states"))
            cursor = _place(asked.cursor, faults)
        if asked is None or faults:
            raise refusal(faults)
        return ReplayWish(
            since=asked.since,
            until=asked.until or now + AHEAD_MAX,
            types=asked.types,
            states=tuple(_STATES[each] for each in asked.states),
            cursor=cursor,
        )


def _wrong(values: Mapping[str, object]) -> Iterator[FieldError]:
    waiting = values.get("state") == WAITING
    if values.get("type") not in (None, *TYPES, TEST):
        yield fault("parameter_invalid", "type", "there is no such type of events")
    elif waiting and values.get("type") is not None:
        yield fault("parameter_invalid", "type", "not with state=waiting")
    if waiting and values.get("since") is not None:
        yield fault("parameter_invalid", "since", "not with state=waiting")


def _check_span(asked: ReplayRequest, now: datetime, faults: Faults) -> None:
    since: object = asked.since  # "" where it could not be read, which is told already
    until = asked.until or now
    if not isinstance(since, datetime):
        return
    if not MOMENTS[0] <= since < until < MOMENTS[1]:
        detail = "since lies before until, which is now if it is absent"
        faults.append(FieldError("out_of_range", detail, "/since"))


def _check_types(types: Sequence[str], faults: Faults) -> None:
    if len(types) > TYPES_MAX:
        faults.append(FieldError("out_of_range", f"types are at most {TYPES_MAX}", "/types"))
        return
    for position, name in enumerate(types):
        if name not in TYPES and name != TEST:
            detail = f"there is no type of events {name[:100]!r}; docs/meanings.md lists them"
            faults.append(FieldError("event_unknown", detail, f"/types/{position}"))


def _place(cursor: str | None, faults: Faults) -> int | None:
    if cursor is None:
        return None
    try:
        return parse_id(ROW, cursor)
    except ValueError:
        faults.append(FieldError("cursor_invalid", "cursor: not one of a replay", "/cursor"))
        return None


def _resource(shown: Shown) -> DeliveryResource:
    return DeliveryResource(
        id=format_id(DELIVERY, shown.delivery),
        state=shown.state,
        attempt=shown.attempt,
        at=time_of(shown.id) if shown.at is None else shown.at,
        types=shown.types,
        event_ids=[event_name(each) for each in shown.event_ids],
        url=shown.url,
        status=shown.status,
        error=shown.error,
        milliseconds=shown.ms,
        answer=shown.answer,
    )
