"""The dashboard of campaigns, and of what they know of people.

Owns its panels. Must not say how a panel is drawn (shapes.py).
"""

from __future__ import annotations

from docker.grafana.queries import RED, YELLOW, rate
from docker.grafana.shapes import Dashboard, Panel, Query

CAMPAIGNS = Dashboard(
    uid="smsgate-campaigns",
    title="smsgate: campaigns",
    panels=(
        Panel(
            title="Campaigns under way",
            description="Canaries and campaigns that run.",
            queries=(
                Query('sum(max by (state) (sms_campaigns{state=~"canary|running"})) or vector(0)'),
            ),
            kind="stat",
            width=8,
            has_data=True,
        ),
        Panel(
            title="Paused",
            description="By hand or by the gateway. They wait for somebody.",
            queries=(Query('max(sms_campaigns{state="paused"}) or vector(0)'),),
            kind="stat",
            width=8,
            bounds=((1, YELLOW),),
            has_data=True,
        ),
        Panel(
            title="Paused by the gateway within a day",
            description="A bound was crossed, a carrier or a link was away, or nobody fed them.",
            queries=(Query('sum(increase(sms_campaign_moves_total{move="paused"}[1d]))'),),
            kind="stat",
            width=8,
            bounds=((1, RED),),
            has_data=True,
        ),
        Panel(
            title="People fed in a second",
            description="Who got a message, and who was skipped, by reason.",
            queries=(Query(rate("sms_campaign_recipients_total", "outcome"), "{{outcome}}"),),
            unit="ops",
        ),
        Panel(
            title="Campaigns by state",
            description="When a process last looked.",
            queries=(Query("max by (state) (sms_campaigns)", "{{state}}"),),
        ),
        Panel(
            title="Chunks that are begun",
            description="Groups of people whose messages are being stored. Not many for long.",
            queries=(Query("max(sms_campaign_chunks_waiting)", "chunks"),),
            has_data=True,
        ),
        Panel(
            title="What the gateway decided by itself",
            description="In ten minutes: paused, released from a canary, decided, finished.",
            queries=(Query("sum by (move) (increase(sms_campaign_moves_total[10m]))", "{{move}}"),),
            has_data=True,
        ),
        Panel(
            title="Events of people",
            description="In a second: told by the application, and made of what the gateway knows.",
            queries=(
                Query(rate("sms_contact_events_total", "answer"), "told: {{answer}}"),
                Query(rate("sms_contact_events_made_total", "kind"), "made: {{kind}}"),
            ),
            unit="ops",
        ),
        Panel(
            title="Events wait to be made",
            description="So long the oldest has waited. Segments do not know of it yet.",
            queries=(Query("max(sms_contact_events_late_seconds)", "oldest"),),
            unit="s",
            bounds=((900, RED),),
            has_data=True,
        ),
        Panel(
            title="Rows of imported files",
            description="Contacts of files, by verdict, in a second.",
            queries=(Query(rate("sms_contact_import_rows_total", "verdict"), "{{verdict}}"),),
            unit="ops",
        ),
    ),
)
