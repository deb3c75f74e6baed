"""Owns templates: what is asked for, what is answered, and their words. Must not ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from smsgate_client.requests import NamedLink
from smsgate_client.shapes import named
from smsgate_client.words import Category, Word


class VariableType(Word):
    """What a value is."""

    CODE = "code"
    DATE = "date"
    INT = "int"
    MONEY = "money"
    TEXT = "text"


class DateFormat(Word):
    """How a date is written: 2026-11-11, 11月11日 or 2026年11月11日."""

    ISO = "iso"
    MONTH_DAY = "month_day"
    YEAR_MONTH_DAY = "year_month_day"


class LinkMode(Word):
    """Whether each recipient has a link of their own."""

    NONE = "none"
    PERSONAL = "personal"
    SHARED = "shared"


class ApprovalState(Word):
    """What a provider says."""

    APPROVED = "approved"
    REJECTED = "rejected"
    SUBMITTED = "submitted"


class FindingLevel(Word):
    """How bad it is. Warnings can be waived."""

    ERROR = "error"
    WARNING = "warning"


class SkipReason(Word):
    """Why somebody would get no message."""

    BLANK = "blank"
    INVALID = "invalid"
    MISSING = "missing"
    TOO_LONG = "too_long"


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable; `max` in characters as a phone counts them. Without fallback some are skipped.

    `source`: where a campaign finds it, as in "attr.city"; else its own name.
    """

    type: VariableType | str
    max: int
    source: str | None = None
    fallback: str | None = None
    format: DateFormat | str | None = None


@dataclass(frozen=True, kw_only=True)
class NewVersion:
    """What a version says. `providers`: for whose rules it is looked at."""

    category: Category | str
    body: str
    variables: Mapping[str, Variable] = field(default_factory=dict)
    signature: str = ""
    suffix: str = ""
    link_mode: LinkMode | str | None = None
    links: Mapping[str, NamedLink] = field(default_factory=dict)
    max_parts: int = 1
    providers: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class NewTemplate(NewVersion):
    """A template with its first version."""

    name: str


@dataclass(frozen=True, kw_only=True)
class NewApproval:
    """What a provider says of a version."""

    provider: str
    state: ApprovalState | str
    provider_template_id: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewWaiver:
    """That somebody answers for a warning."""

    rule: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Hours of the day, as in "10:00"."""

    start: str = field(metadata=named("from"))
    end: str = field(metadata=named("to"))


@dataclass(frozen=True, kw_only=True)
class Lint:
    """What to look at: one that is stored, or one that is not; and what is known of its sending."""

    template_id: str | None = None
    template: NewVersion | None = None
    check_links: bool = False
    hours: Hours | None = None
    last_used_at: datetime | None = None
    first_template_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Render:
    """What to render, stored or not; and the values of up to 100 people."""

    params: Sequence[Mapping[str, object]] = ()
    contacts: Sequence[str] = ()
    template_id: str | None = None
    template: NewVersion | None = None


@dataclass(frozen=True, kw_only=True)
class TextLength:
    """A text as it is counted."""

    text: str
    encoding: str
    parts: int
    characters: int
    characters_remaining: int


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Who answers for a warning."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a rule found. `provider`: whose rule it is, None: of all."""

    rule: str
    level: FindingLevel
    detail: str
    words: tuple[str, ...]
    provider: str | None
    waived: Waiver | None


@dataclass(frozen=True, kw_only=True)
class Approval:
    """What a provider says of a version."""

    provider: str
    title: str
    state: ApprovalState
    provider_template_id: str | None
    reason: str | None
    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Template:
    """A version of a template. `reference` is what messages name."""

    id: str
    version: int
    reference: str
    newest_version: int
    name: str
    category: Category
    body: str
    variables: Mapping[str, Variable]
    signature: str
    suffix: str
    link_mode: LinkMode
    links: Mapping[str, NamedLink]
    max_parts: int
    providers: tuple[str, ...]
    longest: TextLength
    lint: tuple[Finding, ...]
    approvals: tuple[Approval, ...]
    author: str
    created_at: datetime
    ended_at: datetime | None
    object: str = "template"


@dataclass(frozen=True, kw_only=True)
class Linted:
    """What the rules find now. `warnings`: that nobody has waived."""

    errors: int
    warnings: int
    longest: TextLength
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """Why this one would get no message."""

    variable: str
    reason: SkipReason


@dataclass(frozen=True, kw_only=True)
class RenderedItem:
    """What one would get, or why nothing. `removed`: what was taken out of values, by kind."""

    index: int
    message: TextLength | None
    skipped: Skipped | None
    fallbacks: Mapping[str, str]
    removed: Mapping[str, int]
    error: str | None


@dataclass(frozen=True, kw_only=True)
class PartsSpread:
    """Parts of many texts."""

    least: int
    median: int
    most: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One item for each person, in order."""

    items: tuple[RenderedItem, ...]
    skipped: int
    parts: PartsSpread | None
    longest: TextLength
