"""Owns what tells a query_sm in the window from a message there: its mark, and what its answer is.

Must not hold a window. A query that is lost is lost: nothing is in doubt for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from smpp.events import QueryResponse
from smpp.pdu import GenericNack, MessageResponse, QuerySmResp


class Asked(msgspec.Struct, gc=False):
    """Stands in the window around the caller's context of a query_sm."""

    context: object


def is_query(context: object) -> bool:
    """Whether what stood in the window was a query_sm."""
    return type(context) is Asked


def query_response(asked: Asked, pdu: MessageResponse | GenericNack, status: int) -> QueryResponse:
    """The answer to a query_sm; one of another kind says no more than its status."""
    response = QueryResponse(asked.context, status, nacked=isinstance(pdu, GenericNack))
    if isinstance(pdu, QuerySmResp):
        response.message_state = pdu.message_state
        response.error_code = pdu.error_code
        response.final_date = pdu.final_date
    return response


def apart(contexts: Sequence[object]) -> tuple[list[object], list[QueryResponse]]:
    """Contexts of messages, and queries without an answer: of what has left a window unanswered."""
    messages: list[object] = []
    queries: list[QueryResponse] = []
    for context in contexts:
        if type(context) is Asked:
            queries.append(QueryResponse(context.context, None))
        else:
            messages.append(context)
    return messages, queries
