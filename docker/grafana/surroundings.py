"""The dashboards of what stands beside the messages: people's rights, links, webhooks, machines.

Owns their panels. Must not say how a panel is drawn (shapes.py).
"""

from __future__ import annotations

from docker.grafana.queries import RATE, RED, YELLOW, rate, total
from docker.grafana.shapes import Dashboard, Panel, Query

COMPLIANCE = Dashboard(
    uid="smsgate-compliance",
    title="smsgate: compliance",
    panels=(
        Panel(
            title="Texted after an opt-out",
            description="Must be 0.",
            queries=(Query("max(sms_optout_violations_total)"),),
            kind="stat",
            width=8,
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="Opt-outs within a day",
            description="Numbers that opted out, by all ways.",
            queries=(Query("sum(increase(sms_optouts_total[1d]))"),),
            kind="stat",
            width=8,
            has_data=True,
        ),
        Panel(
            title="Complaints within a day",
            description="As far as this installation was told.",
            queries=(Query("sum(increase(sms_complaints_total[1d])) or vector(0)"),),
            kind="stat",
            width=8,
            bounds=((1, YELLOW),),
            has_data=True,
        ),
        Panel(
            title="From the word to the end of sending",
            description="Nineteen of twenty opt-outs are in force within this time.",
            queries=(
                Query(
                    "histogram_quantile(0.95, sum by (le)"
                    " (rate(sms_optout_apply_latency_seconds_bucket[1h])))",
                    "95 %",
                ),
            ),
            unit="s",
        ),
        Panel(
            title="Replies, by class",
            description="Messages from handsets in a second.",
            queries=(Query(rate("sms_inbound_replies_total", "class"), "{{class}}"),),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="What rules decided",
            description="Caps, quiet hours, consent, suppression, velocity: messages in a second.",
            queries=(
                Query(rate("sms_policy_decisions_total", "rule, action"), "{{rule}} {{action}}"),
            ),
            unit="ops",
        ),
        Panel(
            title="Ended at once",
            description="Accepted messages that must not be sent, or not so often.",
            queries=(Query(rate("sms_messages_ended_at_accept_total", "status"), "{{status}}"),),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="Withdrawn while they waited",
            description="Messages that waited for a number that opted out meanwhile.",
            queries=(Query(total("sms_optout_withdrawn_total"), "withdrawn"),),
            unit="ops",
            has_data=True,
        ),
    ),
)

CLICKS = Dashboard(
    uid="smsgate-clicks",
    title="smsgate: short links",
    panels=(
        Panel(
            title="Clicks by how far they came",
            description="In a second: counted, kept in the journal, loaded into the database.",
            queries=(Query(rate("sms_clicks_total", "stage"), "{{stage}}"),),
            unit="ops",
            width=24,
            has_data=True,
        ),
        Panel(
            title="Connections",
            description="Open connections, and the bound in force.",
            queries=(
                Query("sum by (listener) (sms_http_connections)", "{{listener}}"),
                Query("sum by (listener) (sms_http_connections_max)", "{{listener}}, at most"),
            ),
            has_data=True,
        ),
        Panel(
            title="Refused and closed connections",
            description="At the bound, or since their client was silent.",
            queries=(
                Query(
                    rate("sms_http_connections_refused_total", "listener"), "refused {{listener}}"
                ),
                Query(
                    rate("sms_http_connections_closed_total", "listener, reason"),
                    "{{listener}} {{reason}}",
                ),
            ),
            unit="ops",
        ),
    ),
)

WEBHOOKS = Dashboard(
    uid="smsgate-webhooks",
    title="smsgate: webhooks",
    panels=(
        Panel(
            title="Attempts in a second, by result",
            description="The class of the receiver's answer, or why there was none.",
            queries=(Query(rate("sms_webhook_attempts_total", "result"), "{{result}}"),),
            unit="ops",
        ),
        Panel(
            title="Oldest event",
            description="How long it waits to be told.",
            queries=(Query("max(sms_webhook_oldest_seconds)", "oldest"),),
            unit="s",
            bounds=((300, RED),),
            has_data=True,
        ),
        Panel(
            title="Events that wait",
            description="To be told for the first time, or again.",
            queries=(Query("max(sms_webhook_pending)", "waiting"),),
            has_data=True,
        ),
        Panel(
            title="Endpoints by state",
            description="A disabled one is told nothing.",
            queries=(Query("max by (state) (sms_webhook_endpoints)", "{{state}}"),),
            has_data=True,
        ),
        Panel(
            title="Events in a second",
            description="What somebody asked to hear of.",
            queries=(Query(total("sms_webhook_events_total"), "events"),),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="Not told",
            description="Skipped, or given up after the last attempt; both can be replayed.",
            queries=(
                Query(total("sms_webhook_skipped_total"), "skipped"),
                Query(total("sms_webhook_exhausted_total"), "given up"),
            ),
            unit="ops",
            has_data=True,
        ),
    ),
)

NODES = Dashboard(
    uid="smsgate-nodes",
    title="smsgate: nodes",
    panels=(
        Panel(
            title="Gateways that answer",
            description="1 for each process that Prometheus reaches.",
            queries=(Query('up{job="smsgate"}', "{{instance}}"),),
            most=1,
            has_data=True,
        ),
        Panel(
            title="Loop lag",
            description="How much too late the event loop ran, the worst of a minute.",
            queries=(Query("sms_loop_lag_seconds", "{{instance}}"),),
            unit="s",
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="Seconds left of the term",
            description="At 0 the process stops and another takes its work over.",
            queries=(Query("sms_term_seconds_left", "{{instance}}"),),
            unit="s",
            has_data=True,
        ),
        Panel(
            title="Database",
            description="1 while PostgreSQL answers this process.",
            queries=(Query("sms_database_up", "{{instance}}"),),
            most=1,
            has_data=True,
        ),
        Panel(
            title="Memory",
            description="Resident set of each process.",
            queries=(Query('process_resident_memory_bytes{job="smsgate"}', "{{instance}}"),),
            unit="bytes",
            has_data=True,
        ),
        Panel(
            title="Processor",
            description="Cores in use.",
            queries=(
                Query(
                    f'sum by (instance) (rate(process_cpu_seconds_total{{job="smsgate"}}[{RATE}]))',
                    "{{instance}}",
                ),
            ),
            has_data=True,
        ),
        Panel(
            title="Free disk of the data folder",
            description="It holds the embedded database and the click journal.",
            queries=(Query("sms_disk_free_bytes", "{{instance}} {{path}}"),),
            unit="bytes",
            has_data=True,
        ),
        Panel(
            title="Clock, compared with the database's",
            description="Seconds apart; more than a few make times of receipts wrong.",
            queries=(Query("abs(sms_clock_skew_seconds)", "{{instance}}"),),
            unit="s",
            bounds=((2, YELLOW),),
            has_data=True,
        ),
        Panel(
            title="Days without a partition",
            description="Must be 0: without its day a message cannot be stored.",
            queries=(Query("sms_partitions_missing", "{{instance}}"),),
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="Open files",
            description="Descriptors of each process.",
            queries=(Query('process_open_fds{job="smsgate"}', "{{instance}}"),),
            has_data=True,
        ),
    ),
)
