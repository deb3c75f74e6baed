"""The dashboards of messages on their way: overview, delivery, connectors, queues.

Owns their panels. Must not say how a panel is drawn (shapes.py).
"""

from __future__ import annotations

from docker.grafana.queries import PICKED, RED, YELLOW, rate, total
from docker.grafana.shapes import Dashboard, Panel, Query, Variable

OVERVIEW = Dashboard(
    uid="smsgate-overview",
    title="smsgate: overview",
    panels=(
        Panel(
            title="Messages and parts in a second",
            description="Accepted messages, parts on the wire, and parts that were delivered.",
            queries=(
                Query(total("sms_messages_accepted_total"), "accepted"),
                Query(total("sms_submits_total"), "on the wire"),
                Query(total("sms_parts_final_total", '{status="delivered"}'), "delivered"),
            ),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="Requests in a second, by status",
            description="What the API answered.",
            queries=(Query(rate("sms_http_requests_total", "status"), "{{status}}"),),
            unit="reqps",
            has_data=True,
        ),
        Panel(
            title="Errors of the API",
            description="The share of answers that were the gateway's own fault, over an hour.",
            queries=(Query("max(job:sms_http_errors:ratio_rate1h)"),),
            unit="percentunit",
            kind="stat",
            width=6,
            bounds=((0.001, YELLOW), (0.0144, RED)),
        ),
        Panel(
            title="API, 99th percentile",
            description="From a request's header to its answer; one in a hundred takes longer.",
            queries=(Query("max(job:sms_http_latency:p99_rate5m)"),),
            unit="s",
            kind="stat",
            width=6,
            bounds=((0.5, YELLOW), (2, RED)),
        ),
        Panel(
            title="Oldest one-time password",
            description="How long the one that waits longest has waited.",
            queries=(Query('max(sms_queue_oldest_seconds{category="otp"})'),),
            unit="s",
            kind="stat",
            width=6,
            bounds=((5, YELLOW), (30, RED)),
            has_data=True,
        ),
        Panel(
            title="Texted after an opt-out",
            description="Marketing messages that went out after their recipient's no. Must be 0.",
            queries=(Query("max(sms_optout_violations_total)"),),
            kind="stat",
            width=6,
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="Parts that wait in memory",
            description="The ready queues, by category.",
            queries=(Query("sum by (category) (sms_queue_depth)", "{{category}}"),),
            has_data=True,
        ),
        Panel(
            title="Connectors",
            description="1 while any gateway has a bound session to the carrier.",
            queries=(Query("connector:sms_up:max", "{{connector}}"),),
            most=1,
            has_data=True,
        ),
        Panel(
            title="Messages in doubt",
            description="After a crash nobody knows whether these were sent.",
            queries=(Query("sum by (policy) (sms_messages_in_doubt_total)", "{{policy}}"),),
            has_data=True,
        ),
        Panel(
            title="Refused for want of room",
            description="Messages answered with 503, in a second.",
            queries=(Query(rate("sms_messages_shed_total", "category"), "{{category}}"),),
            unit="ops",
            has_data=True,
        ),
    ),
)

