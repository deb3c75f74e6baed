"""The endpoints for breakers: which hold messages back, why, and opening and closing by hand.

Owns their parameters, JSON and checks. Must not decide when one opens: dispatch/breakers does. They
are the installation's and no account's, so they take scopes of their own.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from dispatch.breakers.desk import LISTED_MAX, BreakersFull, ByHand
from dispatch.breakers.evidence import Bundle, sample_rows
from dispatch.breakers.machine import ROUNDS, State
from dispatch.breakers.rows import Stored
from dispatch.breakers.scopes import Scope, UnknownSubject
from messages.csv_text import csv_line
from web.edge.access import Access
from web.edge.arguments import decoded
from web.edge.bodies import BodyReader
from web.edge.endpoints import JSON, Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError
from web.services import Services

READ = "operations:read"
WRITE = "operations:write"
CSV = "text/csv"
SECONDS_DEFAULT, SECONDS_MAX = 3_600, 30 * 86_400
_DIGEST = {"Repr-Digest": "SHA-256 of the octets, as RFC 9530 writes it."}

ScopeName = Literal["connector", "operator", "batch", "campaign", "sender"]
StateName = Literal["closed", "open", "half_open", "forced_open", "forced_closed"]
_ONE = "/v1/breakers/{scope}/{subject}"
_PATH = {
    "scope": Annotated[
        ScopeName, Meta(description="What kind of thing it is about.", examples=["connector"])
    ],
    "subject": Annotated[
        str,
        Meta(
            description="A connector's name, a batch's id; an operator as `connector:operator`, a "
            "campaign or sender as `account:name`.",
            examples=["carrier-a"],
        ),
    ],
}
_Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")]


class BreakerChange(msgspec.Struct, forbid_unknown_fields=True):
    """Why, and for how long."""

    reason: Annotated[_Reason, Meta(description="For the audit log, and for who looks later.")]
    seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=SECONDS_MAX,
            description="Until it ends by itself: an open one by probes, a closed one at once.",
        ),
    ] = SECONDS_DEFAULT


class BreakerEvidence(msgspec.Struct, frozen=True):
    """The bundle of its last opening; `…/evidence` has it."""

    octets: int
    sha256: str


class BreakerProbes(msgspec.Struct, frozen=True):
    """The present round: so many of `size` messages were let through."""

    round: Annotated[int, Meta(description="From 1 on.")]
    size: int
    let_through: int


class BreakerResource(msgspec.Struct, kw_only=True):
    """A breaker as it stands."""

    object: str = "breaker"
    scope: ScopeName
    subject: str
    state: StateName
    since: datetime
    until: Annotated[
        datetime | None, Meta(description="When the next state begins by itself; null: by probes.")
    ]
    reason: str
    actor: Annotated[str, Meta(description="Who changed it last: a key, a detector, its probes.")]
    failures: Annotated[int, Meta(description="Openings that count for its back-off.")]
    baseline: Annotated[float, Meta(description="The share that is delivered where all is well.")]
    probes: BreakerProbes | None
    held: Annotated[int, Meta(description="Messages that wait for it, counted up to 100 000.")]
    evidence: BreakerEvidence | None


class BreakerList(msgspec.Struct):
    """Those that hold first, then the latest changed; at most 1 000."""

    data: list[BreakerResource]
    next_cursor: str | None = None


class BreakerQuery(msgspec.Struct, kw_only=True):
    """Which breakers."""

    scope: Annotated[ScopeName | None, Meta(description="Those of this scope only.")] = None
    state: Annotated[StateName | None, Meta(description="Those in this state only.")] = None


class EvidenceQuery(msgspec.Struct, kw_only=True):
    """In which form."""

    format: Annotated[
        Literal["json", "csv"] | None,
        Meta(description="Absent: as `Accept` says, JSON by default. CSV has the samples alone."),
    ] = None


class BreakersApi:
    """Handlers of /v1/breakers."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._body = msgspec.json.Decoder(BreakerChange)
        self._query = QueryReader(BreakerQuery)
        self._form = QueryReader(EvidenceQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="GET",
                path="/v1/breakers",
                handler=self.listed,
                summary="Breakers, and what they hold back",
                scope=READ,
                query=BreakerQuery,
                answers={200: BreakerList},
            ),
            Endpoint(
                method="GET",
                path=_ONE,
                handler=self.shown,
                summary="One breaker",
                scope=READ,
                path_parameters=_PATH,
                answers={200: BreakerResource},
            ),
            Endpoint(
                method="GET",
                path=f"{_ONE}/evidence",
                handler=self.evidence,
                summary="What its last opening rests on, for the carrier",
                description="Counts, codes, histograms and samples of the hour before it opened, "
                "and of the day before. Octet for octet as it was stored. `format=csv` has the "
                "samples as a table.",
                scope=READ,
                query=EvidenceQuery,
                path_parameters=_PATH,
                answers={200: Answer(Bundle, headers=_DIGEST)},
            ),
            *self._changes(),
        ]

    def _changes(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path=f"{_ONE}/{verb}",
                handler=handler,
                summary=summary,
                description=description,
                scope=WRITE,
                request=BreakerChange,
                path_parameters=_PATH,
                answers={200: BreakerResource},
                problems=("breakers_open",),
                example={"reason": "ticket 4711", "seconds": SECONDS_DEFAULT},
            )
            for verb, handler, summary, description in (
                ("open", self.open, "Hold back what it covers",
                 "Nothing of it is sent until it ends: it goes by another connector, or waits. "
                 "One-time passwords pass, unless `breakers.otp` says otherwise."),
                ("close", self.close, "Let everything go",
                 "What it held goes at once. Nothing opens it by itself before it ends."),
            )
        ]  # fmt: skip

    async def listed(self, request: web.Request) -> web.Response:
        """Those that hold first."""
        await self._access.key(request, READ)
        query = self._query.read(request)
        found = await self._services.breakers.listed(
            None if query.scope is None else Scope(query.scope),
            None if query.state is None else [State[query.state.upper()]],
        )
        return json_response(BreakerList([_resource(*each) for each in found[:LISTED_MAX]]))

    async def shown(self, request: web.Request) -> web.Response:
        """One."""
        await self._access.key(request, READ)
        return json_response(_resource(*await self._one(request)))

    async def evidence(self, request: web.Request) -> web.Response:
        """The bundle, as JSON or as CSV."""
        await self._access.key(request, READ)
        form = self._form.read(request).format
        with _known():
            body = await self._services.breakers.evidence(*_named(request))
        if body is None:
            raise ProblemError("not_found", "there is no bundle of its last opening")
        table = form == "csv" or (form is None and request.headers.get("Accept", "") == CSV)
        if table:
            body = "".join(map(csv_line, sample_rows(body))).encode()
        hashed = base64.b64encode(hashlib.sha256(body).digest()).decode()
        return web.Response(
            body=body,
            content_type=CSV if table else JSON,
            headers={"Repr-Digest": f"sha-256=:{hashed}:"},
        )

    async def open(self, request: web.Request) -> web.Response:
        """In force here when it is answered, elsewhere within a second."""
        return await self._changed(request, shut=True)

    async def close(self, request: web.Request) -> web.Response:
        """As open()."""
        return await self._changed(request, shut=False)

    async def _changed(self, request: web.Request, *, shut: bool) -> web.Response:
        key = await self._access.key(request, WRITE)
        asked = decoded(BreakerChange, self._body, await self._bodies.read(request))
        scope, subject = _named(request)
        desk = self._services.breakers
        change = desk.open if shut else desk.close
        by_hand = ByHand(
            account=key.account,
            actor=f"key {key.id}",
            reason=asked.reason,
            seconds=asked.seconds,
        )
        try:
            with _known():
                return json_response(_resource(*await change(scope, subject, by_hand)))
        except BreakersFull as error:
            raise ProblemError("breakers_open", str(error)) from error

    async def _one(self, request: web.Request) -> tuple[Stored, int]:
        with _known():
            found = await self._services.breakers.shown(*_named(request))
        if found is None:
            raise ProblemError("not_found", "it was never open")
        return found


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except UnknownSubject as error:
        raise ProblemError("not_found", str(error)) from error


def _named(request: web.Request) -> tuple[Scope, str]:
    try:
        return Scope(request.match_info["scope"]), request.match_info["subject"]
    except ValueError:
        scopes = ", ".join(Scope)
        raise ProblemError("not_found", f"there is no such scope; there are {scopes}") from None


def _resource(stored: Stored, held: int) -> BreakerResource:
    breaker = stored.breaker
    probes = None
    if breaker.state is State.HALF_OPEN:
        probes = BreakerProbes(breaker.round + 1, ROUNDS[breaker.round], breaker.taken)
    kept = stored.evidence
    return BreakerResource(
        scope=msgspec.convert(str(stored.target.scope), ScopeName),
        subject=stored.target.subject,
        state=msgspec.convert(breaker.state.label, StateName),
        since=_at(breaker.since),
        until=None if breaker.until is None else _at(breaker.until),
        reason=stored.reason,
        actor=stored.actor,
        failures=breaker.failures,
        baseline=breaker.baseline,
        probes=probes,
        held=held,
        evidence=None if kept is None else BreakerEvidence(kept.octets, kept.sha256),
    )


def _at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
