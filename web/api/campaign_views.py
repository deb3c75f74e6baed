"""The endpoints that show campaigns: as they stand, and the people of their plans.

Owns their answers. Must not change anything (campaigns.py does), nor report (campaign_reports.py).
"""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from campaigns.running.standing import Waiting
from campaigns.running.states import CampaignState
from campaigns.running.stopping import PREFIX
from campaigns.running.store import StoredCampaign
from web.api.campaign_shapes import (
    CampaignPage,
    CampaignQuery,
    CampaignResource,
    RecipientPage,
    RecipientQuery,
    recipient_resource,
    resource,
)
from web.campaign_services import CampaignBook
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import not_found, path_id
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.keys import StoredKey
from web.edge.parameters import QueryReader
from web.services import Services

READ = "campaigns:read"
PATH = "/v1/campaigns"
ONE = PATH + "/{id}"
WHAT = "campaign"
CampaignId = Annotated[str, Meta(description="The campaign's id.", examples=["cmp_0NX25TC8G2000"])]
IN_PATH = {"id": CampaignId}


class CampaignViewsApi:
    """Handlers of what is asked of /v1/campaigns."""

    def __init__(self, services: Services, access: Access) -> None:
        self._services = services
        self._campaigns = services.campaigns
        self._access = access
        self._query = QueryReader(CampaignQuery)
        self._recipients_query = QueryReader(RecipientQuery)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        paged = {"Link": "The next page, if there is one."}
        return [
            Endpoint(
                method="GET",
                path=PATH,
                handler=self.listed,
                summary="The account's campaigns",
                scope=READ,
                query=CampaignQuery,
                answers={200: Answer(CampaignPage, headers=paged)},
            ),
            Endpoint(
                method="GET",
                path=ONE,
                handler=self.one,
                summary="A campaign as it stands",
                scope=READ,
                path_parameters=IN_PATH,
                answers={200: Answer(CampaignResource, headers=if_match.ANSWER_HEADERS)},
            ),
            Endpoint(
                method="GET",
                path=f"{ONE}/recipients",
                handler=self.recipients,
                summary="The people of its plan, and what became of each",
                scope=READ,
                path_parameters=IN_PATH,
                query=RecipientQuery,
                answers={200: Answer(RecipientPage, headers=paged)},
            ),
        ]

    async def listed(self, request: web.Request) -> web.Response:
        """The latest made first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        page = self._services.cursors.page(request, key.account, query)
        state = None if query.state is None else CampaignState[query.state.upper()]
        before = int(page.after[0]) if page.after else None
        found = await self._campaigns.listed(
            key.account, state=state, before=before, limit=page.limit + 1
        )
        kept, next_cursor = page.cut(found, lambda campaign: (campaign.id,))
        answer = CampaignPage([resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))

    async def one(self, request: web.Request) -> web.Response:
        """As it stands, also after its end."""
        key = await self._access.key(request, READ)
        stored = await named(self._campaigns, key, request)
        return shown(stored, waiting=await self._campaigns.standing.waiting(stored))

    async def recipients(self, request: web.Request) -> web.Response:
        """In the order of sending."""
        key = await self._access.key(request, READ)
        query = self._recipients_query.read(request)
        stored = await named(self._campaigns, key, request)
        page = self._services.cursors.page(request, key.account, query)
        after = int(page.after[0]) + 1 if page.after else 0
        found = await self._campaigns.people.recipients(stored, after=after, limit=page.limit + 1)
        kept, next_cursor = page.cut(found, lambda each: (each.seq,))
        answer = RecipientPage([recipient_resource(each) for each in kept], next_cursor)
        return json_response(answer, headers=page.headers(next_cursor))


async def named(campaigns: CampaignBook, key: StoredKey, request: web.Request) -> StoredCampaign:
    """The campaign that the path names. Raises ProblemError 404."""
    found = await campaigns.one(key.account, path_id(request, PREFIX, WHAT))
    if found is None:
        raise not_found(WHAT)
    return found


def shown(
    stored: StoredCampaign,
    *,
    status: int = 200,
    location: str | None = None,
    waiting: Waiting | None = None,
) -> web.Response:
    """A campaign with the revision that a change of it names."""
    headers = if_match.etag(stored.revision)
    if location is not None:
        headers["Location"] = location
    return json_response(resource(stored, waiting), status=status, headers=headers)
