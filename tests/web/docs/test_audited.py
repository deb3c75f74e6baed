"""Whoever changes something by the API is on record, or there is a reason why not.

Each unsafe endpoint of the OpenAPI document is in one of two lists.
"""

from __future__ import annotations

from tests.web.docs.test_openapi import described
from tests.web.served import Api

UNSAFE = {"post", "put", "patch", "delete"}
AUDITED = {
    "post_messages_resolve",
    "post_messages_id_resolve",
    "post_messages_id_cancel",
    "patch_batches_id",
    "post_batches_id_pause",
    "post_batches_id_resume",
    "post_batches_id_cancel",
    "post_suppressions",
    "delete_suppressions",
    "post_suppressions_import",
    "post_suppressions_compare",
    "post_complaints",
    "post_contacts",
    "patch_contacts_id",
    "delete_contacts_id",
    "put_contacts_attributes_name",
    "post_contacts_merge",
    "post_contacts_import",
    "post_contacts_import_id_undo",
    "post_links",
    "post_links_bulk",
    "patch_links_id",
    "delete_links_id",
    "post_segments",
    "patch_segments_id",
    "delete_segments_id",
    "post_segments_id_members",
    "post_templates",
    "delete_templates_id",
    "post_templates_id_versions",
    "post_templates_id_approvals",
    "post_templates_id_waivers",
    "post_campaigns",
    "put_campaigns_id",
    "post_campaigns_id_plan",
    "post_campaigns_id_test",
    "post_campaigns_id_start",
    "post_campaigns_id_pause",
    "post_campaigns_id_resume",
    "post_campaigns_id_cancel",
    "post_campaigns_id_decide",
    "post_caps",
    "patch_caps_id",
    "delete_caps_id",
    "post_breakers_scope_subject_open",
    "post_breakers_scope_subject_close",
    "post_persons_export",
    "post_persons_erase",
    "post_webhook_callbacks_rotate",
    "post_webhook_callbacks_retire",
    "post_webhook_endpoints",
    "patch_webhook_endpoints_id",
    "delete_webhook_endpoints_id",
    "post_webhook_endpoints_id_rotate",
    "post_webhook_endpoints_id_retire",
    "post_webhook_endpoints_id_enable",
    "post_webhook_endpoints_id_pause",
    "post_webhook_endpoints_id_disable",
    "post_webhook_endpoints_id_replay",
    "post_webhook_endpoints_id_deliveries_delivery_redeliver",
    "post_admin_reload",
    "patch_connectors_name",
}
_NOTHING = "it changes nothing"
_KEPT = "what it stores is kept as it was told, and says itself whose it is"
UNAUDITED = {
    "post_messages": _KEPT,
    "post_messages_batch": _KEPT,
    "post_consents": _KEPT,
    "post_conversions": _KEPT,
    "post_conversions_batch": _KEPT,
    "post_events": _KEPT,
    "post_messages_preview": _NOTHING,
    "post_numbers_validate": _NOTHING,
    "post_segments_preview": _NOTHING,
    "post_segments_id_preview": _NOTHING,
    "post_templates_lint": _NOTHING,
    "post_templates_render": _NOTHING,
    "post_webhook_endpoints_id_test": _NOTHING,
}


async def test_every_unsafe_endpoint_leaves_an_audit_row_or_has_a_reason(api: Api) -> None:
    paths = (await described(api))["paths"]
    unsafe = {
        operation["operationId"]
        for path, methods in paths.items()
        for method, operation in methods.items()
        if method in UNSAFE and path.startswith("/v1/")
    }
    assert AUDITED.isdisjoint(UNAUDITED)
    assert unsafe == AUDITED.union(UNAUDITED)