DELIVERY = Dashboard(
    uid="smsgate-delivery",
    title="smsgate: delivery",
    variables=(Variable("connector", "sms_connector_up"),),
    panels=(
        Panel(
            title="Delivered of what ended, one hour",
            description="Parts delivered over parts with a final status. Receipts under way are in "
            "neither.",
            queries=(Query(f"connector:sms_confirmed:ratio_rate1h{{{PICKED}}}", "{{connector}}"),),
            unit="percentunit",
            most=1,
        ),
        Panel(
            title="Parts that ended, one hour",
            description="How many the share on the left is of. Below 500 it says little.",
            queries=(Query(f"connector:sms_parts_final:increase1h{{{PICKED}}}", "{{connector}}"),),
        ),
        Panel(
            title="Final status, parts in a second",
            description="What became of parts.",
            queries=(
                Query(rate("sms_parts_final_total", "status", f"{{{PICKED}}}"), "{{status}}"),
            ),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="Receipts in a second",
            description="Receipts committed, by the status they tell.",
            queries=(Query(rate("sms_receipts_total", "status", f"{{{PICKED}}}"), "{{status}}"),),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="From acceptance to delivery",
            description="Each column shows how many parts took how long.",
            queries=(Query(rate("sms_delivery_seconds_bucket", "le", f"{{{PICKED}}}"), "{{le}}"),),
            kind="heatmap",
            unit="s",
            has_data=True,
        ),
        Panel(
            title="Half are delivered within",
            description="The median from acceptance to receipt, by category.",
            queries=(
                Query(
                    "histogram_quantile(0.5, "
                    f"{rate('sms_delivery_seconds_bucket', 'category, le', f'{{{PICKED}}}')})",
                    "{{category}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            title="Receipts that belong to no message",
            description="Their share of all receipts, over an hour.",
            queries=(Query("max(job:sms_receipts_unmatched:ratio_rate1h)", "unmatched"),),
            unit="percentunit",
            bounds=((0.01, RED),),
        ),
        Panel(
            title="Receipts that are out of the ordinary",
            description="Without a message they name, with an unknown word, guessed, or refused.",
            queries=(
                Query(total("sms_receipts_unreadable_total", f"{{{PICKED}}}"), "unreadable"),
                Query(total("sms_receipts_unknown_state_total", f"{{{PICKED}}}"), "unknown word"),
                Query(total("sms_receipts_guessed_total", f"{{{PICKED}}}"), "guessed"),
                Query(total("sms_receipts_refused_total", f"{{{PICKED}}}"), "sent again later"),
            ),
            unit="ops",
            has_data=True,
        ),
    ),
)

CONNECTORS = Dashboard(
    uid="smsgate-connectors",
    title="smsgate: connectors",
    variables=(Variable("connector", "sms_connector_up"),),
    panels=(
        Panel(
            title="Bound sessions",
            description="Of all gateways.",
            queries=(Query(f"connector:sms_binds:sum{{{PICKED}}}", "{{connector}}"),),
            has_data=True,
        ),
        Panel(
            title="Sessions lost in 15 minutes",
            description="More than six are an alert.",
            queries=(
                Query(
                    f"sum by (connector) (increase(sms_binds_lost_total{{{PICKED}}}[15m]))",
                    "{{connector}}",
                ),
            ),
            bounds=((6, RED),),
            has_data=True,
        ),
        Panel(
            title="Submits without an answer",
            description="What is in the windows.",
            queries=(
                Query(f"sum by (connector) (sms_window_in_flight{{{PICKED}}})", "{{connector}}"),
            ),
            has_data=True,
        ),
        Panel(
            title="Pace in force, and parts written",
            description="Parts in a second; the pace falls where a carrier throttles.",
            queries=(
                Query(
                    f"sum by (connector) (sms_pace_parts_per_second{{{PICKED}}})",
                    "pace {{connector}}",
                ),
                Query(rate("sms_submits_total", "connector", f"{{{PICKED}}}"), "{{connector}}"),
            ),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="Throttled share",
            description="Answers that ask for a slower pace, over five minutes.",
            queries=(
                Query(f"connector:sms_submit_throttled:ratio_rate5m{{{PICKED}}}", "{{connector}}"),
            ),
            unit="percentunit",
            bounds=((0.05, RED),),
        ),
        Panel(
            title="Refused, by command_status",
            description="Answers to submit_sm that are not ESME_ROK, in a second.",
            queries=(
                Query(
                    rate(
                        "sms_submit_responses_total",
                        "connector, status",
                        f'{{{PICKED},status!="ESME_ROK"}}',
                    ),
                    "{{connector}} {{status}}",
                ),
            ),
            unit="ops",
        ),
        Panel(
            title="Submits never answered",
            description="In a second; what they were is in doubt.",
            queries=(
                Query(
                    rate("sms_submits_unanswered_total", "connector", f"{{{PICKED}}}"),
                    "{{connector}}",
                ),
            ),
            unit="ops",
            has_data=True,
        ),
        Panel(
            title="PDUs out of the ordinary",
            description="Malformed, refused, on the wrong session, or answers nobody waits for.",
            queries=(Query(rate("sms_session_pdus_total", "kind", f"{{{PICKED}}}"), "{{kind}}"),),
            unit="ops",
            has_data=True,
        ),
    ),
)

QUEUES = Dashboard(
    uid="smsgate-queues",
    title="smsgate: queues",
    panels=(
        Panel(
            title="Parts in memory",
            description="By connector and category.",
            queries=(
                Query(
                    "sum by (connector, category) (sms_queue_depth)", "{{connector}} {{category}}"
                ),
            ),
            has_data=True,
        ),
        Panel(
            title="Oldest message",
            description="How long it has waited, in memory or in the database.",
            queries=(Query("max by (category) (sms_queue_oldest_seconds)", "{{category}}"),),
            unit="s",
            has_data=True,
        ),
        Panel(
            title="Held, refused or ended by a rule",
            description="Messages in a second, by rule and what it decided.",
            queries=(
                Query(rate("sms_policy_decisions_total", "rule, action"), "{{rule}} {{action}}"),
            ),
            unit="ops",
        ),
        Panel(
            title="Waiting for a commit",
            description="Messages on their way in, by lane.",
            queries=(Query("sum by (lane) (sms_accept_waiting)", "{{lane}}"),),
            has_data=True,
        ),
        Panel(
            title="Commits take",
            description="How long the last group commit of each writer took.",
            queries=(Query("max by (writer) (sms_commit_last_duration_seconds)", "{{writer}}"),),
            unit="s",
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="Items in a commit",
            description="The batch size: more load makes it larger.",
            queries=(
                Query(
                    f"{rate('sms_commit_items_total', 'writer')}"
                    f" / ({rate('sms_commit_flushes_total', 'writer')} > 0)",
                    "{{writer}}",
                ),
            ),
        ),
        Panel(
            title="Reads that wait for a connection",
            description="Reports, lists and look-ups.",
            queries=(Query("sum by (pool) (sms_pool_waiting)", "{{pool}}"),),
            has_data=True,
        ),
        Panel(
            title="Moved and expired while waiting",
            description="To another connector, or out of time before any could take them.",
            queries=(
                Query(total("sms_messages_rerouted_total"), "moved"),
                Query(total("sms_messages_expired_waiting_total"), "expired"),
            ),
            unit="ops",
            has_data=True,
        ),
    ),
)
