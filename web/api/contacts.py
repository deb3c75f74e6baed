"""The endpoints of contacts: whom an account may write to, as it knows them.

Owns their paths, scopes and problems. Must not change one by its id (contact_changes.py), nor read
tables: contacts come through web/contact_services.py. Numbers come in full, and leave as reveals.py
says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from campaigns.contacts.attributes import Attribute, name_fault
from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.desk import PREFIX, ContactFilter
from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from web.api.contact_answers import (
    CONTACT_ANSWER,
    FIELD_PROBLEMS,
    contact_answer,
    contact_refusals,
)
from web.api.contact_shapes import (
    AttributeList,
    AttributeRequest,
    AttributeResource,
    ContactPage,
    ContactRequest,
    TagList,
    TagResource,
    by_name,
    resource_of,
    word_of,
)
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Endpoint
from web.edge.json_answers import json_response
from web.edge.parameters import QueryReader, held
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
                headers=if_match.REQUEST_HEADERS,
                answers=dict.fromkeys((200, 201), CONTACT_ANSWER),
                problems=(*FIELD_PROBLEMS, "contact_conflict", "contacts_full", if_match.DIFFERS),
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
                answers={200: CONTACT_ANSWER},
            ),
            *self._definitions(),
        ]  # fmt: skip

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
        faults = read.faults
        word = None if read.body is None else word_of(read.body, attributes, self._cleaner, faults)
        if word is None or faults:
            raise refusal(faults)
        seen = if_match.seen_version(request)
        with contact_refusals():
            view, new = await self._book.upsert(key.account, f"key {key.id}", word, seen)
        return contact_answer(view, attributes, 201 if new else 200)

    async def listed(self, request: web.Request) -> web.Response:
        """A page of contacts, the latest first."""
        key = await self._access.key(request, READ)
        query = self._query.read(request, held(to=self._numbers.fault))
        reason = self._reveals.check(request, key, query.reveal)
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
        return contact_answer(view, by_name(await self._book.attributes(key.account)))

    async def attributes(self, request: web.Request) -> web.Response:
        """An account's attributes."""
        key = await self._access.key(request, READ)
        found = await self._book.attributes(key.account)
        return json_response(AttributeList([_attribute(each) for each in found]))

    async def define(self, request: web.Request) -> web.Response:
        """The attribute, once it is committed."""
        key = await self._access.key(request, WRITE)
        name = request.match_info["name"]
        read = read_body(AttributeRequest, self._attribute, await self._bodies.read(request))
        if (fault := name_fault(name)) is not None:
            read.faults.append(FieldError("attribute_name", fault, parameter="name"))
        asked = read.body
        if asked is None or read.faults:
            raise refusal(read.faults)
        attribute = Attribute(
            name=name, type=asked.type, label=asked.label, personal=asked.personal
        )
        with contact_refusals(""):
            done = await self._book.define(key.account, f"key {key.id}", attribute)
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
