"""What a POST that is not answered under its Idempotency-Key does when it is sent again.

Owns these words. Must not know a handler: endpoints are named by their operation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec

from web.edge.endpoints import Endpoint

_NOTHING = "it stores nothing"
_STATE = "a repeat finds it done"
_AGAIN = "each request tells it again"
_NEWER = "each request makes a newer secret"

# These keep what the header asks for by themselves, so it may be there.
SAFE: Mapping[str, str] = MappingProxyType(
    {
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
)
# These do not, and refuse it.
ANEW: Mapping[str, str] = MappingProxyType(
    {
        "post_webhook_callbacks_rotate": _NEWER,
        "post_webhook_endpoints_id_deliveries_delivery_redeliver": _AGAIN,
        "post_webhook_endpoints_id_replay": _AGAIN,
        "post_webhook_endpoints_id_rotate": _NEWER,
        "post_webhook_endpoints_id_test": _AGAIN,
    }
)


def with_reasons(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The same endpoints, each that refuses the header with its reason."""
    return [msgspec.structs.replace(each, anew=ANEW.get(each.name, "")) for each in endpoints]
