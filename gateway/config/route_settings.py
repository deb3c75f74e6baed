"""The settings of a route: which messages take which connectors.

Owns the section `[[routes]]`. Must not know who uses a setting.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from gateway.config.base import CategoryLabel, Country, Name, Prefix, Settings
from gateway.config.values import Rate


class MatchSettings(Settings, frozen=True, kw_only=True):
    """Which messages a route takes: every key given must match, each by any of its values."""

    prefix: Annotated[
        tuple[Prefix, ...], Meta(description="Beginnings of the number, `+86` for instance.")
    ] = ()
    sender: Annotated[tuple[str, ...], Meta(description="Senders.")] = ()
    category: Annotated[tuple[CategoryLabel, ...], Meta(description="Categories.")] = ()
    account: Annotated[tuple[Name, ...], Meta(description="Accounts.")] = ()
    country: Annotated[
        tuple[Country, ...],
        Meta(description='Countries of the number, ISO 3166-1 alpha-2: `"CN"`.'),
    ] = ()
    operator: Annotated[
        tuple[str, ...],
        Meta(
            description='Operators that the number\'s range was assigned to, `"China Mobile"` for '
            "instance, as `phonenumbers` knows them; ported numbers keep their first one."
        ),
    ] = ()
    tag: Annotated[tuple[str, ...], Meta(description="Tags; one common tag is enough.")] = ()


class ShareSettings(Settings, frozen=True, kw_only=True):
    """A connector that takes a share of a route's messages."""

    name: Annotated[Name, Meta(description="The connector.")]
    weight: Annotated[int, Meta(ge=1, le=1000, description="Its share, relative to the others'.")]


class RouteSettings(Settings, frozen=True, kw_only=True):
    """One rule of routing; the first that matches decides. None: every connector, in order."""

    match: Annotated[MatchSettings, Meta(description="Which messages; `{}` matches all.")] = (
        MatchSettings()
    )
    via: Annotated[
        tuple[str | ShareSettings, ...],
        Meta(
            min_length=1,
            max_length=16,
            description="Connectors: names in order of preference (the next takes over when one "
            "is down), or `{ name, weight }` each to share. The same number always goes the same "
            "way.",
        ),
    ]
    rate: Annotated[
        Rate | None, Meta(description="Pace of what takes this route, in parts; unset: no limit.")
    ] = None
