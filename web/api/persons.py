"""The endpoints for everything that is stored about one person: handed out, or erased.

Owns their JSON, and the lines of an export. Must not decide what is a person's
(recipients/persons.py). The number is in the body, never in a URL, which proxies log.

A key needs these scopes by name; admin is not enough.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from recipients.persons import Asked, Erasure, PersonWaits
from storage.audit import REASON_CHARACTERS_MAX
from storage.ids import format_id, parse_id
from web.api.suppressions import E164
from web.edge.access import Access
from web.edge.arguments import read_body, refusal
from web.edge.auth import scope_missing
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.edge.reveals import NO_STORE, reason_fault
from web.services import Services

EXPORT, ERASE = "persons:export", "persons:erase"
NDJSON = "application/x-ndjson"
CHUNK_BYTES = 64 * 1024
_EXAMPLE = {"number": "+8613800138000", "reason": "asked for by letter 4711"}
ErasureId = Annotated[str, Meta(pattern="^era_[0-9a-hjkmnp-tv-z]{13}$")]


class PersonRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whom, and why. The reason is kept in the audit; an erasure takes it away, too."""

    number: E164
    reason: Annotated[
        str, Meta(description=f"Why: 1 to {REASON_CHARACTERS_MAX} printable characters.")
    ]


class ErasureResource(msgspec.Struct, kw_only=True):
    """How far an erasure is."""

    id: str
    object: str = "erasure"
    state: Annotated[
        str, Meta(description="`running`; `waiting` for something that is on its way; or `done`.")
    ]
    table: Annotated[str | None, Meta(description="The one that it is at; null: at none.")]
    rows: Annotated[Mapping[str, int], Meta(description="Erased so far, by table.")]
    requested_at: datetime
    finished_at: datetime | None


class PersonsApi:
    """Handlers of /v1/persons."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._body = msgspec.json.Decoder(PersonRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path="/v1/persons/export",
                handler=self.export,
                summary="Everything that is stored about one person",
                description="Of this account. A JSON object a line: first `number`, then one for "
                "each row with its `table`, last `complete`. Without the last line it was cut off.",
                scope=EXPORT,
                request=PersonRequest,
                answers={200: Answer(None, "The lines.", content_type=NDJSON)},
                problems=("number_invalid", "reason_invalid"),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="POST",
                path="/v1/persons/erase",
                handler=self.erase,
                summary="Erase one person",
                description="Of this account, as of now. Not while a message to the person waits. "
                "What says that they must not be texted stays, without their number.",
                scope=ERASE,
                request=PersonRequest,
                answers={
                    202: Answer(ErasureResource, headers={"Location": "Where its progress is."})
                },
                problems=("number_invalid", "reason_invalid", "person_waits"),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="GET",
                path="/v1/persons/erasures/{id}",
                handler=self.erasure,
                summary="How far an erasure is",
                scope=ERASE,
                path_parameters={"id": ErasureId},
                answers={200: ErasureResource},
            ),
        ]

    async def export(self, request: web.Request) -> web.Response:
        """Lines as they are read. On record before the first."""
        key = await self._key(request, EXPORT)
        asked = self._asked(key, await self._bodies.read(request))
        lines = self._services.persons.export(asked)
        first = await anext(lines)
        return web.Response(body=_octets(first, lines), content_type=NDJSON, headers=NO_STORE)

    async def erase(self, request: web.Request) -> web.Response:
        """202 once it is on record. Asked again meanwhile it is the same erasure."""
        key = await self._key(request, ERASE)
        asked = self._asked(key, await self._bodies.read(request))
        try:
            erasure = await self._services.persons.erase(asked)
        except PersonWaits as error:
            first = format_id("msg", error.first)
            detail = f"{error.messages} messages have no end yet, the first is {first}"
            raise refusal(FieldError("person_waits", detail, "/number")) from None
        answer = _resource(erasure)
        location = {"Location": f"/v1/persons/erasures/{answer.id}"}
        return json_response(answer, status=202, headers=location)

    async def erasure(self, request: web.Request) -> web.Response:
        """As it is stored."""
        key = await self._key(request, ERASE)
        try:
            identifier = parse_id("era", request.match_info["id"])
        except ValueError:
            raise _no_such_erasure() from None
        found = await self._services.persons.erasure(key.account, identifier)
        if found is None:
            raise _no_such_erasure()
        return json_response(_resource(found))

    async def _key(self, request: web.Request, scope: str) -> StoredKey:
        key = await self._access.key(request, scope)
        if scope not in key.scopes:
            raise scope_missing(scope)
        return key

    def _asked(self, key: StoredKey, body: bytes) -> Asked:
        read = read_body(PersonRequest, self._body, body)
        asked, faults = read.body, read.faults
        if asked is not None:
            if (fault := self._numbers.fault(asked.number)) is not None:
                faults.append(FieldError("number_invalid", f"number {fault}", "/number"))
            if (fault := reason_fault(asked.reason)) is not None:
                faults.append(FieldError("reason_invalid", fault, "/reason"))
        if asked is None or faults:
            raise refusal(faults)
        return Asked(key.account, f"key {key.id}", asked.number, asked.reason)


async def _octets(
    first: dict[str, object], lines: AsyncIterator[dict[str, object]]
) -> AsyncIterator[bytes]:
    """The lines, many at a time. One that fails ends the connection before the last line."""
    encode = msgspec.json.Encoder().encode
    held = bytearray(encode(first) + b"\n")
    async for line in lines:
        held += encode(line) + b"\n"
        if len(held) >= CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _resource(erasure: Erasure) -> ErasureResource:
    done = erasure.finished_at is not None
    under_way = "waiting" if erasure.waits else "running"
    return ErasureResource(
        id=format_id("era", erasure.id),
        state="done" if done else under_way,
        table=None if done else erasure.table or None,
        rows=erasure.rows,
        requested_at=erasure.requested_at,
        finished_at=erasure.finished_at,
    )


def _no_such_erasure() -> ProblemError:
    return ProblemError("not_found", "this account has no erasure with this id")
