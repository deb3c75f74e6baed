"""Contacts as JSON has them: requests, answers, and what is right in a request.

Owns these shapes and checks. Must not read tables, nor know a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from campaigns.contacts.attributes import (
    ATTRIBUTES_MAX,
    Attribute,
    AttributeType,
    Stored,
    ValueRefused,
    stored,
    zone_known,
)
from campaigns.contacts.changing import ContactChanges
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.deciding import LABEL_CHARACTERS_MAX, NUMBERS_MAX, TAGS_EACH_MAX
from campaigns.contacts.desk import MERGE_MAX, PREFIX, ContactView, ContactWord
from messages.body_faults import Faults
from messages.json_text import pointer_step
from messages.models import FieldError
from shortlinks.conversions import decimal
from storage.ids import format_id
from web.edge.reveals import shown

Label = Annotated[
    str, Meta(min_length=1, max_length=LABEL_CHARACTERS_MAX, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")
]
ContactMode = Literal["fill", "overwrite"]
AttributeValue = str | int | float | bool | list[str]
_ExternalId = Annotated[Label, Meta(description="As the account calls them; null: not at all.")]
_Numbers = Annotated[
    list[str],
    Meta(
        max_length=NUMBERS_MAX,
        description="All numbers that the contact has from now on. The first one is texted.",
    ),
]
_Tags = Annotated[
    list[Label],
    Meta(max_length=TAGS_EACH_MAX, description="All tags that the contact has from now on."),
]
_Source = Annotated[Label, Meta(description="Where the contact comes from.")]
_Zone = Annotated[str, Meta(description="As in `Asia/Shanghai`; null: that of the number.")]


class ContactRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A contact as the account knows it. It is found by `external_id`, or by a number."""

    external_id: Annotated[Label | None, Meta(description="As the account calls them.")] = None
    numbers: Annotated[
        Annotated[list[str], Meta(max_length=NUMBERS_MAX)],
        Meta(description="The first one is texted. In E.164 form, or as written in China."),
    ] = []
    attrs: Annotated[
        dict[str, Any],
        Meta(description="By the names of attributes; null empties one."),
    ] = {}
    tags: Annotated[
        Annotated[list[Label], Meta(max_length=TAGS_EACH_MAX)] | None,
        Meta(description="All tags that the contact has; absent: as they are."),
    ] = None
    source: Annotated[Label | None, Meta(description="Where the contact comes from.")] = None
    time_zone: Annotated[str | None, Meta(description="As in `Asia/Shanghai`.")] = None
    mode: Annotated[ContactMode, Meta(description="`fill` changes only what is not known yet.")] = (
        "overwrite"
    )


