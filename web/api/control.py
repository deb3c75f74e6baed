"""The endpoints that cancel messages, and that pause, resume, cancel or slow down batches.

Owns their JSON, and what is answered when it is too late. Must not touch queues or tables: requests
go through services.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.status import Status
from messages.control.batches import BatchChange, BatchConflict, BatchView
from messages.control.waiting import QueueView
from storage.ids import format_id, time_of
from web.api.messages import MessageId
from web.edge.access import Access
from web.edge.arguments import decoded_with_rate, not_found, path_id
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint, Handler
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.services import Services

SEND = "messages:send"
READ = "messages:read"
REPORTS = "reports:read"
CONFLICTS = ("batch_canceled", "batches_controlled", "batch_of_campaign")

FINISH = (
    "When the last of it is expected to be submitted, if what waits for the same connectors goes "
    "first, each at the pace of this process. Null: nothing waits, it is stopped, or nobody knows."
)
REPLACED_BY = (
    "The message that went in its place after its campaign was edited: that one is canceled, too. "
    "Null: none did."
)
BatchId = Annotated[str, Meta(description="The batch's id.", examples=["bat_0NX25TC8G2000"])]


class CanceledMessage(msgspec.Struct):
    """A message that will not be sent, nor what went in its place."""

    id: str
    status: str
    object: str = "message"
    replaced_by: Annotated[str | None, Meta(description=REPLACED_BY)] = None


class BatchResource(msgspec.Struct, kw_only=True):
    """A batch as it stands: `in_flight` counts the messages that can no longer be stopped, at most;
    `counts` its messages by outcome. One of a `campaign` stops and goes on with that alone.
    """

    id: str
    object: str = "batch"
    state: str
    rate: str | None
    in_flight: int
    created_at: datetime
    changed_at: datetime | None
    campaign: Annotated[str | None, Meta(description="That is under way; null: it is of none.")]
    counts: Mapping[str, int]
    expected_finish_at: Annotated[datetime | None, Meta(description=FINISH)]


class ChangedBatch(msgspec.Struct, kw_only=True):
    """A batch after a change: nothing but what is `in_flight` goes against it, from now on."""

    id: str
    object: str = "batch"
    state: str
    rate: str | None
    in_flight: int


class BatchPatch(msgspec.Struct, forbid_unknown_fields=True):
    """A change of how a batch goes on."""

    rate: Annotated[
        str | msgspec.UnsetType | None,
        Meta(description="Parts over all processes, as 50/s or 3000/m,burst=10; null: no own."),
    ] = msgspec.UNSET


class ControlApi:
    """Handlers of the verbs on messages and batches."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._patch = msgspec.json.Decoder(BatchPatch)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/messages/{id}/cancel",
                handler=self.cancel_message,
                summary="Take back a message that no carrier was given yet",
                description=(
                    "After 200 it is certainly not sent; asking again changes nothing. Where its"
                    " campaign was edited and sent it anew, the message in its place is canceled."
                ),
                scope=SEND,
                path_parameters={"id": MessageId},
                answers={200: CanceledMessage},
                problems=("not_cancelable",),
            ),
            Endpoint(
                method="GET",
                path="/v1/batches/{id}",
                handler=self.batch,
                summary="A batch as it stands",
                scope=READ,
                path_parameters={"id": BatchId},
                answers={200: BatchResource},
                problems=("report_too_slow",),
            ),
            Endpoint(
                method="PATCH",
                path="/v1/batches/{id}",
                handler=self.patch_batch,
                summary="Give a batch a rate of its own",
                scope=SEND,
                path_parameters={"id": BatchId},
                request=BatchPatch,
                answers={200: ChangedBatch},
                problems=(*CONFLICTS, "rate_invalid"),
                example={"rate": "50/s"},
            ),
            Endpoint(
                method="GET",
                path="/v1/queue",
                handler=self.queue,
                summary="What waits, by connector and category",
                scope=REPORTS,
                answers={200: QueueView},
                problems=("report_too_slow",),
            ),
            _verb("pause", self.pause_batch, "Send nothing of a batch until it is resumed"),
            _verb("resume", self.resume_batch, "Go on with a paused batch"),
            _verb("cancel", self.cancel_batch, "Take back what waits of a batch"),
        ]

    async def cancel_message(self, request: web.Request) -> web.Response:
        """200 once the message will certainly not be sent; also when it was canceled before."""
        key = await self._access.key(request, SEND)
        message_id = path_id(request, "msg", "message")
        outcome = await self._services.control.cancel(
            key.account, message_id, actor=f"key {key.id}"
        )
        anew = None if outcome.latest == message_id else format_id("msg", outcome.latest)
        canceled = Status.CANCELED.label
        if not outcome.canceled:
            view = await self._services.messages.message(key.account, outcome.latest)
            if view is None:
                raise not_found("message")
            if view.status != canceled:
                named = "the message" if anew is None else f"it was sent anew as {anew}, which"
                detail = f"{named} is {view.status}: a carrier has it or may have it"
                raise ProblemError("not_cancelable", detail)
        message = CanceledMessage(format_id("msg", message_id), canceled, replaced_by=anew)
        return json_response(message)

    async def batch(self, request: web.Request) -> web.Response:
        """The batch and its counts."""
        key = await self._access.key(request, READ)
        view = await self._services.control.batch(key.account, path_id(request, "bat", "batch"))
        if view is None:
            raise not_found("batch")
        return json_response(
            BatchResource(
                id=format_id("bat", view.id),
                state=view.state,
                rate=view.rate,
                in_flight=view.in_flight,
                created_at=time_of(view.id),
                changed_at=view.changed_at,
                campaign=None if view.campaign is None else format_id("cmp", view.campaign),
                counts=view.counts,
                expected_finish_at=view.expected_finish_at,
            )
        )

    async def queue(self, request: web.Request) -> web.Response:
        """What waits: depths and ages."""
        key = await self._access.key(request, REPORTS)
        return json_response(await self._services.queues.queue(key.account))

    async def pause_batch(self, request: web.Request) -> web.Response:
        """200 once nothing more of it is begun."""
        return await self._change(request, BatchChange("paused"))

    async def resume_batch(self, request: web.Request) -> web.Response:
        """200 once it may go on."""
        return await self._change(request, BatchChange("active"))

    async def cancel_batch(self, request: web.Request) -> web.Response:
        """200 once nothing more of it is begun; its messages are ended soon after."""
        return await self._change(request, BatchChange("canceled"))

    async def patch_batch(self, request: web.Request) -> web.Response:
        """Change the rate. 200 once it holds."""
        key = await self._access.key(request, SEND)
        patch, _ = decoded_with_rate(BatchPatch, self._patch, await self._bodies.read(request))
        return await self._apply(request, key, BatchChange(rate=patch.rate))

    async def _change(self, request: web.Request, change: BatchChange) -> web.Response:
        key = await self._access.key(request, SEND)
        return await self._apply(request, key, change)

    async def _apply(
        self, request: web.Request, key: StoredKey, change: BatchChange
    ) -> web.Response:
        batch_id = path_id(request, "bat", "batch")
        try:
            view = await self._services.control.change_batch(
                key.account, batch_id, change, actor=f"key {key.id}"
            )
        except BatchConflict as error:
            raise ProblemError(error.code, error.detail) from None
        if view is None:
            raise not_found("batch")
        return json_response(_changed(view))


def _verb(verb: str, handler: Handler, summary: str) -> Endpoint:
    return Endpoint(
        method="POST",
        path=f"/v1/batches/{{id}}/{verb}",
        handler=handler,
        summary=summary,
        description="A batch of a campaign stops and goes on with the campaign alone.",
        scope=SEND,
        path_parameters={"id": BatchId},
        answers={200: ChangedBatch},
        problems=CONFLICTS,
    )


def _changed(view: BatchView) -> ChangedBatch:
    return ChangedBatch(
        id=format_id("bat", view.id), state=view.state, rate=view.rate, in_flight=view.in_flight
    )
