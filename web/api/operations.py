"""The endpoints for operators: reload the configuration, show connectors, and change their pace.

Owns their JSON. Must not know what a change does: services.py's Operations does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from messages.models import FieldError
from web.api.report_pages import READ as REPORTS_READ
from web.edge.access import Access
from web.edge.arguments import decoded, decoded_with_rate
from web.edge.auth import ADMIN
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.problems import ProblemError
from web.health import CONNECTORS_READ
from web.operator_services import Operator
from web.services import (
    ConfigurationRefused,
    ConnectorState,
    ConnectorUnknown,
    ConnectorView,
    ReloadBusy,
    Reloaded,
    Services,
)

ConnectorName = Annotated[str, Meta(description="The connector.", examples=["carrier-a"])]


class ConnectorPatch(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a connector until the next start. `rate` as in the configuration, in parts;
    null: as configured; `0/s` stops it. `paused` true: nothing is written, what waits may go by the
    next connector of its route.
    """

    rate: str | UnsetType | None = UNSET
    paused: bool | UnsetType = UNSET


class ConnectorList(msgspec.Struct):
    """Every connector of this process; with the scope `connectors:read` each is a ConnectorView."""

    data: Sequence[ConnectorState]
    next_cursor: str | None = None


class ReloadRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Whether also to follow a configuration that leaves no connector, or takes away an account
    that has keys.
    """

    allow_removals: bool = False


class OperationsApi:
    """Handlers of /v1/admin and /v1/connectors."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._access = access
        self._bodies = bodies
        self._patch = msgspec.json.Decoder(ConnectorPatch)
        self._reload = msgspec.json.Decoder(ReloadRequest)

    def routes(self) -> list[Endpoint]:
        """The endpoints, for server.py to mount."""
        return [
            Endpoint(
                method="POST",
                path="/v1/admin/reload",
                handler=self.reload,
                summary="Read the configuration again",
                description="Routes, accounts, rates, the policy in doubt and connectors follow at "
                "once, without dropping binds of unchanged connectors; the answer names the keys "
                "that wait for a restart. A configuration that is not right changes nothing. One "
                "that would remove every connector, or an account that has keys, is refused unless "
                "the body says `allow_removals`. The body may be left out.",
                scope=ADMIN,
                request=ReloadRequest,
                request_optional=True,
                answers={200: Reloaded},
                problems=("config_invalid", "reload_running"),
            ),
            Endpoint(
                method="GET",
                path="/v1/connectors",
                handler=self.connectors,
                summary="State of the connectors of this process",
                description="Which are up. With the scope connectors:read, too, each has the "
                "fields that PATCH answers: traffic of all accounts, and the carrier's errors.",
                scope=REPORTS_READ,
                answers={200: ConnectorList},
            ),
            Endpoint(
                method="PATCH",
                path="/v1/connectors/{name}",
                handler=self.change,
                summary="Re-rate or pause a connector until the next start",
                scope=ADMIN,
                request=ConnectorPatch,
                path_parameters={"name": ConnectorName},
                answers={200: ConnectorView},
                problems=("rate_invalid",),
                example={"rate": "50/s", "paused": False},
            ),
        ]

    async def reload(self, request: web.Request) -> web.Response:
        """Read the configuration again."""
        by = await self._operator(request)
        asked = ReloadRequest()
        if request.can_read_body:
            body = await self._bodies.read(request)
            asked = decoded(ReloadRequest, self._reload, body)
        try:
            done = await self._services.operations.reload(by, allow_removals=asked.allow_removals)
            return json_response(done)
        except ConfigurationRefused as error:
            faults = tuple(FieldError("config_invalid", each) for each in error.faults)
            raise ProblemError("config_invalid", str(error), faults) from error
        except ReloadBusy as error:
            raise ProblemError(
                "reload_running", str(error), headers={"Retry-After": "1"}
            ) from error

    async def _operator(self, request: web.Request) -> Operator:
        key = await self._access.key(request, ADMIN)
        return Operator(key.account, f"key {key.id}")

    async def connectors(self, request: web.Request) -> web.Response:
        """The state of the connectors of this process."""
        key = await self._access.key(request, REPORTS_READ)
        found: Sequence[ConnectorState] = self._services.connectors()
        if key.scopes.isdisjoint((CONNECTORS_READ, ADMIN)):
            found = [ConnectorState(name=each.name, kind=each.kind, up=each.up) for each in found]
        return json_response(ConnectorList(found))

    async def change(self, request: web.Request) -> web.Response:
        """Change a connector's pace."""
        by = await self._operator(request)
        body = await self._bodies.read(request)
        patch, rate = decoded_with_rate(ConnectorPatch, self._patch, body)
        name = request.match_info["name"]
        try:
            await self._services.operations.change_connector(
                by,
                name,
                False if patch.rate is UNSET else rate,
                None if patch.paused is UNSET else bool(patch.paused),
            )
        except ConnectorUnknown:
            raise ProblemError("not_found", "there is no such connector") from None
        view = next(view for view in self._services.connectors() if view.name == name)
        return json_response(view)
