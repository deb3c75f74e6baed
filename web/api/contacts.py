"""The endpoints of contacts: whom an account may write to, as it knows them.

Owns their paths, scopes and problems. Must not read tables: contacts come through
web/contact_services.py. Numbers come in full, and leave as reveals.py says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.contacts.attributes import Attribute, name_fault
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.desk import (
    PREFIX,
    ContactConflict,
    ContactFilter,
    ContactUnknown,
    NoRoom,
)
from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from storage.ids import parse_id
from web.api.contact_shapes import (
    AttributeList,
    AttributeRequest,
    AttributeResource,
    ContactPage,
    ContactRequest,
    ContactResource,
    MergeRequest,
    TagList,
    TagResource,
    by_name,
    resource_of,
    word_of,
)
from web.edge.access import Access
from web.edge.arguments import decoded, not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, invalid
from web.edge.problems import ProblemError
from web.edge.reveals import REASON_HEADER, REVEAL_PROBLEMS, RevealQuery, Reveals
from web.services import Services

READ = "contacts:read"
WRITE = "contacts:write"
_EXAMPLE = {
    "external_id": "crm-1042",
    "numbers": ["+8613812345678"],
    "attrs": {"city": "广州", "birthday": "1990-04-02"},
    "tags": ["会员"],
    "source": "shop",
    "time_zone": "Asia/Shanghai",
}
_Id = Annotated[
    str,
    Meta(
        pattern=r"^con_[0-9a-z]{13}$", description="Of a contact.", examples=["con_0anf10jc00000"]
    ),
]
_Name = Annotated[str, Meta(description="Of an attribute.", examples=["city"])]
PATH_ID: Mapping[str, object] = {"id": _Id}


class ContactQuery(RevealQuery, kw_only=True):
    """The account's contacts."""

    external_id: Annotated[str | None, Meta(description="The one with this id.")] = None
    to: Annotated[str | None, Meta(description="The one with this number; + is %2B.")] = None
    tag: Annotated[str | None, Meta(description="Those with this tag.")] = None
    source: Annotated[str | None, Meta(description="Those that come from there.")] = None


