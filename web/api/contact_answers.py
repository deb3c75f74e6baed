"""One contact as an answer with its version, and what stands against a change of it.

Owns these answers and refusals. Must not change anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from aiohttp import web

from campaigns.contacts.attributes import Attribute
from campaigns.contacts.changing import Nameless
from campaigns.contacts.desk import (
    ContactConflict,
    ContactUnknown,
    ContactView,
    NoRoom,
    RevisionDiffers,
)
from messages.models import FieldError
from web.api.contact_shapes import ContactResource, resource_of
from web.edge import if_match
from web.edge.arguments import refusal
from web.edge.endpoints import Answer
from web.edge.json_answers import json_response
from web.edge.problems import ProblemError

CONTACT_ANSWER = Answer(ContactResource, headers=if_match.ANSWER_HEADERS)
# What may be wrong with the fields of a contact that a request gives.
FIELD_PROBLEMS = (
    "number_invalid", "unknown_zone", "attribute_unknown", "attribute_value",
)  # fmt: skip


def contact_answer(
    view: ContactView, attributes: Mapping[str, Attribute], status: int = 200
) -> web.Response:
    """The contact, numbers masked, with its ETag."""
    resource = resource_of(view, attributes, False)
    return json_response(resource, status=status, headers=if_match.etag(view.revision))


@contextmanager
def contact_refusals(pointer: str | None = None) -> Iterator[None]:
    """What stands against a change, in the words of the API. `pointer`: what there is no room
    for, in the request; None: the field of its name.
    """
    try:
        yield
    except ContactConflict as conflict:
        detail = "a number or the external id is another contact's"
        raise refusal(FieldError("contact_conflict", detail, conflict.pointer)) from None
    except ContactUnknown as unknown:
        raise refusal(unknown_contact(unknown.place)) from None
    except Nameless:
        detail = "an external id or a number is needed"
        raise refusal(FieldError("field_missing", detail, "/external_id")) from None
    except NoRoom as full:
        detail = f"at most {full.most} {full.what}"
        where = f"/{full.what}" if pointer is None else pointer
        raise refusal(FieldError("contacts_full", detail, where)) from None
    except RevisionDiffers as differs:
        if differs.revision:
            raise if_match.differs(differs.revision) from None
        raise ProblemError(if_match.DIFFERS, "there is no such contact yet") from None


def unknown_contact(place: int) -> FieldError:
    """A contact that a request names and nobody knows."""
    detail = "this account has no contact with this id"
    return FieldError("contact_unknown", detail, f"/contacts/{place}")
