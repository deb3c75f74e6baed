"""The metrics of /metrics, and the page that describes them.

    python -m web.catalogue > docs/metrics.md

Owns every metric's name, type, unit, meaning and labels. Must not count. Nothing else may name a
metric. Labels are bounded: connectors, categories, statuses and endpoints. Never a message, number,
campaign or URL.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import MappingProxyType

from web.campaign_metrics import OF_CAMPAIGNS
from web.catalogue_http import OF_HTTP
from web.catalogue_numbers import OF_NUMBERS
from web.contact_metrics import OF_CONTACTS
from web.link_metrics import OF_LINKS
from web.metric_kind import MetricKind
from web.report_figures import lines as report_figures
from web.report_metrics import REPORTS

CATALOGUE: Mapping[str, MetricKind] = MappingProxyType(
    {
        "sms_build_info": MetricKind(
            "gauge",
            "1, with the version that runs and the node of its ids.",
            ("version", "node"),
        ),
        "sms_loop_lag_seconds": MetricKind(
            "gauge", "How much too late the event loop ran what was due: the worst of a minute."
        ),
        "sms_database_up": MetricKind(
            "gauge", "1 while PostgreSQL took the last renewal of this process' term."
        ),
        "sms_term_seconds_left": MetricKind(
            "gauge",
            "Until this process must have stopped writing, unless its term is renewed, which it is "
            "every 3 s.",
        ),
        "sms_clock_skew_seconds": MetricKind(
            "gauge", "This machine's clock less that of PostgreSQL."
        ),
        "sms_partitions_missing": MetricKind(
            "gauge", "Day partitions that are due and could not be made."
        ),
        "sms_background_failed_steps": MetricKind(
            "gauge", "Steps of this background work that failed since its last good one.", ("task",)
        ),
        "sms_backup_last_timestamp_seconds": MetricKind(
            "gauge", "The moment that the last backup shows, since 1970; 0 without one."
        ),
        "sms_pool_waiting": MetricKind(
            "gauge", "Reads that wait for a free connection.", ("pool",)
        ),
        "sms_disk_free_bytes": MetricKind(
            "gauge", "What is free where the data folder lies.", ("path",)
        ),
        # the way in
        **OF_HTTP,
        "sms_messages_accepted_total": MetricKind(
            "counter", "Messages committed and answered with an id.", ("category",)
        ),
        "sms_messages_ended_at_accept_total": MetricKind(
            "counter",
            "Accepted messages that end at once: the number must not be texted, or not so often.",
            ("status",),
        ),
        "sms_messages_deduplicated_total": MetricKind(
            "counter", "Messages not stored: their client_ref had been used lately."
        ),
        "sms_idempotency_replays_total": MetricKind(
            "counter", "Requests answered with what the first one with their key got."
        ),
        "sms_policy_decisions_total": MetricKind(
            "counter",
            "Messages that a rule refused, held, or ended with the status named, at accept or "
            "before the wire.",
            ("rule", "action"),
        ),
        "sms_messages_shed_total": MetricKind(
            "counter", "Messages refused because too many waited for a commit.", ("category",)
        ),
        "sms_messages_canceled_total": MetricKind(
            "counter", "Messages taken back by their sender before they were on the wire."
        ),
        "sms_accept_waiting": MetricKind("gauge", "Messages waiting for a commit.", ("lane",)),
        "sms_commit_flushes_total": MetricKind(
            "counter", "Group commits, each one transaction.", ("writer",)
        ),
        "sms_commit_items_total": MetricKind(
            "counter", "Items in them; per flush this is the batch size.", ("writer",)
        ),
        "sms_commit_last_duration_seconds": MetricKind(
            "gauge", "How long the last group commit took.", ("writer",)
        ),
        # to the wire
        "sms_queue_depth": MetricKind(
            "gauge", "Parts in the ready queue, in memory.", ("connector", "category")
        ),
        "sms_queue_oldest_seconds": MetricKind(
            "gauge",
            "Wait of the oldest message: since it came into memory, or since it was accepted if it "
            "is in the outbox.",
            ("connector", "category"),
        ),
        "sms_connector_up": MetricKind(
            "gauge", "1 while at least one session is bound.", ("connector",)
        ),
        "sms_anomalies_total": MetricKind(
            "counter", "Quarters of an hour that were found unlike other days.", ("detector",)
        ),
        "sms_breakers_open": MetricKind(
            "gauge", "Breakers that hold messages back: open, half open, open by hand.", ("scope",)
        ),
        "sms_breakers_lifted_total": MetricKind(
            "counter", "Messages that a breaker held and this process let go."
        ),
        "sms_binds_up": MetricKind("gauge", "Bound sessions.", ("connector",)),
        "sms_binds_held": MetricKind(
            "gauge",
            "Sessions that this process keeps up or tries to bind: its part of the carrier's.",
            ("connector",),
        ),
        "sms_window_in_flight": MetricKind(
            "gauge", "Submits without an answer yet.", ("connector",)
        ),
        "sms_submits_total": MetricKind(
            "counter", "submit_sm written to the connection, one for each part.", ("connector",)
        ),
        "sms_submit_responses_total": MetricKind(
            "counter", "Answers to submit_sm by command_status.", ("connector", "status")
        ),
        "sms_submits_unanswered_total": MetricKind(
            "counter", "Submits whose answer never came.", ("connector",)
        ),
        "sms_throttled_total": MetricKind(
            "counter", "Answers that asked for a slower pace.", ("connector",)
        ),
        "sms_pace_parts_per_second": MetricKind(
            "gauge", "The pace in force, after throttling.", ("connector",)
        ),
        "sms_messages_rerouted_total": MetricKind(
            "counter", "Waiting messages moved from a connector that was down to another."
        ),
        "sms_messages_another_way_total": MetricKind(
            "counter",
            "Messages that go once more over another connector, by why the one before failed.",
            ("reason",),
        ),
        "sms_messages_expired_waiting_total": MetricKind(
            "counter", "Messages that expired before a connector could take them."
        ),
        "sms_binds_lost_total": MetricKind("counter", "Sessions that ended.", ("connector",)),
        "sms_session_pdus_total": MetricKind(
            "counter",
            "PDUs out of the ordinary. `on_transmitter`, `before_bind`: receipts and messages "
            "taken where they do not belong. `malformed`: a body that was not read as a whole. "
            "`refused`: answered with an error. "
            "`unmatched_response`, `unmatched_nack`: nothing waited for them.",
            ("connector", "kind"),
        ),
        # from handsets
        "sms_inbound_parts_total": MetricKind(
            "counter", "deliver_sm and data_sm taken that are no receipts.", ("connector",)
        ),
        "sms_inbound_alphabet_guessed_total": MetricKind(
            "counter",
            "Messages from handsets whose text was read in another way than their data_coding "
            "says, or is none; see `read_as` of an inbound message.",
            ("connector", "read_as"),
        ),
        "sms_inbound_headers_guessed_total": MetricKind(
            "counter", "Of them with a header that esm_class does not tell of.", ("connector",)
        ),
        "sms_inbound_messages_total": MetricKind("counter", "Messages from handsets committed."),
        "sms_inbound_replies_total": MetricKind(
            "counter",
            "Messages from handsets committed, by what kind of reply they are: `opt_out`, "
            "`opt_in`, `help`, `keyword`, `rating` or `other`.",
            ("class",),
        ),
        "sms_inbound_incomplete_total": MetricKind(
            "counter", "Of them with gaps, since parts did not come in time."
        ),
        "sms_inbound_repeated_total": MetricKind(
            "counter", "Messages that a carrier sent again and that were stored already."
        ),
        "sms_inbound_open": MetricKind(
            "gauge", "Messages that wait for their other parts.", ("connector",)
        ),
        "sms_inbound_waiting": MetricKind("gauge", "Messages or parts waiting for a commit."),
        "sms_inbound_refused_total": MetricKind(
            "counter",
            "Messages from handsets that the carrier was told to send again later.",
            ("connector",),
        ),
        "sms_optouts_total": MetricKind(
            "counter", "Numbers that opted out, by how; each once while it stands.", ("source",)
        ),
        "sms_optouts_undone_total": MetricKind(
            "counter", "Opt-outs taken back, by how.", ("source",)
        ),
        "sms_optout_replies_total": MetricKind(
            "counter", "Confirmations of an opt-out, by what became of them.", ("outcome",)
        ),
        "sms_help_replies_total": MetricKind(
            "counter", "Replies to who asked for help, by what became of them.", ("outcome",)
        ),
        "sms_optout_apply_latency_seconds": MetricKind(
            "histogram",
            "From the carrier's delivery of a word that opts out, or from a press on a page, until "
            "nothing more is written to that number.",
        ),
        "sms_optout_withdrawn_total": MetricKind(
            "counter", "Messages that waited for a number that opted out, ended before their time."
        ),
        "sms_optout_violations_total": MetricKind(
            "counter",
            "Marketing messages of all processes that went out after their recipient's opt-out. "
            "Must stay 0.",
        ),
        "sms_complaints_total": MetricKind(
            "counter",
            "Complaints told to this process, by where from and the connector of the message they "
            "are about.",
            ("source", "connector"),
        ),
        "sms_inbound_unstorable_total": MetricKind(
            "counter", "Messages from handsets that PostgreSQL refused, each logged."
        ),
        "sms_numbers_unreadable_total": MetricKind(
            "counter",
            "Stored numbers that could not be opened when they were read: damaged, or sealed with "
            "another key. What was to be sent to one is failed.",
        ),
        # what became of them
        "sms_parts_final_total": MetricKind(
            "counter", "Parts that got a final status.", ("connector", "status")
        ),
        "sms_receipts_total": MetricKind(
            "counter", "Receipts committed, by the status they tell.", ("connector", "status")
        ),
        "sms_delivery_seconds": MetricKind(
            "histogram",
            "From acceptance to the receipt that says delivered, for each part.",
            ("connector", "category"),
        ),
        "sms_receipts_implausible_time_total": MetricKind(
            "counter",
            "Receipts, and answers to queries, whose date is long before the submit or after their "
            "arrival, which counts instead.",
            ("connector",),
        ),
        "sms_receipts_unreadable_time_total": MetricKind(
            "counter",
            "Receipts with a date that cannot be read; their arrival counts.",
            ("connector",),
        ),
        "sms_receipts_parked_total": MetricKind(
            "counter", "Receipts that came before the answer to their submit."
        ),
        "sms_receipts_joined_total": MetricKind(
            "counter", "Parked receipts that found their part."
        ),
        "sms_receipts_waiting": MetricKind("gauge", "Receipts waiting for a commit."),
        "sms_receipts_refused_total": MetricKind(
            "counter", "Receipts the carrier was told to send again later.", ("connector",)
        ),
        "sms_queries_total": MetricKind(
            "counter",
            "What query_sm about parts without a receipt came to.",
            ("connector", "result"),
        ),
        "sms_receipts_unreadable_total": MetricKind(
            "counter",
            "Receipts that name no message, kept beside the messages from handsets.",
            ("connector",),
        ),
        "sms_receipts_unknown_state_total": MetricKind(
            "counter", "Receipts whose word for the state means nothing here.", ("connector",)
        ),
        "sms_receipts_unmarked_total": MetricKind(
            "counter",
            "Messages from handsets whose text is a receipt's; see receipts_without_esm_class.",
            ("connector",),
        ),
        "sms_receipts_guessed_total": MetricKind(
            "counter", "Receipts read although a key or a header mark was missing.", ("connector",)
        ),
        "sms_records_unstorable_total": MetricKind(
            "counter", "Results or receipts that PostgreSQL refused, each logged."
        ),
        "sms_messages_in_doubt_total": MetricKind(
            "counter",
            "Messages in doubt after a crash, by what their category decided.",
            ("policy",),
        ),
        **OF_NUMBERS,
        "sms_indexes_rewritten": MetricKind(
            "gauge", "1 once no number is looked for under an index of the release before."
        ),
        # webhooks
        "sms_webhook_events_total": MetricKind("counter", "Events that somebody asked to hear of."),
        "sms_webhook_attempts_total": MetricKind(
            "counter",
            "Requests to receivers: by the class of their answer, or why there was none.",
            ("result",),
        ),
        "sms_webhook_skipped_total": MetricKind(
            "counter",
            "Events not told: their endpoint is disabled, has too many waiting, or for too long.",
        ),
        "sms_webhook_exhausted_total": MetricKind(
            "counter", "Events whose last attempt failed; they can be replayed."
        ),
        "sms_webhook_pending": MetricKind("gauge", "Events that wait to be told."),
        "sms_webhook_oldest_seconds": MetricKind("gauge", "How long the first of them waits."),
        "sms_webhook_endpoints": MetricKind("gauge", "Endpoints.", ("state",)),
        # reports
        **REPORTS,
        # short links
        **OF_LINKS,
        "sms_optout_pages_total": MetricKind(
            "counter",
            "Answers of opt-out pages: `shown`, `stopped`, `undone`, `chosen`. `machine`: a press "
            "of what names itself as a program. `refused`: a press that was not understood or "
            "stored.",
            ("outcome",),
        ),
        # contacts, templates and campaigns
        **OF_CONTACTS,
        **OF_CAMPAIGNS,
    }
)

# The heading that begins at a metric, in the catalogue's order.
_HEADINGS: Mapping[str, str] = MappingProxyType(
    {
        "sms_build_info": "The process",
        "sms_http_requests_total": "The way in",
        "sms_queue_depth": "To the wire",
        "sms_inbound_parts_total": "From handsets",
        "sms_parts_final_total": "What became of them",
        "sms_webhook_events_total": "Webhooks",
        "sms_rollup_messages_total": "Reports",
        "sms_clicks_total": "Short links",
        "sms_contact_imports_running": "Contacts",
        "sms_templates_total": "Templates and campaigns",
    }
)

_INTRODUCTION = """\
# Metrics

What `GET /metrics` tells, in the text format of Prometheus. This page is made from the code:
`python -m web.catalogue > docs/metrics.md`.

Counters begin at 0 with the process and count since then. Times are in seconds. Beside these come
the usual metrics of a Python process: `process_*` and `python_gc_*`.
"""


def render() -> str:
    """The whole page."""
    lines = [_INTRODUCTION]
    for name, kind in CATALOGUE.items():
        if name in _HEADINGS:
            lines += ["", f"## {_HEADINGS[name]}", "", "| Metric | Type | Labels | Meaning |"]
            lines.append("| --- | --- | --- | --- |")
        labels = ", ".join(f"`{label}`" for label in kind.labels)
        lines.append(f"| `{name}` | {kind.type} | {labels} | {kind.help} |")
    lines += ["", *report_figures()]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
