"""What each table holds of a person, and what an erasure leaves of it.

Owns that catalogue. A table that is not in it is a defect. So is a column that may hold something
of a person and is not named: tests compare it with the schema. Must not read or write a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Held(NamedTuple):
    """Of one table: the columns with something of a person, and what an erasure does to its rows.

    `columns` empty: it holds nothing of a person, or what it holds ends by itself within days.
    """

    columns: tuple[str, ...]
    erasure: str


_NOBODY = Held((), "nobody is in it")
_WITH_MESSAGE = Held((), "tells of a message, which tells of nobody any more")
_RANDOM = "the index becomes random; number, text and options are emptied"

TABLES: Mapping[str, Held] = MappingProxyType(
    {
        "account": _NOBODY,
        "anomaly": _NOBODY,
        "anomaly_state": _NOBODY,
        "api_key": _NOBODY,
        "attribute_def": _NOBODY,
        "audit": Held(("subject", "text"), "subject, salt and reason go; the commitments stay"),
        "audit_batch": Held(("subjects", "texts"), "empty at every commit"),
        "audit_head": _NOBODY,
        "backup": _NOBODY,
        "batch_control": _NOBODY,
        "breaker": Held((), "masked numbers of samples, for a carrier"),
        "breaker_hold": _NOBODY,
        "breaker_probe": _NOBODY,
        "campaign": _NOBODY,
        "campaign_chunk": _NOBODY,
        "campaign_excluded": Held((), "the number of a contact, who is nobody any more"),
        "campaign_recipient": Held(("to_idx",), "the index becomes random"),
        "campaign_skip": _NOBODY,
        "campaign_stat": _NOBODY,
        "campaign_stat_batch": _NOBODY,
        "campaign_version": _NOBODY,
        "click": Held(
            ("user_agent", "ip_prefix", "facts"), "browser, its headers and network are emptied"
        ),
        "click_gap": _NOBODY,
        "click_journal": _NOBODY,
        "click_review": _NOBODY,
        "client_ref": Held(("fingerprint",), "the fingerprint goes"),
        "complaint": Held(("to_idx", "to_enc", "fingerprint", "text", "source_name"), _RANDOM),
        "connector": _NOBODY,
        "consent": Held(("to_idx", "to_enc", "evidence", "operator", "address"), "deleted"),
        "contact": Held(("external_id", "attrs", "tags", "source", "time_zone"), "deleted"),
        "contact_event": Held(("kind", "at", "amount", "props"), "deleted"),
        "contact_event_due": _WITH_MESSAGE,
        "contact_event_ref": Held(("event_id", "fingerprint"), "deleted"),
        "contact_event_source": _WITH_MESSAGE,
        "contact_number": Held(
            ("to_idx", "to_enc"), "deleted with each other number of the contact"
        ),
        "conversion": _WITH_MESSAGE,
        "engagement": Held(("kind", "first_at", "last_at", "n"), "deleted"),
        "engagement_state": _NOBODY,
        "event": _WITH_MESSAGE,
        "experiment_look": _NOBODY,
        "frequency": Held(("to_idx",), "deleted"),
        "group_cap": _NOBODY,
        "group_cap_member": Held(("contact",), "deleted"),
        "hour_profile": Held(("hours",), "deleted"),
        "idempotency": Held((), "answers with masked numbers, which end after 24 hours"),
        "import_job": _NOBODY,
        "import_piece": Held(("octets_enc",), "waited for: a file goes when its import has ended"),
        "import_row": Held(("shown", "contact", "before"), "emptied; the verdict stays"),
        "inbound_message": Held(("from_idx", "from_enc", "fingerprint", "text"), _RANDOM),
        "inbound_part": Held(
            ("from_enc", "octets"), "deleted; what is not whole yet is waited for"
        ),
        "index_rewrite": Held((), "a place in a table"),
        "installation": _NOBODY,
        "link": _NOBODY,
        "link_range": Held(
            ("targets",), "addresses that only their links lead to are emptied: they end"
        ),
        "message": Held(("to_idx", "to_enc", "text", "options", "callback"), _RANDOM),
        "message_cancel": _NOBODY,
        "number_rewrite": _NOBODY,
        "number_rotation": _NOBODY,
        "number_evidence": Held(("to_idx", "to_enc"), "deleted"),
        "outbox": Held((), "who is in it cannot be erased"),
        "owner_term": _NOBODY,
        "person_erasure": Held(("number_enc", "number_idx"), "both go when it is done"),
        "preference": Held(
            ("to_idx", "to_enc", "message_id"),
            "index, wish and date stay, so that they get no more than they wished",
        ),
        "prefix_count": Held((), "the beginning that thousands of numbers share, for a day"),
        "query_cursor": _NOBODY,
        "raw_delivery": Held(("body_enc",), "deleted"),
        "restoration": _NOBODY,
        "rollup_attempt": _NOBODY,
        "rollup_cell": _NOBODY,
        "rollup_change": _NOBODY,
        "rollup_day": _NOBODY,
        "rollup_day_state": _NOBODY,
        "rollup_key": _NOBODY,
        "rollup_latency": _NOBODY,
        "rollup_latency_day": _NOBODY,
        "rollup_name": _NOBODY,
        "rollup_reason": _NOBODY,
        "rollup_state": _NOBODY,
        "rollup_tag": _NOBODY,
        "rollup_watch": _WITH_MESSAGE,
        "schema_migration": _NOBODY,
        "segment": _NOBODY,
        "segment_member": Held(("contact",), "deleted"),
        "submission": _WITH_MESSAGE,
        "submit_intent": Held((), "who is in it cannot be erased"),
        "suppression": Held(
            ("to_idx", "to_enc", "message_id", "detail"),
            "index, date and source stay, so that nobody texts them again",
        ),
        "suppression_import": _NOBODY,
        "suppression_import_step": Held((), "verdicts on rows of a file, numbers masked"),
        "tag_def": _NOBODY,
        "template": _NOBODY,
        "template_approval": _NOBODY,
        "template_version": _NOBODY,
        "template_waiver": _NOBODY,
        "unmatched_receipt": Held(("to_idx", "other_idx"), "deleted"),
        "webhook_attempt": Held(("answer", "url"), "emptied"),
        "webhook_callback_secret": _NOBODY,
        "webhook_change": Held(("changes",), "becomes events first"),
        "webhook_delivery": Held((), "ends with its events"),
        "webhook_endpoint": _NOBODY,
        "webhook_event": Held(("body", "number_enc"), "deleted"),
        "webhook_generation": _NOBODY,
    }
)
