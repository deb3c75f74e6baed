"""The work on the side put together: each step with what it needs, and what is kept for how long.

Owns that wiring alone. Must not start anything.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dispatch.inbound.text_ends import inbound_texts
from dispatch.outbox.expiry import Expiry
from dispatch.outbox.withdrawal import Withdrawal
from dlr.hygiene.evidence import keep_deliveries
from dlr.hygiene.lifting import Lifting
from dlr.hygiene.prune import PruneJob
from dlr.parked import ParkedReceipts
from dlr.silence import Silence
from gateway.config.retention_settings import RetentionSettings
from gateway.maintenance import Maintenance, PartitionsAhead, Timeless, steps
from gateway.vitals import Lease, LoopLag
from gateway.wiring import rollups
from gateway.wiring.campaigns import batch_counter
from gateway.wiring.inbound import opt_out_scopes
from messages.control.text_ends import message_texts
from storage import sql
from storage.audit_anchor import KEY_BYTES, KEY_PURPOSE, Anchors
from storage.audit_cut import AuditCut
from storage.pool import Connection
from storage.retention import Forgets, KeptDays, Outlive, Retention
from storage.terms import TTL_SECONDS
from web.edge.key_store import DatabaseKeys

if TYPE_CHECKING:
    from gateway.rooms import Rooms


def build(
    rooms: Rooms,
    monotonic: Callable[[], float],
    *,
    take_over: Timeless,
    lost: Callable[[str], None],
) -> None:
    """Called when the sending side stands. Sets retention, message_texts, inbound_texts, lifting,
    prune, key_store, parked, silence, expiry, withdrawal, partitions, loop_lag and maintenance.
    """
    recorder = rooms.dispatcher.recorder
    anchors = Anchors(
        Path(rooms.config.database.data_dir), rooms.keys.derive(KEY_PURPOSE, KEY_BYTES)
    )
    rooms.retention = _retention(rooms, anchors)
    rooms.lifting = Lifting()
    rooms.prune = prune_job(rooms)
    rooms.key_store = DatabaseKeys(rooms.database.read, rooms.clock.wall_ms)
    rooms.parked = ParkedReceipts(rooms.ids, follow_up=recorder.follow_up, groups=recorder.groups)
    rooms.silence = Silence(rooms.config.limits.unknown_after_hours, rooms.ids)
    rooms.expiry = Expiry(rooms.ids)
    rooms.message_texts = message_texts()
    rooms.inbound_texts = inbound_texts()
    rooms.withdrawal = withdrawal(rooms)
    rooms.partitions = PartitionsAhead()
    rooms.loop_lag = LoopLag(monotonic)
    rooms.maintenance = Maintenance(
        rooms.database.dedicated("renew"),
        rooms.database.dedicated("maintenance"),
        term=rooms.term,
        lease=Lease(TTL_SECONDS, monotonic),
        clock=rooms.database_clock,
        steps=steps(
            partitions=rooms.partitions,
            parked=rooms.parked,
            expiry=rooms.expiry,
            withdrawal=rooms.withdrawal,
            silence=rooms.silence,
            lifting=rooms.lifting,
            prune=rooms.prune,
            retention=rooms.retention,
            keys=rooms.key_store,
            vault=rooms.vault,
            rotation=rooms.rotation,
            ids=rooms.ids,
            erasing=rooms.erasing,
            anchors=anchors,
            backups=rooms.backups,
            message_texts=rooms.message_texts,
            inbound_texts=rooms.inbound_texts,
            reviewer=rooms.reviewer,
            take_over=take_over,
        ),
        lost=lost,
        ended=rooms.task_ended,
    )


def withdrawal(rooms: Rooms) -> Withdrawal:
    """The sweep of what waits for people who have opted out, from now on."""
    scopes = opt_out_scopes(rooms.config, rooms.registry.accounts)
    since = datetime.fromtimestamp(rooms.clock.wall_ms() / 1000, UTC)
    return Withdrawal(rooms.ids, since, scopes.covers)


def _retention(rooms: Rooms, anchors: Anchors) -> Retention:
    return Retention(
        kept_days(rooms.config.retention),
        rooms.clock.wall_ms,
        forgets=forgets(),
        outlive=_outlive(rooms),
        cut_audit=AuditCut(rooms.ids, anchors).step,
    )


def _outlive(rooms: Rooms) -> Outlive:
    """What of messages is kept elsewhere before they go: deliveries of numbers, and campaigns."""
    campaigns = batch_counter(rooms)

    async def kept(connection: Connection, since: datetime, until: datetime) -> None:
        await keep_deliveries(connection, since, until)
        now = datetime.fromtimestamp(rooms.clock.wall_ms() / 1000, UTC)
        await campaigns.last_counts(connection, since, until, now)

    return kept


def prune_job(rooms: Rooms) -> PruneJob:
    """The walk through all evidence, as configured."""
    settings = rooms.config.hygiene
    return PruneJob(
        rooms.ids.next,
        vault=rooms.vault,
        every_hours=settings.prune_hours,
        below=settings.prune_below,
    )


def kept_days(settings: RetentionSettings) -> KeptDays:
    """What is kept for how long, as configured."""
    return KeptDays(
        messages=settings.messages_days,
        clicks=settings.clicks_days,
        inbound=settings.inbound_days,
        raw=settings.raw_days,
        webhooks=settings.webhooks_days,
        suppressions=settings.suppressions_days,
        complaints=settings.complaints_days,
        evidence=settings.evidence_days,
        rollups=settings.rollups_days,
        rollup_totals=settings.rollup_totals_days,
        rollup_tags=settings.rollup_tags_days,
        imports=settings.imports_days,
        events=settings.events_days,
        audit=settings.audit_days,
    )


def forgets() -> tuple[Forgets, ...]:
    """What deletes rows of tables that have no days. Each statement stands with its table's SQL."""
    return (
        Forgets("batch_control", "messages", sql.load("messages")["batch_purge"], by_id=True),
        Forgets("owner_term", "messages", sql.load("storage")["terms_purge"]),
        Forgets("click_gap", "clicks", sql.load("shortlinks")["gaps_purge"]),
        Forgets("link", "clicks", sql.load("shortlinks")["links_purge"]),
        Forgets("click_review", "clicks", sql.load("shortlinks")["reviews_purge"]),
        Forgets("conversion", "clicks", sql.load("shortlinks")["conversions_purge"], by_id=True),
        Forgets("number_evidence", "evidence", sql.load("dlr")["evidence_purge"]),
        Forgets("webhook_endpoint", "webhooks", sql.load("dlr")["endpoints_purge"]),
        Forgets("suppression", "suppressions", sql.load("storage")["suppressions_purge"]),
        Forgets("anomaly", "messages", sql.load("dlr")["anomaly_forget"], by_id=True),
        *(
            Forgets(table, "imports", sql.load("recipients")[purge], by_id=True)
            for table, purge in (
                ("suppression_import_step", "import_steps_purge"),
                ("suppression_import", "imports_purge"),
            )
        ),
        *(
            Forgets(table, "messages", sql.load("campaigns")[f"{table}_purge"], by_id=True)
            for table in ("campaign_chunk", "campaign_excluded", "campaign_skip")
        ),
        *(
            Forgets(table, "rollup_totals", sql.load("campaigns")[f"{table}_purge"], by_id=True)
            for table in ("campaign_stat", "campaign_stat_batch")
        ),
        Forgets("import_job", "imports", sql.load("campaigns")["import_jobs_purge"], by_id=True),
        *rollups.forgets(),
        Forgets("complaint", "complaints", sql.load("recipients")["complaints_purge"], by_id=True),
    )
