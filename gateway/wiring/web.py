"""What the HTTP edge is given: the parts of this process behind the protocols of web/services.py.

Owns that wiring. Must not answer a request.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict

import msgspec

from campaigns.click_desk import ClickReports
from campaigns.funnel_desk import FunnelReports
from campaigns.link_check import LinkCheck
from dispatch.inbound.reading import InboundMessages
from dispatch.raw.desk import RawDesk
from dispatch.routes.routing import RouteTable
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.anomalies.rows import AnomalyList
from dlr.report_desk import DeliveryReports
from dlr.thresholds import Threshold, thresholds_of
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.settings import HttpSettings
from gateway.health import Health
from gateway.wiring.accounts import request_rates, validity_seconds
from gateway.wiring.connectors import PAUSED, texts_of
from gateway.wiring.report_names import ReportNames
from gateway.wiring.routes import route_states
from gateway.wiring.samples import snapshot
from gateway.wiring.webhooks import callback_fields, owner_desk
from messages.accept.rehearsal import Rehearsal
from messages.accept.validation import Validator
from messages.control.doubts import Resolver
from messages.control.finish import Finish
from messages.control.waiting import Queues
from messages.models import Prepared
from messages.reading.reader import Messages
from recipients.number_check import NumberCheck
from recipients.number_view import NumberDesk
from recipients.numbers.origin_numbers import OriginNumbers
from recipients.numbers.plan import NumberPlan
from recipients.proof import Proofs
from recipients.reply_report import ReplyReports
from smpp.client import BindState
from storage.audit_reading import AuditTrail
from storage.names import SANDBOX, SANDBOX_NAME
from web.campaign_services import CampaignBook, ExperimentBook
from web.cap_services import CapBook
from web.contact_services import ContactRooms
from web.edge.cursors import KEY_BYTES, KEY_PURPOSE, Cursors
from web.edge.request_limits import RequestLimits
from web.edge.tls import ServerPair
from web.segment_services import SegmentRooms
from web.server import ServerSettings
from web.services import (
    ConnectorView,
    Operations,
    RouteView,
    Services,
)
from web.template_services import TemplateServices

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def server_settings(http: HttpSettings) -> ServerSettings:
    """What the API's server needs to know of its section."""
    return ServerSettings(
        host=http.listen.host,
        port=http.listen.port,
        max_body=http.max_body,
        bodies_max=http.bodies_max,
        batch_items_max=http.batch_items_max,
        connections_max=http.connections_max,
        keep_alive_seconds=http.keep_alive_seconds,
        metrics_key=http.metrics_key,
        wrong_keys_per_minute=http.wrong_keys_per_minute,
        trusted_proxies=http.trusted_proxies,
        tls=http.tls_certificate_file is not None,
    )


def server_pair(http: HttpSettings) -> ServerPair | None:
    """What the API speaks TLS with; None: it does not. Raises TlsError."""
    if http.tls_certificate_file is None:
        return None
    return ServerPair(http.tls_certificate_file, http.tls_key_file)


class _OfCampaigns(TypedDict):
    """The fields that are of campaigns."""

    contacts: ContactRooms
    segments: SegmentRooms
    templates: TemplateServices
    campaigns: CampaignBook
    experiments: ExperimentBook
    caps: CapBook


def _of_campaigns(rooms: Rooms) -> _OfCampaigns:
    return {
        "contacts": rooms.contacts,
        "segments": SegmentRooms(rooms.segments, rooms.segment_counter),
        "templates": TemplateServices(*rooms.templates, LinkCheck(rooms.webhooks.client).faults),
        "campaigns": rooms.campaigns.desk,
        "experiments": rooms.campaigns.experiments,
        "caps": rooms.caps.desk,
    }


def _told(rooms: Rooms) -> tuple[ReportNames, Mapping[str, Threshold]]:
    """What every report is told with."""
    thresholds = msgspec.structs.asdict(rooms.config.thresholds)
    return ReportNames(rooms.registry), thresholds_of(**thresholds)


def services(rooms: Rooms, operations: Operations, messages: Validator) -> Services:
    """Everything the handlers reach. Called once all rooms are built."""
    registry, read, told = rooms.registry, rooms.database.read, _told(rooms)
    return Services(
        idempotency=rooms.idempotency,
        doubts=_resolver(rooms),
        accepter=rooms.shedding,
        validator=messages,
        accounts=rooms.accounts,
        policy_preview=Rehearsal(read, rooms.vault, lambda: rooms.accepter.checks),
        finish=Finish(read, registry.connectors, rooms.control.paces, rooms.clock.wall_ms),
        explain_route=lambda message, account: route_view(rooms.routes, message, account),
        messages=Messages(read, registry, rooms.vault),
        inbound=InboundMessages(read, registry, rooms.vault),
        suppressions=rooms.suppressions,
        imports=rooms.imports,
        exports=rooms.exports,
        numbers=NumberDesk(read, rooms.vault, rooms.clock.wall_ms, rooms.registry.connector_name),
        number_check=NumberCheck(read, rooms.vault, rooms.clock.wall_ms),
        consents=rooms.consents,
        complaints=rooms.complaints,
        conversions=rooms.conversions,
        links=rooms.public_links,
        **_of_campaigns(rooms),
        proofs=Proofs(read, rooms.vault),
        control=rooms.control,
        queues=Queues(read, registry, rooms.clock.wall_ms),
        reports=DeliveryReports(read, *told),
        funnels=FunnelReports(read, *told),
        clicks=ClickReports(read, *told),
        replies=ReplyReports(read, *told),
        thresholds=told[1],
        connectors=lambda: _connectors(rooms),
        routes=lambda: route_states(rooms),
        operations=operations,
        readiness=_health(rooms),
        snapshot=lambda: snapshot(rooms),
        keys=rooms.key_store,
        reveals=rooms.reveals,
        audit=AuditTrail(read, rooms.vault),
        persons=rooms.persons,
        raw_deliveries=_raw_desk(rooms),
        breakers=rooms.breakers.desk,
        anomalies=AnomalyList(read),
        webhooks=owner_desk(rooms),
        limits=_request_limits(rooms),
        cursors=Cursors(rooms.keys.derive(KEY_PURPOSE, KEY_BYTES)),
        new_batch_id=rooms.ids.next,
        wall_ms=rooms.clock.wall_ms,
        monotonic=time.monotonic,
    )


