"""What the HTTP edge is given: the rooms of this process behind the protocols of web/services.py.

Owns that wiring alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dispatch.raw.desk import RawDesk
from dispatch.routes.routing import RouteTable
from dlr.report_desk import Reports
from gateway.config import Config
from gateway.config.account_settings import AccountSettings
from gateway.health import Health
from gateway.wiring.connectors import texts_of
from gateway.wiring.samples import snapshot
from messages.accept.rehearsal import Rehearsal
from messages.accept.validation import Validator
from messages.control.doubts import Resolver
from messages.control.waiting import Queues
from messages.models import AccountPolicy, Prepared
from ratelimit.spec import RateSpec
from recipients.numbers.plan import NumberPlan
from recipients.numbers.rules import NumberRules
from storage.categories import Category
from storage.connectors import SANDBOX, SANDBOX_NAME
from storage.names import DEFAULT_ACCOUNT, Registry
from storage.reading import Messages, connector_view
from web.edge.cursors import KEY_BYTES, KEY_PURPOSE, Cursors
from web.edge.request_limits import RequestLimits
from web.services import ConnectorView, RouteView, Services

if TYPE_CHECKING:
    from gateway.app import Gateway


def services(gateway: Gateway) -> Services:
    """Everything the handlers reach. Called once all rooms are built."""
    registry = gateway.registry
    dispatches = gateway.dispatcher.connectors
    validator = _validator(gateway)
    read = gateway.database.read

    def views() -> list[ConnectorView]:
        return [
            connector_view(dispatches[registry.connectors[settings.name]], settings)
            for settings in (*gateway.config.connectors, *gateway.sandbox.running)
        ]

    return Services(
        idempotency=gateway.idempotency,
        doubts=_resolver(gateway),
        accepter=gateway.shedding,
        validator=validator,
        accounts=gateway.accounts,
        policy_preview=Rehearsal(read, gateway.vault, lambda: gateway.accepter.checks),
        explain_route=lambda message, account: _route_view(gateway.routes, message, account),
        messages=Messages(read, registry, gateway.vault),
        recipients=gateway.recipients,
        consents=gateway.consents,
        control=gateway.control,
        queues=Queues(read, registry, gateway.clock.wall_ms),
        reports=Reports(read, registry),
        connectors=views,
        operations=gateway.reloader,
        readiness=Health(
            read,
            dispatches.values(),
            lambda: gateway.draining,
            writers={
                "storing messages": gateway.accepter.lanes,
                "storing results": (gateway.dispatcher.recorder.commits,),
            },
            degraded={"keeping clicks": gateway.links.trouble},
            monotonic=time.monotonic,
        ),
        snapshot=lambda: snapshot(gateway),
        keys=gateway.key_store,
        reveals=gateway.reveals,
        raw_deliveries=_raw_desk(gateway),
        limits=_request_limits(gateway),
        cursors=Cursors(gateway.keys.derive(KEY_PURPOSE, KEY_BYTES)),
        new_batch_id=gateway.ids.next,
        wall_ms=gateway.clock.wall_ms,
        monotonic=time.monotonic,
    )


def validity_seconds(config: Config) -> tuple[int, ...]:
    """How long a message is tried that does not say, by category."""
    return tuple(
        min(getattr(config.validity, category.label), config.limits.validity_seconds_max)
        for category in Category
    )


def _raw_desk(gateway: Gateway) -> RawDesk:
    return RawDesk(
        gateway.database.read,
        vault=gateway.vault,
        registry=gateway.registry,
        texts=texts_of(gateway.dispatcher.connectors),
    )


def _resolver(gateway: Gateway) -> Resolver:
    return Resolver(
        gateway.database.dedicated("resolve"),
        ids=gateway.ids,
        backlog=gateway.dispatcher.backlog,
        wall_ms=gateway.clock.wall_ms,
    )


def _route_view(routes: RouteTable, message: Prepared, account: str) -> RouteView:
    if message.connector == SANDBOX:
        return RouteView(SANDBOX_NAME, "sandbox: it reaches no carrier")
    decision = routes.decide(message.to, message.sender, message.category, account, message.tags)
    first, *others = decision.connectors or (None,)
    return RouteView(first, decision.reason, tuple(name for name in others if name))


def _request_limits(gateway: Gateway) -> RequestLimits:
    pace = gateway.pacing
    return RequestLimits(
        request_rates(gateway.config, gateway.registry),
        pace.account_rates,
        parts_quota=pace.quota,
        monotonic_ns=gateway.clock.monotonic_ns,
    )


def request_rates(config: Config, registry: Registry) -> dict[int, RateSpec]:
    """How often each account that has such a limit may ask to send."""
    return {
        registry.accounts[account.name]: account.requests_rate.spec
        for account in config.accounts
        if account.requests_rate is not None
    }


def account_policies(config: Config, registry: Registry) -> dict[int, AccountPolicy]:
    """Those of every configured account, by the id of table `account`."""
    accounts = config.accounts or (AccountSettings(name=DEFAULT_ACCOUNT),)
    numbers = registry.accounts
    return {numbers[each.name]: account_policy(each, numbers[each.name]) for each in accounts}


def _validator(gateway: Gateway) -> Validator:
    config = gateway.config
    return Validator(
        numbers=NumberPlan(),
        route=gateway.routes.first,
        link_base_url=str(config.links.base_url),
        parts_max=config.limits.message_parts_max,
        validity_seconds_max=config.limits.validity_seconds_max,
        timing=gateway.rules.timing,
        validity_seconds=validity_seconds(config),
        decisions=gateway.rules.decisions,
        texts=texts_of(gateway.dispatcher.connectors),
    )


def account_policy(settings: AccountSettings, number: int) -> AccountPolicy:
    """What validation needs to know of an account."""
    return AccountPolicy(
        id=number,
        name=settings.name,
        default_category=Category.of(settings.default_category),
        senders=settings.senders,
        signature=settings.signature,
        opt_out_suffix=settings.opt_out_suffix,
        shorten_urls=settings.shorten_urls,
        sandbox=settings.sandbox,
        numbers=NumberRules(frozenset(settings.countries), settings.refuse_landlines),
    )
