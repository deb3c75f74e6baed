"""Templates as a client writes and sees them, and everything that can be wrong with one.

Owns these shapes, and the step to what is stored. Must not store or ask anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campaigns.templates.content import (
    PROVIDERS_MAX,
    VARIABLES_MAX,
    Content,
    faults,
    link_mode_of,
)
from campaigns.templates.findings import Finding, Level
from campaigns.templates.lengths import Measured
from campaigns.templates.memory import PREFIX
from campaigns.templates.profiles import profile, profile_names
from campaigns.templates.store import Approval, ApprovalState, StoredVersion, Waiver
from campaigns.templates.variables import Variable
from messages.models import FieldError
from messages.requests import NamedLinkRequest
from messages.words import CategoryName
from shortlinks.code import SLOTS
from storage.categories import Category
from storage.ids import format_id

NAME_CHARACTERS_MAX = 100
REASON_CHARACTERS_MAX = 500
TEMPLATE_PROBLEMS = (
    "template_invalid", "variable_unknown", "variable_unused", "variable_invalid",
    "provider_unknown", "link_mode_refused", "links_too_many", "link_name_unknown", "link_unused",
    "link_url_invalid", "category_unknown", "out_of_range",
)  # fmt: skip
LinkModeName = Literal["personal", "shared", "none"]

_PLAIN = r"\A[^\x00-\x1f\x7f-\x9f]+\Z"
_Text = Annotated[str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX, pattern=_PLAIN)]
_Name = Annotated[
    str,
    Meta(min_length=1, max_length=NAME_CHARACTERS_MAX, pattern=_PLAIN, description="For people."),
]
_Reason = Annotated[_Text, Meta(description="Why; it is kept.")]


class VariableRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One variable of a text."""

    type: Literal["text", "int", "money", "date", "code"]
    max: Annotated[
        int, Meta(description="Characters as a phone counts them, an emoji two; 1 to 200.")
    ]
    source: Annotated[
        str | None,
        Meta(description="Where a campaign finds it, as in `attr.city`; absent: its own name."),
    ] = None
    fallback: Annotated[
        str | None,
        Meta(
            description="Stands in for a value that is missing, blank, too long or of another "
            "type. Absent: who lacks it gets no message."
        ),
    ] = None
    format: Annotated[
        Literal["iso", "month_day", "year_month_day"],
        Meta(description="Of a date: 2026-11-11, 11月11日 or 2026年11月11日."),
    ] = "iso"


class VersionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a version says."""

    category: Annotated[
        str,
        Meta(
            description="Of the messages by it.",
            extra_json_schema={"enum": [category.label for category in Category]},
        ),
    ]
    body: Annotated[
        str,
        Meta(
            description="`{{name}}` is a variable, `{{link:main}}` a link, `{{optout}}` the link "
            "to the recipient's opt-out page."
        ),
    ]
    variables: dict[str, VariableRequest] = {}
    signature: Annotated[
        str, Meta(description="As in 【某某商城】. Absent: the account's is put in.")
    ] = ""
    suffix: Annotated[
        str, Meta(description="As in 拒收请回复R. Absent: marketing gets the account's.")
    ] = ""
    link_mode: Annotated[
        LinkModeName | None,
        Meta(
            description="`personal`: each recipient has a link of their own. `shared`: one for "
            "all, as it is written. Absent: personal, but shared where a provider of "
            "`providers` takes constant links only."
        ),
    ] = None
    links: Annotated[
        dict[str, NamedLinkRequest],
        Meta(description="Where each link leads; of personal ones the message may say it."),
    ] = {}
    max_parts: Annotated[int, Meta(description="1 to 10; the longest text shall need no more.")] = 1
    providers: Annotated[
        tuple[str, ...], Meta(description="For whose rules it is looked at: names of profiles.")
    ] = ()


class TemplateRequest(VersionRequest, forbid_unknown_fields=True, kw_only=True):
    """A template with its first version."""

    name: _Name


class ApprovalRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a provider says of a version."""

    provider: str
    state: Literal["submitted", "approved", "rejected"]
    provider_template_id: Annotated[
        Annotated[str, Meta(min_length=1, max_length=100, pattern=_PLAIN)] | None,
        Meta(description="Its id there; absent: as before."),
    ] = None
    reason: Annotated[_Text | None, Meta(description="As in what the provider wrote.")] = None


class WaiverRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who answers for a warning."""

    rule: Annotated[str, Meta(pattern=r"\AR[0-9]{1,2}\Z", examples=["R11"])]
    reason: _Reason


class WaiverView(msgspec.Struct, kw_only=True):
    """Who answers for it, why and since when."""

    by: Annotated[str, Meta(description="As in `key 7`.")]
    reason: str
    at: datetime


class FindingView(msgspec.Struct, kw_only=True):
    """What a rule found."""

    rule: str
    level: Level
    detail: str
    words: Annotated[tuple[str, ...], Meta(description="What it is about.")]
    provider: Annotated[str | None, Meta(description="Whose rule it is; null: of all.")]
    waived: WaiverView | None


class ApprovalView(msgspec.Struct, kw_only=True):
    """What a provider says of a version."""

    provider: str
    title: str
    state: ApprovalState
    provider_template_id: str | None
    reason: str | None
    by: str
    at: datetime


class LengthView(msgspec.Struct, kw_only=True):
    """A text as the accepter counts it. A short link has its final length."""

    text: str
    encoding: str
    parts: int
    characters: int
    characters_remaining: int


class TemplateResource(msgspec.Struct, kw_only=True):
    """A version of a template."""

    id: str
    object: str = "template"
    version: int
    reference: Annotated[str, Meta(description="What a message names as its `template_id`.")]
    newest_version: int
    name: str
    category: CategoryName
    body: str
    variables: Mapping[str, VariableRequest]
    signature: str
    suffix: str
    link_mode: LinkModeName
    links: Mapping[str, NamedLinkRequest]
    max_parts: int
    providers: tuple[str, ...]
    longest: Annotated[LengthView, Meta(description="With each value at its most, as of now.")]
    lint: Annotated[list[FindingView], Meta(description="As it was found when it was made.")]
    approvals: list[ApprovalView]
    author: str
    created_at: datetime
    ended_at: datetime | None


class TemplatePage(msgspec.Struct):
    """A page of templates, each with its newest version, the latest made first."""

    data: list[TemplateResource]
    next_cursor: str | None


def content_of(asked: VersionRequest, found: list[FieldError], under: str = "") -> Content:
    """What is to be stored; what is wrong with it is added to `found`, behind the pointer
    `under`. Of what there is too much of, one more than allowed is looked at.
    """
    content = Content(
        category=asked.category,
        body=asked.body,
        variables={
            name: Variable(
                type=each.type, max=each.max, source=each.source, fallback=each.fallback,
                form=each.format,
            )
            for name, each in islice(asked.variables.items(), VARIABLES_MAX + 1)
        },
        signature=asked.signature,
        suffix=asked.suffix,
        link_mode=asked.link_mode or link_mode_of(asked.providers),
        links={name: each.url for name, each in islice(asked.links.items(), SLOTS + 1)},
        max_parts=asked.max_parts,
        providers=asked.providers[: PROVIDERS_MAX + 1],
    )  # fmt: skip
    for each in faults(content):
        found.append(FieldError(each.code, each.detail, under + each.pointer))  # noqa: PERF401 - it leaves out what is spoiled
    return msgspec.structs.replace(content, providers=tuple(dict.fromkeys(content.providers)))


def approval_of(
    asked: ApprovalRequest, by: str, now: datetime, found: list[FieldError]
) -> Approval:
    """What is to be stored; a provider that there is not is added to `found`."""
    if asked.provider not in profile_names():
        detail = f"a provider is one of {', '.join(profile_names())}"
        found.append(FieldError("provider_unknown", detail, "/provider"))
    return Approval(
        provider=asked.provider,
        state=asked.state,
        provider_id=asked.provider_template_id,
        reason=asked.reason,
        author=by,
        at=now,
    )


def length(measured: Measured) -> LengthView:
    """As it is answered."""
    return LengthView(
        text=measured.text,
        encoding=measured.encoding,
        parts=measured.parts,
        characters=measured.units,
        characters_remaining=measured.units_left,
    )


def findings(found: Sequence[Finding], waivers: Sequence[Waiver] = ()) -> list[FindingView]:
    """With who answers for each."""
    by_rule = {each.rule: each for each in waivers}
    return [
        FindingView(
            rule=each.rule,
            level=each.level,
            detail=each.detail,
            words=each.words,
            provider=each.provider,
            waived=_waived(by_rule.get(each.rule)) if each.level == "warning" else None,
        )
        for each in found
    ]


def _waived(waiver: Waiver | None) -> WaiverView | None:
    if waiver is None:
        return None
    return WaiverView(by=waiver.author, reason=waiver.reason, at=waiver.at)


def resource(stored: StoredVersion, longest: Measured) -> TemplateResource:
    """As it stands."""
    content, named = stored.version.content, format_id(PREFIX, stored.version.template)
    return TemplateResource(
        id=named,
        version=stored.version.number,
        reference=f"{named}@{stored.version.number}",
        newest_version=stored.newest,
        name=stored.name,
        category=content.category,
        body=content.body,
        variables={
            name: VariableRequest(
                type=each.type, max=each.max, source=each.source, fallback=each.fallback,
                format=each.form,
            )
            for name, each in content.variables.items()
        },
        signature=content.signature,
        suffix=content.suffix,
        link_mode=content.link_mode,
        links={name: NamedLinkRequest(url) for name, url in content.links.items()},
        max_parts=content.max_parts,
        providers=content.providers,
        longest=length(longest),
        lint=findings(stored.lint, stored.waivers),
        approvals=[
            ApprovalView(
                provider=each.provider,
                title=profile(each.provider).title,
                state=each.state,
                provider_template_id=each.provider_id,
                reason=each.reason,
                by=each.author,
                at=each.at,
            )
            for each in stored.approvals
        ],
        author=stored.author,
        created_at=stored.made_at,
        ended_at=stored.ended_at,
    )  # fmt: skip
