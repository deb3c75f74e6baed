"""What changes something by the API is seen to leave an audit row, over a gateway that runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from gateway.rehearsal.receiving import LOCAL_WEBHOOKS
from storage.pool import close_connection, connect
from tests.integration.running import SMOOTH, create_key, gateway, message, simulator, write_config
from tests.integration.test_if_match import TEMPLATE, Calls
from tests.web.docs.test_audited import AUDITED
from web.edge.scopes import SCOPES

# They want a carrier's doubt, a file, a delivered test or a receiver: the tests of their rooms
ELSEWHERE = {
    "post_messages_resolve",
    "post_messages_id_resolve",
    "post_suppressions_import",
    "post_suppressions_compare",
    "post_contacts_import",
    "post_contacts_import_id_undo",
    "post_templates_id_waivers",
    "post_campaigns_id_test",
    "post_campaigns_id_start",
    "post_campaigns_id_pause",
    "post_campaigns_id_resume",
    "post_campaigns_id_decide",
    "post_webhook_endpoints_id_enable",
    "post_webhook_endpoints_id_deliveries_delivery_redeliver",
}
NUMBER, OTHER = "+8613812345678", "+8613912345678"
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).isoformat()
CAMPAIGN = {
    "name": "autumn",
    "audience": {"segment": 'city = "广州"'},
    "arms": [{"template": "{template}@1"}],
}
VERSION = {each: TEMPLATE[each] for each in ("category", "body", "suffix")}
# Operation, path, body, and what the id in its answer is called from then on. `{x}` is such an id.
STEPS: list[tuple[str, str, object, str]] = [
    ("put_contacts_attributes_name", "contacts/attributes/city", {"type": "text"}, ""),
    ("post_contacts", "contacts", {"numbers": [NUMBER]}, "one"),
    ("post_contacts", "contacts", {"numbers": [OTHER]}, "two"),
    ("patch_contacts_id", "contacts/{one}", {"tags": ["regular"]}, ""),
    ("post_contacts_merge", "contacts/merge", {"contacts": ["{one}", "{two}"]}, ""),
    ("post_segments", "segments", {"name": "members", "source": None}, "segment"),
    ("post_segments_id_members", "segments/{segment}/members", {"add": [{"contact": "{one}"}]}, ""),
    ("patch_segments_id", "segments/{segment}", {"note": "May"}, ""),
    ("delete_segments_id", "segments/{segment}", None, ""),
    ("post_templates", "templates", TEMPLATE, "template"),
    ("post_templates_id_versions", "templates/{template}/versions", VERSION, ""),
    (
        "post_templates_id_approvals",
        "templates/{template}/approvals",
        {"provider": "huawei", "state": "approved"},
        "",
    ),
    ("post_campaigns", "campaigns", CAMPAIGN, "campaign"),
    ("put_campaigns_id", "campaigns/{campaign}", CAMPAIGN, ""),
    ("post_campaigns_id_plan", "campaigns/{campaign}/plan", None, ""),
    ("post_campaigns_id_cancel", "campaigns/{campaign}/cancel", None, ""),
    ("delete_templates_id", "templates/{template}", None, ""),
    ("post_caps", "caps", {"tag": "regular", "week": 2}, "cap"),
    ("patch_caps_id", "caps/{cap}", {"week": 1}, ""),
    ("delete_caps_id", "caps/{cap}", None, ""),
    ("delete_contacts_id", "contacts/{one}", None, ""),
    ("post_links", "links", {"url": "https://example.com/"}, "link"),
    ("post_links_bulk", "links/bulk", {"links": [{"url": "https://example.com/"}]}, ""),
    ("patch_links_id", "links/{link}", {"tags": ["x"]}, ""),
    ("delete_links_id", "links/{link}", None, ""),
    ("post_suppressions", "suppressions", {"suppressions": [{"number": OTHER}]}, ""),
    ("delete_suppressions", "suppressions?number=%2B8613912345678&reason=asked", None, ""),
    (
        "post_complaints",
        "complaints",
        {"id": "c-1", "to": NUMBER, "source": "regulator", "text": "Never asked for this"},
        "",
    ),
    ("", "messages", message(1, send_at=TOMORROW), "message"),
    ("post_messages_id_cancel", "messages/{message}/cancel", None, ""),
    ("", "messages/batch", {"messages": [message(2, send_at=TOMORROW)]}, "batch"),
    ("patch_batches_id", "batches/{batch}", {"rate": "5/s"}, ""),
    ("post_batches_id_pause", "batches/{batch}/pause", None, ""),
    ("post_batches_id_resume", "batches/{batch}/resume", None, ""),
    ("post_batches_id_cancel", "batches/{batch}/cancel", None, ""),
    (
        "post_webhook_endpoints",
        "webhook-endpoints",
        {"url": "http://127.0.0.1:9/", "events": ["message.*"]},
        "hook",
    ),
    ("patch_webhook_endpoints_id", "webhook-endpoints/{hook}", {"events": ["final"]}, ""),
    ("post_webhook_endpoints_id_rotate", "webhook-endpoints/{hook}/rotate", {}, ""),
    ("post_webhook_endpoints_id_retire", "webhook-endpoints/{hook}/retire", None, ""),
    ("post_webhook_endpoints_id_pause", "webhook-endpoints/{hook}/pause", None, ""),
    ("post_webhook_endpoints_id_disable", "webhook-endpoints/{hook}/disable", None, ""),
    (
        "post_webhook_endpoints_id_replay",
        "webhook-endpoints/{hook}/replay",
        {"since": "2026-11-01T00:00:00Z", "states": ["skipped"]},
        "",
    ),
    ("delete_webhook_endpoints_id", "webhook-endpoints/{hook}", None, ""),
    ("post_webhook_callbacks_rotate", "webhook-callbacks/rotate", {}, ""),
    ("post_webhook_callbacks_retire", "webhook-callbacks/retire", None, ""),
    ("post_breakers_scope_subject_open", "breakers/connector/sim/open", {"reason": "r"}, ""),
    ("post_breakers_scope_subject_close", "breakers/connector/sim/close", {"reason": "r"}, ""),
    ("patch_connectors_name", "connectors/sim", {"paused": True}, ""),
    ("post_admin_reload", "admin/reload", None, ""),
    ("post_persons_export", "persons/export", {"number": NUMBER, "reason": "asked"}, ""),
    ("post_persons_erase", "persons/erase", {"number": NUMBER, "reason": "asked"}, ""),
]


def with_ids(value: object, ids: dict[str, str]) -> object:
    if isinstance(value, str):
        for name, each in ids.items():
            value = value.replace(f"{{{name}}}", each)
    elif isinstance(value, dict):
        return {name: with_ids(each, ids) for name, each in value.items()}
    elif isinstance(value, list):
        return [with_ids(each, ids) for each in value]
    return value


def test_every_audited_call_is_made_here_or_needs_more() -> None:
    made = {operation for operation, *_ in STEPS} - {""}
    assert made.isdisjoint(ELSEWHERE)
    assert made | ELSEWHERE == AUDITED


async def test_each_change_leaves_a_row_of_the_key_that_made_it(
    database_url: str, folder: Path
) -> None:
    missing: list[str] = []
    async with simulator(folder, SMOOTH) as sim:
        config = write_config(folder, database_url, sim.port, rest=LOCAL_WEBHOOKS)
        async with gateway(config) as running, aiohttp.ClientSession() as session:
            calls = Calls(
                session, running.api, await create_key(config, "all", "--scopes", *SCOPES)
            )
            database = await connect(database_url, application_name="test")
            ids: dict[str, str] = {}
            for operation, path, body, name in STEPS:
                rows = "SELECT count(*) FROM audit WHERE actor LIKE 'key %'"
                before = await database.fetchval(rows)
                method = operation.partition("_")[0] or "post"
                where = f"/v1/{with_ids(path, ids)}"
                seen = None
                if method in ("patch", "put") and (await calls.call("get", where))[0] == 200:
                    _, _, seen = await calls.call("get", where)
                    before = await database.fetchval(rows)
                headers = {} if seen is None else {"If_Match": seen}
                status, told, _ = await calls.call(method, where, with_ids(body, ids), **headers)
                assert status < 300, (operation, told)
                if name:
                    ids[name] = told["batch_id"] if name == "batch" else told["id"]
                if operation and await database.fetchval(rows) == before:
                    missing.append(operation)
            await close_connection(database)
    assert missing == []
