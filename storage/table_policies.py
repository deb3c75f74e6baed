"""How the rows of each table end: by age, with the work they are about, or not at all.

Owns that list. A table that is not in it is a defect, and a test says so. Must not delete anything:
storage/retention.py drops days and calls what deletes rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple


class Ends(Enum):
    """What ends a row."""

    DAYS = "whole days are dropped"
    ROWS = "rows are deleted in bounded steps"
    WORK = "a row goes with the work that it is about"
    FEW = "a few rows that name what there is"
    NEVER = "a row is a proof"


class Policy(NamedTuple):
    """Of one table. `by`: the field of `[retention]` for DAYS and ROWS, else what ends a row."""

    ends: Ends
    by: str


_DAYS, _ROWS, _WORK, _FEW, _NEVER = Ends.DAYS, Ends.ROWS, Ends.WORK, Ends.FEW, Ends.NEVER

POLICIES: Mapping[str, Policy] = MappingProxyType(
    {
        "account": Policy(_FEW, "an account of the configuration, its number for good"),
        "anomaly": Policy(_ROWS, "messages_days"),
        "anomaly_state": Policy(_FEW, "the quarter of an hour that was looked at last"),
        "api_key": Policy(_FEW, "a key; one that has ended says who acted"),
        "attribute_def": Policy(_FEW, "an attribute that contacts may have"),
        "audit": Policy(_ROWS, "audit_days"),
        "audit_batch": Policy(_WORK, "a transaction that is not committed"),
        "audit_head": Policy(_FEW, "the end of the audit"),
        "backup": Policy(_FEW, "one of the last 1 000 backups"),
        "batch_control": Policy(_ROWS, "messages_days"),
        "breaker": Policy(_FEW, "a breaker; of 10 000 the oldest closed one makes room"),
        "breaker_hold": Policy(_WORK, "a message that a breaker holds"),
        "breaker_probe": Policy(_WORK, "a message by which an open breaker is judged"),
        "campaign": Policy(_FEW, "a campaign of an account"),
        "campaign_chunk": Policy(_ROWS, "messages_days"),
        "campaign_excluded": Policy(_ROWS, "messages_days"),
        "campaign_recipient": Policy(_DAYS, "messages_days"),
        "campaign_skip": Policy(_ROWS, "messages_days"),
        "campaign_stat": Policy(_ROWS, "rollup_totals_days"),
        "campaign_stat_batch": Policy(_ROWS, "rollup_totals_days"),
        "campaign_version": Policy(_FEW, "what a campaign has sent"),
        "click": Policy(_DAYS, "clicks_days"),
        "click_gap": Policy(_ROWS, "clicks_days"),
        "click_review": Policy(_ROWS, "clicks_days"),
        "click_journal": Policy(_WORK, "a file of clicks that is not loaded to its end"),
        "client_ref": Policy(_WORK, "72 hours in which a reference counts"),
        "complaint": Policy(_ROWS, "complaints_days"),
        "connector": Policy(_FEW, "a connector of the configuration, its number for good"),
        "consent": Policy(_NEVER, "who allowed what; only an erasure ends it"),
        "contact": Policy(_NEVER, "somebody the account knows; only a deletion ends it"),
        "contact_number": Policy(_WORK, "a contact, or a merge that takes the number away"),
        "contact_event": Policy(_DAYS, "events_days"),
        "contact_event_due": Policy(_WORK, "what happened, until its events are made"),
        "contact_event_ref": Policy(_WORK, "72 hours in which an event is known again"),
        "contact_event_source": Policy(_DAYS, "events_days"),
        "conversion": Policy(_ROWS, "clicks_days"),
        "engagement": Policy(_WORK, "a contact"),
        "engagement_state": Policy(_FEW, "up to where events are summed"),
        "event": Policy(_DAYS, "messages_days"),
        "experiment_look": Policy(_NEVER, "what the arms of a campaign were judged by"),
        "frequency": Policy(_WORK, "30 days, the longest span of a cap"),
        "group_cap": Policy(_FEW, "a group that has caps; 50 of an account"),
        "group_cap_member": Policy(_WORK, "a segment that has caps, until it is read again"),
        "hour_profile": Policy(_WORK, "a contact"),
        "idempotency": Policy(_WORK, "24 hours in which a request is answered again"),
        "import_job": Policy(_ROWS, "imports_days"),
        "import_piece": Policy(_WORK, "a file that is read, or was left a day ago"),
        "import_row": Policy(_DAYS, "imports_days"),
        "inbound_message": Policy(_DAYS, "inbound_days"),
        "inbound_part": Policy(_WORK, "a message that is not whole, or became so lately"),
        "index_rewrite": Policy(_FEW, "a table whose numbers are rewritten"),
        "installation": Policy(_FEW, "this database"),
        "link": Policy(_ROWS, "clicks_days"),
        "link_range": Policy(_WORK, "links, until a while after they expired"),
        "message": Policy(_DAYS, "messages_days"),
        "message_cancel": Policy(_WORK, "a message that a process still holds"),
        "number_evidence": Policy(_ROWS, "evidence_days"),
        "number_rewrite": Policy(_FEW, "a table whose numbers are sealed anew"),
        "number_rotation": Policy(_FEW, "the last change of the number key"),
        "outbox": Policy(_WORK, "a message that waits"),
        "owner_term": Policy(_ROWS, "messages_days"),
        "preference": Policy(_NEVER, "what a person wishes; only another wish ends it"),
        "person_erasure": Policy(_NEVER, "that a person was erased, and when; nobody is in it"),
        "prefix_count": Policy(_WORK, "a day, the longest span of a velocity"),
        "query_cursor": Policy(_FEW, "a connector that is asked about its messages"),
        "raw_delivery": Policy(_DAYS, "raw_days"),
        "restoration": Policy(_FEW, "a time that this database was made from a backup"),
        "rollup_attempt": Policy(_ROWS, "rollups_days"),
        "rollup_cell": Policy(_ROWS, "rollups_days"),
        "rollup_change": Policy(_WORK, "a change that is not counted yet"),
        "rollup_day": Policy(_ROWS, "rollup_totals_days"),
        "rollup_day_state": Policy(_ROWS, "rollup_totals_days"),
        "rollup_key": Policy(_FEW, "a combination that was counted, its number for good"),
        "rollup_latency": Policy(_ROWS, "rollups_days"),
        "rollup_latency_day": Policy(_ROWS, "rollup_totals_days"),
        "rollup_name": Policy(_FEW, "a name that was counted, its number for good"),
        "rollup_reason": Policy(_ROWS, "rollups_days"),
        "rollup_state": Policy(_FEW, "up to where messages are counted"),
        "rollup_tag": Policy(_ROWS, "rollup_tags_days"),
        "rollup_watch": Policy(_DAYS, "messages_days"),
        "schema_migration": Policy(_FEW, "a migration that was applied"),
        "segment": Policy(_NEVER, "what an account means by a name; only a deletion ends it"),
        "segment_member": Policy(_WORK, "a static segment, or a contact that is erased"),
        "submission": Policy(_DAYS, "messages_days"),
        "submit_intent": Policy(_WORK, "a batch on its way to a carrier"),
        "suppression": Policy(_ROWS, "suppressions_days"),
        "suppression_import": Policy(_ROWS, "imports_days"),
        "suppression_import_step": Policy(_ROWS, "imports_days"),
        "tag_def": Policy(_FEW, "a tag that contacts may have"),
        "template": Policy(_FEW, "a template that an account made by hand"),
        "template_approval": Policy(_WORK, "a version of a template"),
        "template_version": Policy(_NEVER, "what people were texted; it never changes"),
        "template_waiver": Policy(_NEVER, "who answered for a warning, and why"),
        "unmatched_receipt": Policy(_WORK, "4 days in which its submit may be found"),
        "webhook_attempt": Policy(_DAYS, "webhooks_days"),
        "webhook_callback_secret": Policy(_FEW, "an account that may name callbacks"),
        "webhook_change": Policy(_WORK, "a change that is no event yet"),
        "webhook_delivery": Policy(_WORK, "an event that is not told yet"),
        "webhook_endpoint": Policy(_ROWS, "webhooks_days"),
        "webhook_event": Policy(_DAYS, "webhooks_days"),
        "webhook_generation": Policy(_FEW, "the state of all endpoints"),
    }
)