def _connectors(rooms: Rooms) -> list[ConnectorView]:
    numbers, dispatches = rooms.registry.connectors, rooms.dispatcher.connectors
    return [
        connector_view(dispatches[numbers[settings.name]], settings)
        for settings in (*rooms.config.connectors, *rooms.sandbox.running)
    ]


def _health(rooms: Rooms) -> Health:
    return Health(
        rooms.database.read,
        rooms.dispatcher.connectors.values(),
        lambda: rooms.draining,
        writers={
            "storing messages": rooms.accepter.lanes,
            "storing results": (rooms.dispatcher.recorder.commits,),
        },
        degraded={
            "keeping clicks": rooms.links.trouble,
            "telling webhooks": rooms.webhooks.trouble,
        },
        monotonic=time.monotonic,
    )


def _raw_desk(rooms: Rooms) -> RawDesk:
    return RawDesk(
        rooms.database.read,
        vault=rooms.vault,
        registry=rooms.registry,
        texts=texts_of(rooms.dispatcher.connectors),
    )


def _resolver(rooms: Rooms) -> Resolver:
    return Resolver(
        rooms.database.dedicated("resolve"),
        ids=rooms.ids,
        backlog=rooms.dispatcher.backlog,
        wall_ms=rooms.clock.wall_ms,
    )


def route_view(routes: RouteTable, message: Prepared, account: str) -> RouteView:
    """Which connector the message would take, and why."""
    if message.connector == SANDBOX:
        return RouteView(SANDBOX_NAME, "sandbox: it reaches no carrier")
    decision = routes.decide(message.to, message.sender, message.category, account, message.tags)
    first, *others = decision.connectors or (None,)
    return RouteView(first, decision.reason, tuple(name for name in others if name))


def _request_limits(rooms: Rooms) -> RequestLimits:
    pace = rooms.pacing
    return RequestLimits(
        request_rates(rooms.config, rooms.registry),
        pace.account_rates,
        parts_quota=pace.quota,
        monotonic_ns=rooms.clock.monotonic_ns,
    )


def validator(rooms: Rooms) -> Validator:
    """What checks messages of the API and of campaigns."""
    config = rooms.config
    return Validator(
        numbers=NumberPlan(),
        route=rooms.routes.first,
        link_base_url=str(config.links.base_url),
        parts_max=config.limits.message_parts_max,
        validity_seconds_max=config.limits.validity_seconds_max,
        timing=rooms.rules.timing,
        validity_seconds=validity_seconds(config),
        decisions=rooms.rules.decisions,
        texts=texts_of(rooms.dispatcher.connectors),
        callbacks=callback_fields(rooms),
        link_target=lambda account, url, name: rooms.public_links.rules.target(account, url, name),
        origin=OriginNumbers().of,
        templates=rooms.templates.messages,
    )


def connector_view(dispatch: ConnectorDispatch, settings: ConnectorSettings) -> ConnectorView:
    """One connector as it runs here."""
    pool = dispatch.pool
    binds = [] if pool is None else pool.binds
    rate, ceiling = dispatch.pace.per_second, dispatch.pace.ceiling
    return ConnectorView(
        name=dispatch.name,
        kind=settings.kind,
        up=pool is not None and pool.up,
        reason=None if pool is None else pool.reason,
        binds=len(binds),
        binds_up=sum(bind.state is BindState.BOUND for bind in binds),
        window=settings.window,
        in_flight=dispatch.parts_in_flight,
        queued=len(dispatch.ready),
        rate=None if rate is None else f"{rate:g}/s",
        rate_max=None if ceiling is None else f"{ceiling.per_second:g}/s",
        paused=PAUSED in dispatch.withheld,
        withheld=dispatch.withheld,
        keep_raw=settings.keep_raw,
        code_table=settings.code_table,
        codes=settings.codes,
        receipt_states=settings.receipt_states,
        receipts_per=settings.receipts_per,
        receipt_time_zone=str(settings.receipt_time_zone),
        receipt_states_unknown=dict(dispatch.intake.reader.unknown_words.counts()),
        bind=settings.bind,
        hints=dispatch.outcomes.unfit.hints,
    )
