"""The endpoint that shows the proof for one number.

Owns its parameters and JSON. Must not read tables: the proof comes through recipients/proof.py. The
number comes in full and leaves as reveals.py says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from recipients.numbers.plan import NumberPlan
from recipients.proof import ProofChange, ProofComplaint, ProofReply
from storage.categories import Category
from storage.ids import format_id, time_of
from storage.suppression import EVERY_CATEGORY
from web.api.consents import READ, ConsentResource, consent_resource
from web.api.suppressions import E164, SuppressionResource, resource_of
from web.edge.access import Access
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held
from web.edge.reveals import (
    REASON,
    REASON_HEADER,
    REVEAL_PROBLEMS,
    Reveals,
    shown,
)
from web.services import Services


class ProofQuery(msgspec.Struct, kw_only=True):
    """Whose proof."""

    to: Annotated[E164, Meta(description="In E.164 form; + is %2B.")]
    reveal: Annotated[
        bool,
        Meta(
            description="The number in clear. Needs the scope `numbers:reveal` and the header"
            f" `{REASON}`, too; audited."
        ),
    ] = False


class ReplyResource(msgspec.Struct, kw_only=True):
    """A reply that opted out or in, and what it answered while that is kept."""

    id: str
    keyword: str
    to: str
    text: str | None
    answers: str | None
    answered_text: str | None
    received_at: datetime


class ToldResource(msgspec.Struct, kw_only=True):
    """A complaint of the person."""

    id: str
    source: str
    source_name: str | None
    text: str | None
    message: str | None
    at: datetime


class ChangeResource(msgspec.Struct, kw_only=True):
    """A change of the suppression list on record: who did what, when."""

    actor: str
    action: str
    category: str | None
    at: datetime


class ProofResource(msgspec.Struct, kw_only=True):
    """All that is on record, the latest first, at most 1 000 of each kind. `complete` says whether
    that is all.
    """

    to: str | None
    as_of: datetime
    complete: bool
    consents: Sequence[ConsentResource]
    replies: Sequence[ReplyResource]
    complaints: Sequence[ToldResource]
    changes: Sequence[ChangeResource]
    suppressions: Sequence[SuppressionResource]


class ProofsApi:
    """Handler of /v1/consents/proof."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._access = access
        self._numbers = NumberPlan()
        self._query = QueryReader(ProofQuery)
        self._reveals = Reveals(services.reveals)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/v1/consents/proof",
                handler=self.proof,
                summary="The proof for one number",
                description="Its consents, the replies by which it opted out or in, complaints, "
                "and what stands against texting it, in one document.",
                scope=READ,
                query=ProofQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={200: ProofResource},
            )
        ]

    async def proof(self, request: web.Request) -> web.Response:
        """Of one state of the database."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(to=self._numbers.fault))
        reason = self._reveals.check(request, key, query.reveal)
        found = await self._services.proofs.proof(key.account, query.to)
        noted = await self._reveals.note(key, reason, "proof", [], [query.to])
        answer = ProofResource(
            to=shown(query.to, clear=query.reveal),
            as_of=datetime.fromtimestamp(self._services.wall_ms() / 1000, UTC),
            complete=found.complete,
            consents=[consent_resource(each, query.to, query.reveal) for each in found.consents],
            replies=[_reply(each) for each in found.replies],
            complaints=[_told(each) for each in found.complaints],
            changes=[_change(each) for each in found.changes],
            suppressions=[resource_of(each, clear=query.reveal) for each in found.suppressions],
        )
        return json_response(answer, headers=noted)


def _reply(each: ProofReply) -> ReplyResource:
    return ReplyResource(
        id=format_id("inb", each.id),
        keyword=each.kind,
        to=each.destination,
        text=each.text,
        answers=_message(each.answers),
        answered_text=each.answered_text,
        received_at=time_of(each.id),
    )


def _told(each: ProofComplaint) -> ToldResource:
    return ToldResource(
        id=each.reference,
        source=each.source,
        source_name=each.source_name,
        text=each.text,
        message=_message(each.message_id),
        at=each.at,
    )


def _change(each: ProofChange) -> ChangeResource:
    label = None if each.category is None else "all"
    if each.category not in (None, EVERY_CATEGORY):
        label = Category(each.category).label
    return ChangeResource(actor=each.actor, action=each.action, category=label, at=time_of(each.id))


def _message(message_id: int | None) -> str | None:
    return None if message_id is None else format_id("msg", message_id)
