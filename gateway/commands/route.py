"""`smsgate route explain +8613812345678 --category otp`: which connector a message would take, and
why.

Owns the explanation. Must not send anything.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping

import aiohttp
import msgspec

from dispatch.routes.routing import route
from gateway.commands import CommandFailed
from gateway.commands.asking import KEY_VARIABLE
from gateway.commands.readiness import readiness
from gateway.commands.setting_up import configuration
from gateway.config import AccountSettings, Config
from gateway.wiring.routes import routes_of
from recipients.numbers.origins import NumberOrigins
from recipients.numbers.plan import NumberPlan
from storage.categories import Category
from storage.names import DEFAULT_ACCOUNT
from web.health import CONNECTOR


class RuleView(msgspec.Struct):
    """One rule of the configuration, and what it says to the message."""

    route: int
    matches: bool
    mismatches: list[str]
    connectors: list[str]


class Explanation(msgspec.Struct):
    """Where the message would go now. `down`: connector -> why. None: no gateway answered."""

    to: str
    country: str | None
    operator: str | None
    category: str
    sender: str
    account: str
    tags: list[str]
    rules: list[RuleView]
    connectors: list[str]
    reason: str
    down: Mapping[str, str] | None


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if no route takes the message."""
    config = configuration(arguments)
    found = explain(config, arguments, asyncio.run(health(config)))
    if arguments.json:
        print(msgspec.json.encode(found).decode())
    else:
        print(shown(found, str(config.http.listen)))
    return 0 if found.connectors else 1


def explain(
    config: Config, arguments: argparse.Namespace, down: Mapping[str, str] | None
) -> Explanation:
    """The decision, and every rule's part in it. Raises CommandFailed for what no message can
    be.
    """
    fault = NumberPlan().fault(arguments.number)
    if fault is not None:
        raise CommandFailed(f"the number {fault}")
    account = _account(config, arguments.account)
    category = Category.of(arguments.category or account.default_category)
    sender = arguments.sender if arguments.sender is not None else next(iter(account.senders), "")
    message = (arguments.number, sender, category, account.name, arguments.tag)
    routes = routes_of(config.routes)
    decision = route(*message, routes=routes, down=down or ())
    origins = NumberOrigins()
    rules: list[RuleView] = []
    for index, rule in enumerate(routes):
        mismatches = rule.mismatches(*message)
        via = [leg.connector for leg in rule.via]
        rules.append(RuleView(index, not mismatches, mismatches, via))
    return Explanation(
        to=arguments.number,
        country=origins.country(arguments.number),
        operator=origins.operator(arguments.number),
        category=category.label,
        sender=sender,
        account=account.name,
        tags=arguments.tag,
        rules=rules,
        connectors=list(decision.connectors),
        reason=decision.reason,
        down=down,
    )


async def health(config: Config) -> dict[str, str] | None:
    """The connectors that are down, and why, by the running gateway.

    None when no gateway answers, or none that tells us.
    """
    try:
        ready = await readiness(config)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None
    if not ready.detailed:
        return None
    return {
        component.name.removeprefix(CONNECTOR): component.reason or "down"
        for component in ready.components
        if component.name.startswith(CONNECTOR) and not component.ok
    }


def shown(found: Explanation, listen: str) -> str:
    """The explanation for people."""
    origin = ", ".join(each for each in (found.country, found.operator) if each)
    tags = f", tags {', '.join(found.tags)}" if found.tags else ""
    lines = [
        f"{found.to} ({origin or 'origin unknown'}): {found.category} from "
        f"{found.sender or '(no sender)'}, account {found.account}{tags}"
    ]
    decided = False
    for rule in found.rules:
        if rule.mismatches:
            words = "does not match: " + "; ".join(rule.mismatches)
        else:
            words = "matches too, but is not asked" if decided else "matches, and decides"
            decided = True
        lines.append(f"  routes[{rule.route}] via {', '.join(rule.connectors)}: {words}")
    if not found.connectors:
        return "\n".join([*lines, "refused: no route matches (route_unavailable)"])
    for position, name in enumerate(found.connectors, start=1):
        why = None if found.down is None else found.down.get(name)
        state = "health unknown" if found.down is None else f"down: {why}" if why else "up"
        lines.append(f"  {position}. {name} ({state})")
    lines.append(f"decision: {found.reason}")
    if found.down is None:
        lines.append(
            f"health unknown: no gateway at {listen} tells it to the key in ${KEY_VARIABLE}"
        )
    return "\n".join(lines)


def _account(config: Config, name: str) -> AccountSettings:
    for account in config.accounts:
        if account.name == name:
            return account
    if name == DEFAULT_ACCOUNT:
        return AccountSettings(name=DEFAULT_ACCOUNT)
    names = ", ".join(account.name for account in config.accounts)
    raise CommandFailed(f"there is no account {name!r}; there are: {names}")
