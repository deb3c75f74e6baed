"""What a running gateway makes of a new configuration, beside its connectors.

Owns which keys hold at once, and the two steps in which they do. Must not read the configuration,
and must not touch binds (reload.py does).

First everything is made that can be wrong. Then all of it takes effect in one go, without waiting.
A flush or an intent under way is decided by the rules it began with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from dispatch.answers.receipt_reading import ReceiptManners
from dispatch.holds import Faster
from dispatch.inbound.opt_outs import OptOutPolicy
from dispatch.inbound.owners import SenderOwners
from dispatch.inbound.page_opt_outs import PagePolicy
from dlr.codes import CodesOfConnectors
from dlr.connector_groups import ConnectorGroups
from gateway.config import Config
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.wire import receipt_manners
from gateway.logs import set_level
from gateway.wiring import breakers, caps, connectors, sending
from gateway.wiring.accounts import account_policies, request_rates, validity_seconds
from gateway.wiring.conversions import conversion_rules
from gateway.wiring.desks import partner_keys
from gateway.wiring.inbound import (
    complaint_ends,
    opt_out_pages,
    opt_out_policies,
    opt_out_scopes,
    sender_owners,
)
from gateway.wiring.links import account_domains, link_rules
from gateway.wiring.maintaining import kept_days
from gateway.wiring.routes import another_way_categories, outcome_policy, routes_of
from gateway.wiring.rules import build_rules
from messages.accept.pacing import PacingRates
from messages.models import AccountPolicy
from messages.rules.rules import Rules
from ratelimit.spec import RateSpec
from recipients.partner_hash import PartnerKey
from recipients.scopes import OptOutScopes
from shortlinks.conversions import Attribution
from shortlinks.link_rules import LinkRules
from storage.names import Registry

if TYPE_CHECKING:
    from gateway.rooms import Rooms

SECTIONS = frozenset(
    {
        "connectors",
        "routes",
        "accounts",
        "doubt",
        "another_way",
        "validity",
        "quiet_hours",
        "retention",
        "breakers",
        "partners",
        "hygiene",
    }
)
KEYS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "limits": frozenset(
            {
                "drain_seconds", "message_parts_max", "validity_seconds_max",
                "recipient_gap_seconds", "unknown_after_hours",
            }
        ),
        "accept": frozenset({"shed_above_percent"}),
        "logs": frozenset({"level"}),
    }
)  # fmt: skip
# Of a connector, without touching a bind. `rate` and `window` are reload.py's.
CONNECTOR_KEYS = (
    "response_id_base", "receipt_id_base", "receipt_id_first", "id_rewrite", "receipt_group",
    "user_message_reference", "query_after_seconds", "receipts_without_esm_class",
    "receipt_states", "keep_raw", "inbound_country_code", "code_table", "codes", "receipts_per",
    "inbound_gsm7", "service_type", "message_mode", "protocol_id", "priority_flag",
    "registered_delivery", "validity_period", "receipt_time_zone",
)  # fmt: skip


class Following(msgspec.Struct):
    """Everything that is made anew."""

    config: Config
    rules: Rules
    accounts: Mapping[int, AccountPolicy]
    rates: PacingRates
    requests: Mapping[int, RateSpec]
    opt_outs: Mapping[int, OptOutPolicy]
    pages: Mapping[int, PagePolicy]
    scopes: OptOutScopes
    owners: SenderOwners
    complaint_ends: Mapping[int, int | None]
    conversions: Mapping[int, Attribution]
    links: LinkRules
    groups: ConnectorGroups
    codes: CodesOfConnectors
    manners: Mapping[str, ReceiptManners]
    partners: Mapping[str, PartnerKey]


def effective(
    old: Config, new: Config, settings: Sequence[ConnectorSettings]
) -> tuple[Config, list[str]]:
    """What holds from now on, and the keys that differ and are read at the start only. Pure.

    Connectors are as they will be.
    """
    held: dict[str, object] = {"connectors": tuple(settings)}
    restart: list[str] = []
    for section in old.__struct_fields__:
        before, after = getattr(old, section), getattr(new, section)
        if section in SECTIONS:
            held.setdefault(section, after)
            continue
        changed = [
            key for key in before.__struct_fields__ if getattr(before, key) != getattr(after, key)
        ]
        live = KEYS.get(section, frozenset())
        restart += [f"{section}.{key}" for key in changed if key not in live]
        held[section] = msgspec.structs.replace(
            before, **{key: getattr(after, key) for key in changed if key in live}
        )
    return msgspec.structs.replace(old, **held), restart


def prepare(rooms: Rooms, config: Config, names: Registry) -> Following:
    """Make what can be wrong. Raises ConfigError; changes nothing."""
    return Following(
        config=config,
        rules=build_rules(
            config,
            names.accounts,
            rooms.clock.wall_ms,
            rooms.rules.decisions,
            persons=caps.persons(rooms.caps, config, names.accounts, rooms.clock.wall_ms),
        ),
        accounts=account_policies(config, names),
        rates=sending.pacing_rates(config, names),
        requests=request_rates(config, names),
        opt_outs=opt_out_policies(config, names),
        pages=opt_out_pages(config, names),
        scopes=opt_out_scopes(config, names.accounts),
        owners=sender_owners(config, names),
        complaint_ends=complaint_ends(config, names),
        conversions=conversion_rules(config, names),
        links=link_rules(config, names),
        groups=connectors.groups_of(config.connectors, names.connectors),
        codes=connectors.codes_of((*config.connectors, rooms.sandbox.settings), names.connectors),
        manners={each.name: receipt_manners(each, each.name) for each in config.connectors},
        partners=partner_keys(config),
    )


def follow(rooms: Rooms, following: Following) -> frozenset[Faster]:
    """Let all take effect at once. Returns the rates that let more go than before."""
    config = rooms.config = following.config
    rooms.wiring.limits = config.limits
    rooms.policy = rooms.wiring.policy = outcome_policy(config.doubt)
    for dispatch in rooms.dispatcher.connectors.values():
        dispatch.outcomes.policy = rooms.policy
    rooms.routes.replace(routes_of(config.routes), rooms.registry.connectors)
    rooms.exports.partners = following.partners
    rooms.accounts.clear()
    rooms.accounts.update(following.accounts)
    faster = rooms.pacing.configure(following.rates, rooms.ids.next())
    rooms.edge.limits.follow(following.requests, rooms.pacing.account_rates)
    _follow_rules(rooms, following.rules)
    rooms.shedding.follow(config.accept.waiting_max, config.accept.shed_above_percent)
    rooms.inbound.follow(following.opt_outs, following.scopes)
    rooms.opt_out_pages.policies = following.pages
    rooms.withdrawal.covers = following.scopes.covers
    rooms.inbound.recorder.owners = following.owners
    rooms.complaints.ends = following.complaint_ends
    rooms.conversions.rules = following.conversions
    rooms.public_links.rules = following.links
    rooms.links.domains.follow(account_domains(following.config))
    rooms.dispatcher.recorder.groups = rooms.parked.groups = following.groups
    rooms.dispatcher.recorder.pruning.codes = following.codes
    rooms.another_way.categories = another_way_categories(config.another_way)
    rooms.another_way.codes = following.codes
    breakers.follow(rooms.breakers, config.breakers)
    rooms.silence.after_hours = config.limits.unknown_after_hours
    rooms.prune.every_hours = config.hygiene.prune_hours
    rooms.prune.below = config.hygiene.prune_below
    rooms.retention.kept = kept_days(config.retention)
    set_level(config.logs.level)
    return faster


def _follow_rules(rooms: Rooms, rules: Rules) -> None:
    config = rooms.config
    rooms.rules = rules
    rooms.accepter.checks = rules.checks
    rooms.dispatcher.intents.looks = sending.looks(rooms)
    rooms.edge.validator.follow(
        parts_max=config.limits.message_parts_max,
        validity_seconds_max=config.limits.validity_seconds_max,
        validity_seconds=validity_seconds(config),
        timing=rules.timing,
    )
