"""From the configuration to the service for messages from handsets.

Owns that wiring. Must not decide anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog

from campaigns.events import naming
from dispatch.inbound.intake import InboundShared
from dispatch.inbound.opt_outs import Confirmation, OptOutPolicy, OptOuts
from dispatch.inbound.owners import SenderOwners
from dispatch.inbound.page_opt_outs import PageOptOuts, PagePolicy
from dispatch.inbound.recorder import InboundRecorder
from dispatch.inbound.service import InboundService
from dispatch.message import MessageOptions
from gateway.config import Config
from gateway.config.account_settings import (
    AccountSettings,
    category_number,
    of_brand,
    reply_words,
)
from messages.accept.validation import Validator
from messages.models import Accepter, AccountPolicy, Prepared, Refused
from recipients.just_stopped import JustStopped
from recipients.numbers.plan import NumberPlan
from recipients.scopes import OptOutScopes, brands_of, plain
from smpp.reassembly import MESSAGES_OPEN_MAX
from storage.categories import Category
from storage.names import DEFAULT_ACCOUNT, Registry

if TYPE_CHECKING:
    from gateway.rooms import Rooms

_log = structlog.get_logger(__name__)

NANOSECONDS = 1_000_000_000
_AROUND_NAMES = "【】[]()（）<>《》:：- "  # of a signature
AUDIT_LAG_SECONDS = 60.0  # for results that wait for the database


def build(rooms: Rooms, ended: Callable[[asyncio.Task[None]], object]) -> InboundService:
    """Not yet started; its intakes are made with the connectors."""
    config, database, registry = rooms.config, rooms.database, rooms.registry
    vault, ids, clock, term = rooms.vault, rooms.ids, rooms.clock, rooms.term.term
    stopped = JustStopped()

    def monotonic() -> float:
        return clock.monotonic_ns() / NANOSECONDS

    recorder = InboundRecorder(
        database.dedicated("inbound"),
        vault=vault,
        ids=ids,
        term=term,
        opt_outs=OptOuts(
            opt_out_policies(config, registry),
            stopped=stopped,
            ids=ids,
            wall_ms=clock.wall_ms,
            monotonic=monotonic,
        ),
        owners=sender_owners(config, registry),
        waiting_max=config.limits.inbound_waiting_max,
        late_max=MESSAGES_OPEN_MAX * max(1, len(config.connectors)),
        wall_ms=clock.wall_ms,
    )
    recorder.named = naming.inbound
    service = InboundService(
        database.dedicated("inbound-parts"),
        InboundShared(recorder, ids, vault, NumberPlan(), monotonic),
        term=term,
        wall_ms=clock.wall_ms,
        ended=ended,
        stopped=stopped,
        audit_lag_seconds=AUDIT_LAG_SECONDS
        + max((each.response_timeout_seconds for each in config.connectors), default=0.0),
    )
    service.follow(recorder.opt_outs.policies, opt_out_scopes(config, registry.accounts))
    return service


def opt_out_policies(config: Config, registry: Registry) -> dict[int, OptOutPolicy]:
    """Of every account."""
    return {registry.accounts[each.name]: opt_out_policy(each) for each in _accounts(config)}


def opt_out_pages(config: Config, registry: Registry) -> dict[int, PagePolicy]:
    """What the pages of every account say."""
    return {
        registry.accounts[each.name]: PagePolicy(
            each.opt_out_page_name or each.signature.strip(_AROUND_NAMES),
            each.opt_out_page_language,
            each.opt_out_page_frequency,
        )
        for each in _accounts(config)
    }


def build_pages(rooms: Rooms) -> PageOptOuts:
    """What presses on opt-out pages are told; it follows the rules of the keywords."""
    recorder = rooms.inbound.recorder
    return PageOptOuts(
        rooms.database.read,
        rooms.database.dedicated("opt-out-pages"),
        opt_outs=recorder.opt_outs,
        policies=opt_out_pages(rooms.config, rooms.registry),
        vault=rooms.vault,
        ids=rooms.ids,
        wall_ms=rooms.clock.wall_ms,
        monotonic=lambda: rooms.clock.monotonic_ns() / NANOSECONDS,
        owe=rooms.inbound.confirmations.owe,
        named=naming.page_opt_outs,
    )


def complaint_ends(config: Config, registry: Registry) -> dict[int, int | None]:
    """The category that a complaint ends, by account; None: nothing."""
    return {
        registry.accounts[each.name]: (
            None if each.complaint_ends == "nothing" else category_number(each.complaint_ends)
        )
        for each in _accounts(config)
    }


def sender_owners(config: Config, registry: Registry) -> SenderOwners:
    """Whose each sender is."""
    return SenderOwners(
        [(registry.accounts[each.name], each.senders) for each in _accounts(config)]
    )


def _accounts(config: Config) -> Sequence[AccountSettings]:
    return config.accounts or (AccountSettings(name=DEFAULT_ACCOUNT),)


def opt_out_policy(settings: AccountSettings) -> OptOutPolicy:
    """What an account does about replies, and for the senders of its brands."""
    return OptOutPolicy(
        reply_words(settings),
        category_number(settings.opt_out_category),
        settings.opt_out_reply,
        settings.help_reply,
        {
            plain(sender): opt_out_policy(
                msgspec.structs.replace(of_brand(settings, brand), brands=())
            )
            for brand in settings.brands
            for sender in brand.senders
        },
        settings.inbound_text_days,
    )


def opt_out_scopes(config: Config, accounts: Mapping[str, int]) -> OptOutScopes:
    """Whose messages an opt-out ends."""
    brands: dict[int, dict[str, str]] = {}
    senders: dict[int, frozenset[str]] = {}
    for each in _accounts(config):
        if each.opt_out_scope == "account":
            continue
        account = accounts[each.name]
        senders[account] = frozenset(map(plain, each.senders))
        brands[account] = {}
        if each.opt_out_scope == "brand":
            brands[account] = brands_of((brand.name, brand.senders) for brand in each.brands)
    return OptOutScopes(brands, senders)


class ConfirmationSender:
    """Implements SendConfirmations. A confirmation is a message like any other, but goes in spite
    of the opt-out it confirms.
    """

    def __init__(
        self, accepter: Accepter, validator: Validator, accounts: Mapping[int, AccountPolicy]
    ) -> None:
        self._accepter = accepter
        self._validator = validator
        self._accounts = accounts

    async def __call__(self, confirmations: Sequence[Confirmation], now_ms: int) -> int:
        prepared = [
            message
            for each in confirmations
            if (message := self._prepared(each, now_ms)) is not None
        ]
        if not prepared:
            return 0
        verdicts = await self._accepter.accept(prepared, batch_id=None)
        return sum(not isinstance(verdict, Refused) for verdict in verdicts)

    def _prepared(self, confirmation: Confirmation, now_ms: int) -> Prepared | None:
        account = self._accounts.get(confirmation.account)
        if account is None:
            return None
        body = msgspec.json.encode(
            {
                "to": confirmation.to,
                "text": confirmation.text,
                "from": confirmation.sender,
                "category": Category.SERVICE.label,
            }
        )
        checked = self._validator.check(msgspec.Raw(body), account, now_ms=now_ms)
        if isinstance(checked, Refused):
            _log.warning("opt_out_reply_refused", account=account.name, detail=checked.detail)
            return None
        options = checked.options or MessageOptions()
        checked.options = msgspec.structs.replace(options, exempt=True)
        return checked
