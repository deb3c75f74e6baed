"""The texts that the arms of a campaign name, as they are stored, and what the linter says of each.

Owns that reading. Must not render, nor decide what follows from it (checks.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.running.checks import ArmFacts
from campaigns.running.spec import Spec
from campaigns.templates import store as templates
from campaigns.templates.memory import place_of
from campaigns.templates.store import StoredVersion
from storage.pool import Connection


async def versions_of(connection: Connection, account: int, spec: Spec) -> dict[str, StoredVersion]:
    """Those that there are, by what an arm calls them; also of templates that have ended."""
    places = {
        arm.template: place for arm in spec.arms if (place := place_of(arm.template)) is not None
    }
    found = await templates.found(connection, account, list(places.values()))
    return {name: found[place] for name, place in places.items() if place in found}


async def told_of(connection: Connection, account: int, spec: Spec) -> dict[str, StoredVersion]:
    """The same, with approvals and waivers."""
    versions = await versions_of(connection, account, spec)
    told = await templates.with_words(connection, list(versions.values()))
    return dict(zip(versions, told, strict=True))


def unapproved(stored: StoredVersion) -> tuple[str, ...]:
    """Providers for which this version is written, and who have not approved it."""
    approved = {each.provider for each in stored.approvals if each.state == "approved"}
    return tuple(each for each in stored.version.content.providers if each not in approved)


def facts_of(spec: Spec, versions: Mapping[str, StoredVersion]) -> list[ArmFacts]:
    """Of each arm: is its text there, and what does the linter say."""
    facts = []
    for arm in spec.arms:
        stored = versions.get(arm.template)
        if stored is None or stored.ended_at is not None:
            facts.append(ArmFacts(there=False))
            continue
        errors = [f"{each.rule}: {each.detail}" for each in stored.lint if each.level == "error"]
        if stored.version.content.category != spec.category:
            errors.append(f"the template is for {stored.version.content.category}")
        facts.append(ArmFacts(errors=tuple(errors)))
    return facts
