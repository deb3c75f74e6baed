"""The endpoints that change contacts that are known: change one, delete one, merge several.

Owns their answers. Must not make a contact (contacts.py), nor read tables: contacts come through
web/contact_services.py.
"""

from __future__ import annotations

import msgspec
from aiohttp import web

from campaigns.contacts.cleaning import NumberCleaner
from campaigns.contacts.desk import PREFIX
from messages.models import FieldError
from recipients.numbers.plan import NumberPlan
from storage.ids import parse_id
from web.api.contact_answers import (
    CONTACT_ANSWER,
    FIELD_PROBLEMS,
    contact_answer,
    contact_refusals,
    unknown_contact,
)
from web.api.contact_shapes import ContactPatch, MergeRequest, by_name, changes_of
from web.api.contacts import PATH_ID, WRITE
from web.edge import if_match
from web.edge.access import Access
from web.edge.arguments import decoded, not_found, path_id, read_body, refusal
from web.edge.bodies import BodyReader
from web.edge.endpoints import Answer, Endpoint
from web.services import Services

_ONE = "/v1/contacts/{id}"
_WHAT = "contact"


class ContactChangesApi:
    """Handlers of what changes contacts by their ids."""

    def __init__(self, services: Services, access: Access, bodies: BodyReader) -> None:
        self._book = services.contacts.book
        self._access = access
        self._bodies = bodies
        self._cleaner = NumberCleaner(NumberPlan())
        self._patch = msgspec.json.Decoder(ContactPatch)
        self._merge = msgspec.json.Decoder(MergeRequest)

    def routes(self) -> list[Endpoint]:
        """What server.py mounts."""
        return [
            Endpoint(
                method="PATCH",
                path=_ONE,
                handler=self.change,
                summary="Change a contact",
                description="What is named, and nothing else. Unlike an upsert it takes numbers "
                "away, too. Consent and suppressions stay with the numbers.",
                scope=WRITE,
                path_parameters=PATH_ID,
                request=ContactPatch,
                headers=if_match.REQUEST_HEADERS,
                answers={200: CONTACT_ANSWER},
                problems=(
                    *FIELD_PROBLEMS, "contact_conflict", "contacts_full", *if_match.PROBLEMS,
                ),
                example={"numbers": ["+8613912345678", "+8613812345678"], "source": None},
            ),
            Endpoint(
                method="DELETE",
                path=_ONE,
                handler=self.delete,
                summary="Delete a contact",
                description="With all that is known of it. Opt-outs and consents stay with the "
                "number.",
                scope=WRITE,
                path_parameters=PATH_ID,
                headers=if_match.REQUEST_HEADERS,
                answers={204: Answer(None, "It is deleted.", content_type=None)},
                problems=(if_match.DIFFERS,),
            ),
            Endpoint(
                method="POST",
                path="/v1/contacts/merge",
                handler=self.merge,
                summary="Make one contact of several",
                description="The oldest stays, and gets what the others have beyond it: numbers, "
                "attributes, tags and history. `If-Match` is about the one that stays.",
                scope=WRITE,
                request=MergeRequest,
                headers=if_match.REQUEST_HEADERS,
                answers={200: CONTACT_ANSWER},
                problems=("contact_unknown", "contacts_full", if_match.DIFFERS),
                example={"contacts": ["con_0anf10jc00000", "con_0anf10jc00001"]},
            ),
        ]  # fmt: skip

    async def change(self, request: web.Request) -> web.Response:
        """What is named, at once, or nothing."""
        key = await self._access.key(request, WRITE)
        read = read_body(ContactPatch, self._patch, await self._bodies.read(request))
        attributes = by_name(await self._book.attributes(key.account))
        faults = read.faults
        changes = None
        if read.body is not None:
            changes = changes_of(read.body, attributes, self._cleaner, faults)
        if changes is None or faults:
            raise refusal(faults)
        seen = if_match.demanded_version(request)
        contact_id = path_id(request, PREFIX, _WHAT)
        with contact_refusals():
            view = await self._book.change(key.account, f"key {key.id}", contact_id, seen, changes)
        if view is None:
            raise not_found(_WHAT)
        return contact_answer(view, attributes)

    async def delete(self, request: web.Request) -> web.Response:
        """204 once it is gone."""
        key = await self._access.key(request, WRITE)
        seen = if_match.seen_version(request)
        contact_id = path_id(request, PREFIX, _WHAT)
        with contact_refusals(""):
            gone = await self._book.delete(key.account, f"key {key.id}", contact_id, seen)
        if not gone:
            raise not_found(_WHAT)
        return web.Response(status=204)

    async def merge(self, request: web.Request) -> web.Response:
        """The contact that is left, once the merge is committed."""
        key = await self._access.key(request, WRITE)
        asked = decoded(MergeRequest, self._merge, await self._bodies.read(request))
        seen = if_match.seen_version(request)
        ids: list[int] = []
        faults: list[FieldError] = []
        for place, text in enumerate(asked.contacts):
            try:
                ids.append(parse_id(PREFIX, text))
            except ValueError:
                faults.append(unknown_contact(place))
        if faults:
            raise refusal(faults)
        with contact_refusals("/contacts"):
            view = await self._book.merge(key.account, f"key {key.id}", ids, seen)
        return contact_answer(view, by_name(await self._book.attributes(key.account)))