class ContactsApi:
    """Handlers of /v1/contacts."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._services = services
        self._book = services.contacts.book
        self._access = access
        self._bodies = bodies
        self._numbers = NumberPlan()
        self._cleaner = NumberCleaner(self._numbers)
        self._query = QueryReader(ContactQuery)
        self._reveals = Reveals(services.reveals)
        self._body = msgspec.json.Decoder(ContactRequest)
        self._merge = msgspec.json.Decoder(MergeRequest)
        self._attribute = msgspec.json.Decoder(AttributeRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="POST",
                path="/v1/contacts",
                handler=self.upsert,
                summary="Make or change a contact",
                description="Found by `external_id`, or by a number. Consent and suppressions "
                "belong to the number, and nothing here changes them.",
                scope=WRITE,
                request=ContactRequest,
                answers={200: ContactResource, 201: ContactResource},
                problems=(
                    "number_invalid", "unknown_zone", "attribute_unknown", "attribute_value",
                    "contact_conflict", "contacts_full",
                ),
                example=_EXAMPLE,
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts",
                handler=self.listed,
                summary="Contacts",
                scope=READ,
                query=ContactQuery,
                headers=REASON_HEADER,
                problems=REVEAL_PROBLEMS,
                answers={200: ContactPage},
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts/{id}",
                handler=self.get,
                summary="One contact",
                description="One that was merged away is answered with what it became part of.",
                scope=READ,
                path_parameters=PATH_ID,
                answers={200: ContactResource},
            ),
            *self._more(),
            *self._definitions(),
        ]  # fmt: skip

    def _more(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="DELETE",
                path="/v1/contacts/{id}",
                handler=self.delete,
                summary="Delete a contact",
                description="With all that is known of it. Opt-outs and consents stay with the "
                "number.",
                scope=WRITE,
                path_parameters=PATH_ID,
                answers={204: Answer(None, "It is deleted.", content_type=None)},
            ),
            Endpoint(
                method="POST",
                path="/v1/contacts/merge",
                handler=self.merge,
                summary="Make one contact of several",
                description="The oldest stays, and gets what the others have beyond it: numbers, "
                "attributes, tags and history.",
                scope=WRITE,
                request=MergeRequest,
                answers={200: ContactResource},
                problems=("contact_unknown", "contacts_full"),
                example={"contacts": ["con_0anf10jc00000", "con_0anf10jc00001"]},
            ),
        ]

    def _definitions(self) -> list[Endpoint]:
        return [
            Endpoint(
                method="GET",
                path="/v1/contacts/attributes",
                handler=self.attributes,
                summary="What contacts may have",
                scope=READ,
                answers={200: AttributeList},
            ),
            Endpoint(
                method="PUT",
                path="/v1/contacts/attributes/{name}",
                handler=self.define,
                summary="Make an attribute, or change its label",
                scope=WRITE,
                request=AttributeRequest,
                path_parameters={"name": _Name},
                answers={200: AttributeResource},
                problems=("attribute_name", "attribute_conflict", "contacts_full"),
                example={"type": "date", "label": "生日"},
            ),
            Endpoint(
                method="GET",
                path="/v1/contacts/tags",
                handler=self.tags,
                summary="What contacts are tagged with",
                scope=READ,
                answers={200: TagList},
            ),
        ]

    async def upsert(self, request: web.Request) -> web.Response:
        """201 for a new contact, 200 for one that was there, once it is committed."""
        key = await self._access.key(request, WRITE)
        read = read_body(ContactRequest, self._body, await self._bodies.read(request))
        attributes = by_name(await self._book.attributes(key.account))
        faults = list(read.faults)
        word = None if read.body is None else word_of(read.body, attributes, self._cleaner, faults)
        if word is None or faults:
            raise refusal(faults)
        try:
            view, new = await self._book.upsert(key.account, word)
        except ContactConflict:
            detail = "a number or the external id is another contact's"
            where = FieldError("contact_conflict", detail, "/numbers")
            raise ProblemError("contact_conflict", detail, (where,)) from None
        except NoRoom as full:
            raise _full(full) from None
        return json_response(resource_of(view, attributes, False), status=201 if new else 200)

    async def listed(self, request: web.Request) -> web.Response:
        """A page of contacts, the latest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request)
        reason = self._reveals.check(request, key, query.reveal)
        if query.to is not None and (fault := self._numbers.fault(query.to)) is not None:
            raise invalid("parameter_invalid", "to", fault)
        page = self._services.cursors.page(request, key.account, query)
        found = await self._book.listed(
            key.account,
            ContactFilter(
                external_id=query.external_id, number=query.to, tag=query.tag, source=query.source
            ),
            int(page.after[0]) if page.after else None,
            page.limit + 1,
        )
        attributes = by_name(await self._book.attributes(key.account))
        kept, next_cursor = page.cut(found, lambda view: (view.id,))
        answer = ContactPage(
            [resource_of(view, attributes, query.reveal) for view in kept], next_cursor
        )
        names = [each.id for each in answer.data]
        numbers = [number for view in kept for number in view.numbers]
        noted = await self._reveals.note(key, reason, "contacts", names, numbers)
        return json_response(answer, headers=page.headers(next_cursor) | noted)

    async def get(self, request: web.Request) -> web.Response:
        """One contact, numbers masked."""
        key = await self._access.key(request, READ)
        contact_id = path_id(request, PREFIX, "contact")
        view = await self._book.contact(key.account, contact_id)
        if view is None:
            raise not_found("contact")
        attributes = by_name(await self._book.attributes(key.account))
        return json_response(resource_of(view, attributes, False))

    async def delete(self, request: web.Request) -> web.Response:
        """204 once it is gone."""
        key = await self._access.key(request, WRITE)
        contact_id = path_id(request, PREFIX, "contact")
        if not await self._book.delete(key.account, f"key {key.id}", contact_id):
            raise not_found("contact")
        return web.Response(status=204)

    async def merge(self, request: web.Request) -> web.Response:
        """The contact that is left, once the merge is committed."""
        key = await self._access.key(request, WRITE)
        asked = decoded(MergeRequest, self._merge, await self._bodies.read(request))
        ids: list[int] = []
        faults: list[FieldError] = []
        for place, text in enumerate(asked.contacts):
            try:
                ids.append(parse_id(PREFIX, text))
            except ValueError:
                faults.append(_unknown(place))
        if faults:
            raise refusal(faults)
        try:
            view = await self._book.merge(key.account, f"key {key.id}", ids)
        except ContactUnknown as unknown:
            raise refusal(_unknown(unknown.place)) from None
        except NoRoom as full:
            raise _full(full) from None
        attributes = by_name(await self._book.attributes(key.account))
        return json_response(resource_of(view, attributes, False))

    async def attributes(self, request: web.Request) -> web.Response:
        """An account's attributes."""
        key = await self._access.key(request, READ)
        found = await self._book.attributes(key.account)
        return json_response(AttributeList([_attribute(each) for each in found]))

    async def define(self, request: web.Request) -> web.Response:
        """The attribute, once it is committed."""
        key = await self._access.key(request, WRITE)
        name = request.match_info["name"]
        fault = name_fault(name)
        asked = decoded(AttributeRequest, self._attribute, await self._bodies.read(request))
        if fault is not None:
            raise ProblemError("attribute_name", fault)
        attribute = Attribute(
            name=name, type=asked.type, label=asked.label, personal=asked.personal
        )
        try:
            done = await self._book.define(key.account, f"key {key.id}", attribute)
        except NoRoom as full:
            raise _full(full) from None
        if not done:
            detail = "it has another type, and contacts may have values of that"
            where = FieldError("attribute_conflict", detail, "/type")
            raise ProblemError("attribute_conflict", detail, (where,))
        return json_response(_attribute(attribute))

    async def tags(self, request: web.Request) -> web.Response:
        """An account's tags."""
        key = await self._access.key(request, READ)
        found = await self._book.tags(key.account)
        tags = [TagResource(name=e.name, label=e.label, personal=e.personal) for e in found]
        return json_response(TagList(tags))


def _attribute(attribute: Attribute) -> AttributeResource:
    return AttributeResource(**msgspec.structs.asdict(attribute))


def _unknown(place: int) -> FieldError:
    detail = "this account has no contact with this id"
    return FieldError("contact_unknown", detail, f"/contacts/{place}")


def _full(full: NoRoom) -> ProblemError:
    return ProblemError("contacts_full", f"at most {full.most} {full.what}")