class ContactPatch(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is to be different. What is not named stays as it is."""

    external_id: _ExternalId | UnsetType | None = UNSET
    numbers: _Numbers | UnsetType = UNSET
    attrs: Annotated[
        dict[str, Any],
        Meta(description="By the names of attributes; null empties one. Others stay."),
    ] = {}
    tags: _Tags | UnsetType = UNSET
    source: _Source | UnsetType | None = UNSET
    time_zone: _Zone | UnsetType | None = UNSET


class ContactResource(msgspec.Struct, kw_only=True):
    """A contact."""

    id: str
    object: str = "contact"
    external_id: str | None
    numbers: Annotated[
        list[str | None], Meta(description="The first one is texted; null: it cannot be read.")
    ]
    attrs: Annotated[
        dict[str, AttributeValue], Meta(description="Amounts of money are decimals in quotes.")
    ]
    tags: list[str]
    source: str | None
    time_zone: str | None
    revision: Annotated[
        int, Meta(description="One more for each change; in quotes it is the ETag.")
    ]
    created_at: datetime
    updated_at: datetime


class ContactPage(msgspec.Struct):
    """A page of contacts, the latest first."""

    data: list[ContactResource]
    next_cursor: str | None


class MergeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Contacts that are one person."""

    contacts: Annotated[list[str], Meta(min_length=2, max_length=MERGE_MAX)]


class AttributeRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What an attribute is. Its type never changes."""

    type: AttributeType
    label: Annotated[Label | None, Meta(description="In the words of your people.")] = None
    personal: Annotated[bool, Meta(description="Whether it may say who somebody is.")] = True


class AttributeResource(msgspec.Struct, kw_only=True):
    """An attribute that contacts may have."""

    name: str
    type: AttributeType
    label: str | None
    personal: bool


class AttributeList(msgspec.Struct):
    """An account's attributes, by name."""

    data: list[AttributeResource]


class TagResource(msgspec.Struct, kw_only=True):
    """A tag. It is made when a contact first gets it."""

    name: str
    label: str | None
    personal: bool


class TagList(msgspec.Struct):
    """An account's tags, by name."""

    data: list[TagResource]


def word_of(
    asked: ContactRequest,
    attributes: Mapping[str, Attribute],
    cleaner: NumberCleaner,
    faults: Faults,
) -> ContactWord:
    """The contact that is asked for; what is wrong is added to `faults`."""
    numbers = _numbers(asked.numbers, cleaner, faults)
    named = asked.external_id is not None or asked.numbers
    if not named and faults.spoiled.isdisjoint(("external_id", "numbers")):
        detail = "external_id or numbers is needed"
        faults.append(FieldError("field_missing", detail, "/external_id"))
    _check_zone(asked.time_zone, faults)
    attrs, clears = _attrs(asked.attrs, attributes, faults)
    return ContactWord(
        external_id=asked.external_id,
        numbers=numbers,
        attrs=attrs,
        tags=asked.tags,
        source=asked.source,
        time_zone=asked.time_zone,
        clears=frozenset(clears),
        mode=asked.mode,
    )


def changes_of(
    asked: ContactPatch,
    attributes: Mapping[str, Attribute],
    cleaner: NumberCleaner,
    faults: list[FieldError],
) -> ContactChanges:
    """The changes that are asked for; what is wrong is added to `faults`."""
    if asked.time_zone is not UNSET:
        _check_zone(asked.time_zone, faults)
    attrs, clears = _attrs(asked.attrs, attributes, faults)
    given = asked.numbers
    return ContactChanges(
        external_id=asked.external_id,
        numbers=UNSET if given is UNSET else _numbers(given, cleaner, faults),
        attrs=attrs,
        clears=frozenset(clears),
        tags=asked.tags,
        source=asked.source,
        time_zone=asked.time_zone,
    )


def _numbers(texts: Sequence[str], cleaner: NumberCleaner, faults: list[FieldError]) -> list[str]:
    """In E.164, each once."""
    numbers: dict[str, None] = {}
    for place, text in enumerate(texts):
        number, code = cleaner.cleaned(text)
        if code is None:
            numbers[number] = None
        else:
            detail = f"this is no number that can be texted ({code})"
            faults.append(FieldError("number_invalid", detail, f"/numbers/{place}"))
    return list(numbers)


def _check_zone(name: str | None, faults: list[FieldError]) -> None:
    if name is not None and not zone_known(name):
        faults.append(FieldError("unknown_zone", "no such time zone", "/time_zone"))


def _attrs(
    given: Mapping[str, Any],
    attributes: Mapping[str, Attribute],
    faults: list[FieldError],
) -> tuple[dict[str, Stored], set[str]]:
    attrs: dict[str, Stored] = {}
    clears: set[str] = set()
    if len(given) > ATTRIBUTES_MAX:
        detail = f"{len(given)} attributes; a contact has at most {ATTRIBUTES_MAX}"
        faults.append(FieldError("attribute_unknown", detail, "/attrs"))
        return attrs, clears
    for name, value in given.items():
        where = f"/attrs{pointer_step(name)}"
        attribute = attributes.get(name)
        if attribute is None:
            detail = "this account has no attribute of this name"
            faults.append(FieldError("attribute_unknown", detail, where))
        elif value is None:
            clears.add(name)
        else:
            try:
                attrs[name] = stored(attribute.type, value)
            except ValueRefused as refused:
                faults.append(FieldError("attribute_value", str(refused), where))
    return attrs, clears


def resource_of(
    view: ContactView, attributes: Mapping[str, Attribute], clear: bool
) -> ContactResource:
    """A contact as the API shows it."""
    return ContactResource(
        id=format_id(PREFIX, view.id),
        external_id=view.external_id,
        numbers=[shown(number, clear=clear) for number in view.numbers],
        attrs={name: _shown(name, value, attributes) for name, value in view.attrs.items()},
        tags=list(view.tags),
        source=view.source,
        time_zone=view.time_zone,
        revision=view.revision,
        created_at=view.created_at,
        updated_at=view.updated_at,
    )


def _shown(name: str, value: Stored, attributes: Mapping[str, Attribute]) -> AttributeValue:
    attribute = attributes.get(name)
    if attribute is None or attribute.type != "money" or not isinstance(value, int):
        return value
    sign = "-" if value < 0 else ""
    return sign + decimal(abs(value))


def by_name(attributes: Sequence[Attribute]) -> dict[str, Attribute]:
    """Attributes by their names."""
    return {each.name: each for each in attributes}
