"""The endpoints for how numbers fare.

Owns their JSON. Must not read tables: views come through web/services.py. Numbers leave masked.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from dlr.reasons import Reason
from recipients.number_check import VERDICTS, Checked, Verdict
from recipients.number_history import EvidenceDay, EvidenceKind, EvidenceState
from storage.categories import Category
from storage.crypto import mask
from storage.suppression import EVERY_CATEGORY
from web.api.suppressions import E164, CategoryOrAll, SuppressionResource, resource_of
from web.edge.access import Access
from web.edge.arguments import decoded
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.services import Services

READ = "numbers:read"
DIGITS = 4  # of a validity
NUMBERS_MAX = 1_000

Validity = Annotated[
    float,
    Meta(
        description="From 0 to 1: (3 + Σ delivered) / (4 + Σ all) over days of evidence, each "
        "halved every 90 days. 0.75 without any."
    ),
]


class EvidenceResource(msgspec.Struct, kw_only=True):
    """One day's evidence of one kind. `waits` and `undone` do not count."""

    day: date
    kind: EvidenceKind
    state: EvidenceState
    reason: str | None
    connector: str | None
    carrier_code: str | None


class NumberResource(msgspec.Struct, kw_only=True):
    """How a number fares: messages of this account in the last 90 days, the last 1 000 at most;
    `complete` says whether those are all.
    """

    number: str
    valid: bool
    fault: Annotated[str | None, Meta(description="Why it is no valid number.")]
    country: str | None
    type: str | None
    messages: int
    complete: bool
    delivered: int
    failed: int
    last_sent_at: datetime | None
    last_delivered_at: datetime | None
    last_failure: Annotated[str | None, Meta(description="The reason of the last that failed.")]
    last_opted_out_at: datetime | None
    validity: Validity
    recycled: Annotated[
        bool, Meta(description="It was delivered to after a proof that nobody had it.")
    ]
    delivered_days: Annotated[int, Meta(description="Of the last 400, those with a delivery.")]
    evidence: Annotated[
        list[EvidenceResource], Meta(description="What carriers said, by day, newest first.")
    ]
    suppressions: list[SuppressionResource]


class ValidateRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Up to 1 000 numbers. Nothing is sent to find out."""

    numbers: Annotated[list[E164], Meta(min_length=1, max_length=NUMBERS_MAX)]
    category: Annotated[
        CategoryOrAll, Meta(description="Of what would be sent; `all`: of anything.")
    ] = "marketing"


class ValidatedNumber(msgspec.Struct, kw_only=True):
    """One number, in the order of the request. `verdict` is the first that fits."""

    index: int
    number: str
    verdict: Verdict
    fault: Annotated[str | None, Meta(description="Why it is no valid number.")]
    country: str | None
    type: str | None
    operator: Annotated[
        str | None, Meta(description="Whom its range was assigned to; it may have been ported.")
    ]
    suppressed: Annotated[str | None, Meta(description="The reason of the entry against it.")]
    validity: Validity | None
    recycled: bool
    delivered_days: int
    failed_days: int
    last_delivered_at: datetime | None


class ValidateAnswer(msgspec.Struct):
    """What to think of each number, and how many have each verdict."""

    verdicts: dict[str, int]
    numbers: list[ValidatedNumber]


class NumbersApi:
    """Handlers of /v1/numbers."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._body = msgspec.json.Decoder(ValidateRequest)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="GET",
                path="/v1/numbers/{number}",
                handler=self.number,
                summary="How a number fares",
                scope=READ,
                path_parameters={"number": E164},
                answers={200: NumberResource},
            ),
            Endpoint(
                method="POST",
                path="/v1/numbers/validate",
                handler=self.validate,
                summary="What to think of numbers",
                description="Form, type, country and operator by the numbering plan, and this "
                "account's own history. Nothing is sent and nothing is stored.",
                scope=READ,
                request=ValidateRequest,
                answers={200: ValidateAnswer},
                example={"numbers": ["+8613812345678"]},
            ),
        ]

    async def number(self, request: web.Request) -> web.Response:
        """How a number fares. Works for invalid numbers too, and says why they are."""
        key = await self._access.key(request, READ)
        number = request.match_info["number"]
        view = await self._services.numbers.number((key.account,), number)
        answer = NumberResource(
            number=mask(number),
            valid=view.fault is None,
            fault=view.fault,
            country=view.country,
            type=view.kind,
            messages=view.messages,
            complete=view.complete,
            delivered=view.delivered,
            failed=view.failed,
            last_sent_at=view.last_sent_at,
            last_delivered_at=view.last_delivered_at,
            last_failure=view.last_failure,
            last_opted_out_at=view.last_opted_out_at,
            validity=round(view.history.score.validity, DIGITS),
            recycled=view.history.score.recycled,
            delivered_days=view.history.delivered,
            evidence=[_evidence(each) for each in view.history.days],
            suppressions=[resource_of(entry) for entry in view.suppressions],
        )
        return json_response(answer)

    async def validate(self, request: web.Request) -> web.Response:
        """What to think of up to 1 000 numbers."""
        key = await self._access.key(request, READ)
        asked = decoded(ValidateRequest, self._body, await self._bodies.read(request))
        category = EVERY_CATEGORY if asked.category == "all" else int(Category.of(asked.category))
        found = await self._services.number_check.check(key.account, asked.numbers, category)
        counts = Counter(each.verdict for each in found)
        return json_response(
            ValidateAnswer(
                {verdict: counts[verdict] for verdict in VERDICTS},
                [_validated(index, each) for index, each in enumerate(found)],
            )
        )


def _evidence(each: EvidenceDay) -> EvidenceResource:
    told = each.kind != "delivered"
    return EvidenceResource(
        day=each.day,
        kind=each.kind,
        state=each.state,
        reason=Reason(each.reason).label if told else None,
        connector=each.connector if told else None,
        carrier_code=each.code,
    )


def _validated(index: int, checked: Checked) -> ValidatedNumber:
    history = checked.history
    return ValidatedNumber(
        index=index,
        number=mask(checked.number),
        verdict=checked.verdict,
        fault=checked.fault,
        country=checked.country,
        type=checked.kind,
        operator=checked.operator,
        suppressed=checked.suppressed,
        validity=None if history is None else round(history.score.validity, DIGITS),
        recycled=history is not None and history.score.recycled,
        delivered_days=0 if history is None else history.delivered,
        failed_days=0 if history is None else history.failed,
        last_delivered_at=None if history is None else history.last_delivered_at,
    )
