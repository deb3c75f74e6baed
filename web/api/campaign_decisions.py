"""The endpoint that decides an experiment by hand.

Owns its answer. Must not decide by figures: the watch does (campaigns/decisions).
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from campaigns.running.stopping import PREFIX
from web.api.campaign_shapes import CampaignResource
from web.api.campaign_verbs import actor, decoded_with_reason, found, told, verb
from web.api.campaign_views import WHAT
from web.api.experiment_shapes import DecideRequest
from web.edge.access import Access
from web.edge.arguments import path_id
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.services import Services

SEND = "campaigns:send"


class CampaignDecisionsApi:
    """The handler of /v1/campaigns/{id}/decide."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._decisions = services.experiments
        self._access = access
        self._bodies = bodies
        self._decide = msgspec.json.Decoder(DecideRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            verb(
                "decide", self.decide, "Say which text people behind the test get", SEND,
                CampaignResource,
                description="Those in the test keep theirs. It is decided once, and stays.",
                request=DecideRequest, example={"arm": 1, "reason": "the season ends tomorrow"},
                problems=("state_conflict", "out_of_range", "reason_invalid"),
            )
        ]  # fmt: skip

    async def decide(self, request: web.Request) -> web.Response:
        """200 once it is decided."""
        key = await self._access.key(request, SEND)
        body = await self._bodies.read(request)
        asked = decoded_with_reason(DecideRequest, self._decide, body)
        campaign = path_id(request, PREFIX, WHAT)
        with told():
            return found(
                await self._decisions.decide(actor(key, request), campaign, asked.arm, asked.reason)
            )
