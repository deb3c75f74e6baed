"""An Idempotency-Key holds at each POST: it is answered under it, safe by itself, or refuses it.

Which calls there are, the OpenAPI document says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.web.docs.test_openapi import described
from tests.web.served import Api
from web.api.webhooks import NEWER_SECRET, TOLD_AGAIN
from web.edge.idempotent import HEADER, REPLAYED
from web.edge.scopes import SCOPES

_NOTHING = "it stores nothing"
_STATE = "a repeat finds it done"

# These keep what the header asks for by themselves, so it may be there, and why.
SAFE = {
    "post_messages_resolve": "what is no longer in doubt is left alone",
    "post_messages_id_resolve": "what is no longer in doubt is left alone",
    "post_messages_preview": _NOTHING,
    "post_messages_id_cancel": _STATE,
    "post_suppressions": "a number is on the list once",
    "post_suppressions_compare": _NOTHING,
    "post_numbers_validate": _NOTHING,
    "post_complaints": "a complaint is stored once by its id",
    "post_conversions": "a conversion is stored once by its id",
    "post_conversions_batch": "a conversion is stored once by its id",
    "post_contacts": "a contact is made once, by its external id and its numbers",
    "post_contacts_merge": "what was merged is one contact already",
    "post_contacts_import": "the same file is imported once",
    "post_contacts_import_id_undo": "an import is undone once",
    "post_events": "an event is stored once by its id",
    "post_segments_preview": _NOTHING,
    "post_segments_id_preview": "it counts anew",
    "post_segments_id_members": "a contact is a member once",
    "post_templates_id_approvals": "the latest word of a provider holds",
    "post_templates_id_waivers": "the latest word about a warning holds",
    "post_templates_lint": _NOTHING,
    "post_templates_render": _NOTHING,
    "post_campaigns_id_plan": "it plans anew",
    "post_campaigns_id_start": "a campaign is started once",
    "post_campaigns_id_pause": _STATE,
    "post_campaigns_id_resume": _STATE,
    "post_campaigns_id_cancel": _STATE,
    "post_campaigns_id_decide": "an experiment is decided once",
    "post_breakers_scope_subject_open": _STATE,
    "post_breakers_scope_subject_close": _STATE,
    "post_persons_export": "it shows what is stored",
    "post_persons_erase": "who is erased stays so",
    "post_webhook_callbacks_retire": _STATE,
    "post_webhook_endpoints_id_retire": _STATE,
    "post_webhook_endpoints_id_enable": _STATE,
    "post_webhook_endpoints_id_pause": _STATE,
    "post_webhook_endpoints_id_disable": _STATE,
    "post_admin_reload": "it reads the configuration as it is then",
    "post_batches_id_pause": _STATE,
    "post_batches_id_resume": _STATE,
    "post_batches_id_cancel": _STATE,
}
# These do not, and refuse it.
ANEW = {
    "post_webhook_callbacks_rotate": NEWER_SECRET,
    "post_webhook_endpoints_id_deliveries_delivery_redeliver": TOLD_AGAIN,
    "post_webhook_endpoints_id_replay": TOLD_AGAIN,
    "post_webhook_endpoints_id_rotate": NEWER_SECRET,
    "post_webhook_endpoints_id_test": TOLD_AGAIN,
}
FILES = {"post_suppressions_import"}  # web/api/test_suppression_imports.py sends one twice


async def posts(api: Api) -> list[tuple[str, dict[str, Any]]]:
    """Path and operation of each POST that has a key."""
    paths = (await described(api))["paths"]
    return [
        (path, methods["post"])
        for path, methods in paths.items()
        if "post" in methods and path.startswith("/v1/")
    ]


def takes_key(operation: dict[str, Any]) -> bool:
    return any(each["name"] == HEADER for each in operation.get("parameters", ()))


def body_of(operation: dict[str, Any]) -> object:
    content = operation.get("requestBody", {}).get("content", {})
    return content.get("application/json", {}).get("example")


def filled(path: str, operation: dict[str, Any]) -> str:
    """The path with the examples of its parameters."""
    for each in operation.get("parameters", ()):
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", str(next(examples(each))))
    return path


def examples(parameter: dict[str, Any]) -> Iterator[object]:
    schema = parameter["schema"]
    yield from schema.get("examples", ())
    yield from schema.get("enum", ())


async def test_each_post_takes_a_key_or_says_why_not(api: Api) -> None:
    found = await posts(api)
    without = {each["operationId"] for _, each in found if not takes_key(each)}
    assert len(without) < len(found)
    assert without == SAFE.keys() | ANEW.keys()
    assert not SAFE.keys() & ANEW.keys()


async def test_a_key_is_refused_where_each_request_does_it_anew(api: Api) -> None:
    """And nowhere else: many clients send one with every POST."""
    key = api.new_key(1, *SCOPES)
    refused = set()
    for path, operation in await posts(api):
        if takes_key(operation):
            continue
        where = filled(path, operation)
        _, told = await api.post(where, body_of(operation), {**key, HEADER: "once"})
        name = operation["operationId"]
        if told.get("code") == "idempotency_key_unused":
            refused.add(name)
            assert told["detail"].endswith(ANEW[name])
    assert refused == ANEW.keys()


async def test_the_same_key_gets_the_same_answer(api: Api) -> None:
    key = api.new_key(1, *SCOPES)
    replayed = set()
    for path, operation in await posts(api):
        name = operation["operationId"]
        if not takes_key(operation) or name in FILES:
            continue
        where, headers = filled(path, operation), {**key, HEADER: f"key-of-{name}"}
        response, first = await api.post(where, body_of(operation), headers)
        if response.status >= 300:
            assert response.status == 404, (name, first)  # nothing is stored here to be named
            continue
        again, second = await api.post(where, body_of(operation), headers)
        assert (again.status, second) == (response.status, first), name
        assert again.headers.get(REPLAYED) == "true", name
        assert again.headers.get("Cache-Control") == response.headers.get("Cache-Control"), name
        replayed.add(name)
    assert {"post_consents", "post_webhook_endpoints", "post_campaigns", "post_caps"} <= replayed
