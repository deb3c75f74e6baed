"""The endpoints that change campaigns: write, plan, test, start, stop.

Owns their answers. Must not decide whether a change may be made (campaigns/running does), nor show
what became of one (campaign_views.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime

import msgspec
from aiohttp import web

from campaigns.running import spec as specs
from campaigns.running.spec import Spec
from campaigns.running.stopping import PREFIX
from campaigns.running.store import StoredCampaign
from messages.models import FieldError
from storage.ids import format_id
from web.api.campaign_plan_shapes import PlanResource, plan_resource
from web.api.campaign_shapes import (
    TESTS_MAX,
    CampaignResource,
    CanceledCampaign,
    PauseRequest,
    ResumeRequest,
    StartRequest,
    TestAnswer,
    TestRequest,
    resource,
    test_answer,
)
from web.api.campaign_verbs import actor, decoded_with_reason, found, told, verb
from web.api.campaign_views import IN_PATH, ONE, PATH, WHAT, named, shown
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import decoded, not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.idempotent import (
    REPEAT_PROBLEMS,
    REQUEST_HEADERS,
    Claim,
    IdempotentRequests,
)
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.problems import ProblemError
from web.services import Services

WRITE = "campaigns:write"
SEND = "campaigns:send"
SHAPED = frozenset({"field_unknown", "field_repeated"})  # every other field is of its kind
SPEC_PROBLEMS = (
    "label_invalid", "out_of_range", "template_unknown", "send_window_invalid", "unknown_zone",
    "not_available",
)  # fmt: skip
AROUND = ("lint_failed", "template_unknown", "not_approved", "link_dead", "opt_out_broken")
EXAMPLE = {
    "name": "Singles' Day",
    "audience": {"segment": "days_since(login) >= 90", "exclude": ["staff"]},
    "arms": [{"template": "tpl_0nx25tc8g2000@1"}],
    "schedule": {"window": "retail", "spread": "PT4H"},
}


class CampaignsApi:
    """Handlers of /v1/campaigns."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._campaigns = services.campaigns
        self._access = access
        self._bodies = bodies
        self._idempotent = IdempotentRequests(services.idempotency)
        self._spec = msgspec.json.Decoder(Spec)
        self._test = msgspec.json.Decoder(TestRequest)
        self._start = msgspec.json.Decoder(StartRequest)
        self._pause = msgspec.json.Decoder(PauseRequest)
        self._resume = msgspec.json.Decoder(ResumeRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [*self._written(), *self._moved()]

    def _written(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="POST",
                path=PATH,
                handler=self.create,
                summary="Write a campaign",
                description="A draft: nobody gets anything before it is planned, tested and "
                "started.",
                scope=WRITE,
                request=Spec,
                answers={
                    201: Answer(
                        CampaignResource,
                        headers={"Location": "The campaign.", **if_match.ANSWER_HEADERS},
                    )
                },
                headers=REQUEST_HEADERS,
                problems=(*SPEC_PROBLEMS, *REPEAT_PROBLEMS),
                example=EXAMPLE,
            ),
            Endpoint(
                method="PUT",
                path=ONE,
                handler=self.edit,
                summary="Write a campaign anew, as its next version",
                description="Of a paused one what waits is recalled and sent as it says now. Its "
                "audience, holdout, canary, category, goal and weights stand then.",
                scope=WRITE,
                path_parameters=IN_PATH,
                request=Spec,
                answers={200: Answer(CampaignResource, headers=if_match.ANSWER_HEADERS)},
                headers=if_match.REQUEST_HEADERS,
                problems=(
                    *SPEC_PROBLEMS,
                    *if_match.PROBLEMS,
                    "state_conflict",
                    "experiment_locked",
                ),
                example=EXAMPLE,
            ),
        ]

    def _moved(self) -> list[Endpoint]:
        return [
            verb(
                "plan", self.plan, "Say who would get it", WRITE, PlanResource,
                description="Everybody in the segment gets a place, or a reason why not. It takes "
                "some seconds for a million.",
                problems=("state_conflict", "segment_invalid", "tag_unknown"),
            ),
            verb(
                "test", self.test, "Send its texts to some numbers", WRITE, TestAnswer,
                request=TestRequest, example={"to": ["+8613812345678"]}, once=True,
                problems=(
                    "state_conflict", "lint_failed", "template_unknown", "template_param_unfit",
                    "number_invalid", "text_too_long", "route_unavailable", "out_of_range",
                ),
            ),
            verb(
                "start", self.start, "Start it", SEND, CampaignResource,
                description="Everything that stands against it is told at once.",
                request=StartRequest, example={"confirm_recipients": 931},
                problems=(
                    "state_conflict", "not_tested", "not_planned", "count_changed", "four_eyes",
                    *AROUND,
                ),
            ),
            verb(
                "pause", self.pause, "Send nothing more of it until it is resumed", SEND,
                CampaignResource,
                request=PauseRequest, example={"reason": "the shop is down"},
                problems=("state_conflict", "reason_invalid"),
            ),
            verb(
                "resume", self.resume, "Go on with a paused one", SEND, CampaignResource,
                description="What it was paused for has to be gone, or somebody says why it goes "
                "on. A text that was changed since wants its own test.",
                request=ResumeRequest, request_optional=True,
                example={"override": "the carrier has mended it"},
                problems=(
                    "state_conflict", "cause_stands", "not_tested", "reason_invalid", "four_eyes",
                    *AROUND,
                ),
            ),
            verb(
                "cancel", self.cancel, "End it for good, and take back what waits", SEND,
                CanceledCampaign, problems=("state_conflict",),
            ),
        ]  # fmt: skip

    async def create(self, request: web.Request) -> web.Response:
        """201 once the draft is committed."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda claim: self._create(key, body, claim)
        )

    async def _create(self, key: StoredKey, body: bytes, claim: Claim | None) -> web.Response:
        claimed = None if claim is None else await claim(1)
        spec = self._checked(body)
        campaign = self._campaigns.new_id() if claimed is None else claimed.ids[0]
        stored = await self._campaigns.create(actor(key), campaign, spec)
        where = f"{PATH}/{format_id(PREFIX, stored.id)}"
        return shown(stored, status=201, location=where)

    async def edit(self, request: web.Request) -> web.Response:
        """200 with the next version."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        spec = self._checked(body, await self._start_of(key, request))
        campaign = path_id(request, PREFIX, WHAT)
        seen = if_match.demanded_version(request)
        with told():
            return found(await self._campaigns.edit(actor(key), campaign, seen, spec))

    async def plan(self, request: web.Request) -> web.Response:
        """200 once everybody is planned or excluded."""
        key = await self._access.key(request, WRITE)
        campaign = path_id(request, PREFIX, WHAT)
        with told():
            made = await self._campaigns.plan(actor(key, request), campaign)
        if made is None:
            raise not_found(WHAT)
        return json_response(plan_resource(made))

    async def test(self, request: web.Request) -> web.Response:
        """200 with each text, once they are stored."""
        key = await self._access.key(request, WRITE)
        body = await self._bodies.read(request)
        return await self._idempotent.answer(
            request, key.account, body, lambda _: self._tested(request, key, body)
        )

    async def _tested(self, request: web.Request, key: StoredKey, body: bytes) -> web.Response:
        asked = decoded(TestRequest, self._test, body)
        if not 1 <= len(asked.to) <= TESTS_MAX:
            detail = f"to names 1 to {TESTS_MAX} numbers"
            raise refusal(FieldError("out_of_range", detail, "/to"))
        campaign = path_id(request, PREFIX, WHAT)
        with told():
            tested = await self._campaigns.test(actor(key, request), campaign, asked.to)
        if tested is None:
            raise not_found(WHAT)
        stored, verdicts = tested
        return json_response(test_answer(stored, asked.to, verdicts))

    async def start(self, request: web.Request) -> web.Response:
        """200 once it is in its canary, or waits for its start."""
        key = await self._access.key(request, SEND)
        asked = decoded(StartRequest, self._start, await self._bodies.read(request))
        return await self._move(
            request,
            lambda campaign: self._campaigns.start(
                actor(key, request), campaign, asked.confirm_recipients
            ),
        )

    async def pause(self, request: web.Request) -> web.Response:
        """200 once nothing more of it begins its way."""
        key = await self._access.key(request, SEND)
        body = await self._bodies.read(request)
        asked = decoded_with_reason(PauseRequest, self._pause, body)
        return await self._move(
            request,
            lambda campaign: self._campaigns.pause(actor(key, request), campaign, asked.reason),
        )

    async def resume(self, request: web.Request) -> web.Response:
        """200 once it may go on."""
        key = await self._access.key(request, SEND)
        override = None
        if request.can_read_body:
            body = await self._bodies.read(request)
            override = decoded_with_reason(ResumeRequest, self._resume, body, "override").override
        return await self._move(
            request,
            lambda campaign: self._campaigns.resume(actor(key, request), campaign, override),
        )

    async def cancel(self, request: web.Request) -> web.Response:
        """200 with how many messages can no longer be stopped."""
        key = await self._access.key(request, SEND)
        with told():
            done = await self._campaigns.cancel(actor(key, request), path_id(request, PREFIX, WHAT))
        if done is None:
            raise not_found(WHAT)
        answer = CanceledCampaign(campaign=resource(done.campaign), in_flight=done.in_flight)
        return json_response(answer)

    async def _move(
        self, request: web.Request, move: Callable[[int], Awaitable[StoredCampaign | None]]
    ) -> web.Response:
        with told():
            return found(await move(path_id(request, PREFIX, WHAT)))

    async def _start_of(self, key: StoredKey, request: web.Request) -> datetime | None:
        """The start that the campaign has already. None where there is no such campaign: what is
        wrong with the body is told all the same.
        """
        with suppress(ProblemError):
            return (await named(self._campaigns, key, request)).spec.schedule.start
        return None

    def _checked(self, body: bytes, stands: datetime | None = None) -> Spec:
        """What the author wrote. Raises ProblemError with everything that is wrong with it.

        `stands`: the start that the campaign has already.
        """
        read = read_body(Spec, self._spec, body)
        faults = list(read.faults)
        if read.body is not None and SHAPED.issuperset(fault.code for fault in faults):
            faults += specs.faults(read.body, self._campaigns.now(), stands)
        if read.body is None or faults:
            raise refusal(faults)
        return read.body
