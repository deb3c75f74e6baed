"""The plain counters of every package as samples for /metrics.

Owns the mapping from counters to names of web/catalogue.py. Must not run but at a scrape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from dispatch.answers.delivery_time import BUCKETS as DELIVERY_BUCKETS
from dispatch.answers.outcomes import OTHER_STATUS
from dispatch.breakers.scopes import Scope
from dispatch.inbound.latency import BUCKETS
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dlr.anomalies.detectors import DETECTORS
from dlr.reasons import Reason
from dlr.status import Status
from dlr.webhooks.endpoint_state import State
from gateway.wiring import campaigns, caps, contacts, redirects, rollups
from gateway.wiring.message_templates import VALUE_ENDS
from gateway.wiring.process_samples import vitals
from recipients.replies import ReplyClass
from smpp.client import BindState
from smpp.vocabulary import status_name
from storage.categories import Category
from storage.group_commit import GroupCommit
from storage.names import SANDBOX
from web.metrics import cumulative
from web.samples import HistogramSample, Sample

if TYPE_CHECKING:
    from gateway.rooms import Rooms

T = TypeVar("T")
R = TypeVar("R")
_SESSION_PDUS = (
    ("on_transmitter", "taken_on_transmitter"),
    ("before_bind", "taken_before_bind"),
    ("malformed", "pdus_malformed"),
    ("refused", "requests_refused"),
    ("unmatched_response", "responses_unmatched"),
    ("unmatched_nack", "nacks_unmatched"),
)


def snapshot(rooms: Rooms) -> Iterator[Sample | HistogramSample]:
    """Every sample of this process but the HTTP ones, which the web server counts itself."""
    yield from vitals(rooms, rooms.maintenance.lease)
    yield from _storage(rooms)
    yield from _accepting(rooms)
    for dispatch in rooms.dispatcher.connectors.values():
        if dispatch.pool is not None or dispatch.connector != SANDBOX:  # until it is used
            yield from _connector(dispatch)
            yield from _oldest(rooms, dispatch)
    yield from _breakers(rooms)
    yield from _recording(rooms)
    yield Sample("sms_numbers_unreadable_total", rooms.vault.unreadable)
    yield from _inbound(rooms)
    yield from _webhooks(rooms)
    yield from rollups.samples(rooms)
    yield from contacts.samples(rooms)
    yield from campaigns.samples(rooms)
    yield from caps.samples(rooms)
    yield from redirects.samples(rooms)
    for what, count in rooms.conversions.counts.items():
        yield Sample("sms_conversions_total", count, (what,))
    for what, count in rooms.conversions.answered.items():
        yield Sample("sms_conversion_answers_total", count, (what,))
    yield from _writer(rooms.conversions.commits)
    for what, count in rooms.public_links.counts.items():
        yield Sample("sms_links_total", count, (what,))
    yield from _writer(rooms.public_links.commits)
    yield from _writer(rooms.segments.commits)
    for what, count in rooms.templates.desk.counts.items():
        yield Sample("sms_templates_total", count, (what,))
    for what in VALUE_ENDS:
        yield Sample("sms_template_values_total", rooms.templates.messages.counts[what], (what,))
    yield from _writer(rooms.templates.desk.commits)
    changed = rooms.reviewer.changed
    yield Sample("sms_clicks_reviewed_total", rooms.reviewer.settled - changed, ("same",))
    yield Sample("sms_clicks_reviewed_total", changed, ("changed",))


def _breakers(rooms: Rooms) -> Iterator[Sample]:
    holding = Counter(each.target.scope for each in rooms.breakers.board.known)
    for scope in Scope:
        yield Sample("sms_breakers_open", holding[scope], (str(scope),))
    for detector in DETECTORS:
        yield Sample("sms_anomalies_total", rooms.anomalies.told[detector], (detector,))
    yield Sample("sms_breakers_lifted_total", rooms.breakers.watch.lifted)


def _storage(rooms: Rooms) -> Iterator[Sample]:
    yield Sample("sms_backup_last_timestamp_seconds", rooms.backups.timestamp)
    yield Sample("sms_partitions_missing", rooms.partitions.missing)
    yield Sample("sms_pool_waiting", rooms.database.read.waiting, ("read",))


def _accepting(rooms: Rooms) -> Iterator[Sample]:
    accepter = rooms.accepter
    for category in Category:
        count = accepter.accepted_by_category[category]
        yield Sample("sms_messages_accepted_total", count, (category.label,))
    for status in (Status.SUPPRESSED, Status.CAPPED, Status.EXPIRED):
        count = accepter.ended.get(status, 0)
        yield Sample("sms_messages_ended_at_accept_total", count, (status.label,))
    yield Sample("sms_messages_deduplicated_total", accepter.deduplicated)
    yield Sample("sms_idempotency_replays_total", rooms.idempotency.replayed)
    yield from _writer(rooms.idempotency.commits)
    for category, count in rooms.shedding.shed.items():
        yield Sample("sms_messages_shed_total", count, (category.label,))
    yield Sample("sms_messages_canceled_total", rooms.control.canceled)
    dispatcher = rooms.dispatcher
    decided: Counter[tuple[str, str]] = Counter()
    for decisions in (rooms.rules, accepter, dispatcher.intents):
        decided.update(decisions.decisions)
    for (rule, action), count in sorted(decided.items()):
        yield Sample("sms_policy_decisions_total", count, (rule, action))
    for lane in accepter.lanes:
        yield Sample("sms_accept_waiting", lane.waiting, (lane.name,))
        yield from _writer(lane)
    yield from _writer(dispatcher.intents.commits)
    yield from _writer(dispatcher.recorder.commits)
    yield from _writer(rooms.control.canceler.commits)


def _writer(commits: GroupCommit[T, R]) -> Iterator[Sample]:
    labels = (commits.name,)
    yield Sample("sms_commit_flushes_total", commits.flushes, labels)
    yield Sample("sms_commit_items_total", commits.items_flushed, labels)
    yield Sample("sms_commit_last_duration_seconds", commits.last_flush_seconds, labels)


def _connector(dispatch: ConnectorDispatch) -> Iterator[Sample]:
    labels = (dispatch.name,)
    pool = dispatch.pool
    binds = [] if pool is None else pool.binds
    for category in Category:
        parts = dispatch.ready.scheduler.parts_of(category)
        yield Sample("sms_queue_depth", parts, (dispatch.name, category.label))
    yield Sample("sms_connector_up", float(pool is not None and pool.up), labels)
    yield Sample("sms_binds_up", sum(bind.state is BindState.BOUND for bind in binds), labels)
    yield Sample("sms_binds_held", len(binds), labels)
    lost = sum(bind.counters.sessions for bind in binds) - sum(
        bind.state is BindState.BOUND for bind in binds
    )
    yield Sample("sms_binds_lost_total", max(0, lost), labels)
    for kind, field in _SESSION_PDUS:
        count = sum(getattr(bind.session_counters, field) for bind in binds)
        yield Sample("sms_session_pdus_total", count, (dispatch.name, kind))
    yield Sample("sms_window_in_flight", dispatch.parts_in_flight, labels)
    yield Sample("sms_submits_total", dispatch.parts_written, labels)
    outcomes = dispatch.outcomes
    for status, count in outcomes.responses.items():
        yield Sample("sms_submit_responses_total", count, (dispatch.name, _status(status)))
    yield Sample("sms_submits_unanswered_total", outcomes.in_doubt, labels)
    yield Sample("sms_throttled_total", dispatch.pace.throttled_total, labels)
    rate = dispatch.pace.per_second
    if rate is not None:
        yield Sample("sms_pace_parts_per_second", rate, labels)
    if dispatch.queries is not None:
        for result, count in dispatch.queries.results.items():
            yield Sample("sms_queries_total", count, (dispatch.name, result))
    yield Sample("sms_receipts_refused_total", dispatch.intake.counters.deferred, labels)
    intake = dispatch.intake
    yield Sample("sms_receipts_unreadable_total", intake.counters.unreadable, labels)
    yield Sample("sms_receipts_unknown_state_total", intake.reader.unknown_words.total, labels)
    yield Sample("sms_receipts_unmarked_total", intake.counters.receipt_like, labels)
    yield Sample("sms_receipts_unreadable_time_total", intake.reader.undated, labels)
    yield Sample("sms_receipts_guessed_total", intake.counters.guessed, labels)


def _oldest(rooms: Rooms, dispatch: ConnectorDispatch) -> Iterator[Sample]:
    now_ns = rooms.clock.monotonic_ns()
    for category in Category:
        in_memory = dispatch.ready.scheduler.oldest_age(category, now_ns) / 1e9
        behind = rooms.control.backlog_age_seconds(dispatch.connector, category)
        labels = (dispatch.name, category.label)
        yield Sample("sms_queue_oldest_seconds", max(in_memory, behind), labels)


def _status(command_status: int) -> str:
    return "other" if command_status == OTHER_STATUS else status_name(command_status)


def _recording(rooms: Rooms) -> Iterator[Sample | HistogramSample]:
    recorder = rooms.dispatcher.recorder
    counters = recorder.counters
    names = {number: dispatch.name for number, dispatch in rooms.dispatcher.connectors.items()}
    for metric, counts in (
        ("sms_parts_final_total", Counter(counters.final) + Counter(rooms.parked.final)),
        ("sms_receipts_total", counters.receipts),
    ):
        for (connector, status), count in counts.items():
            yield Sample(metric, count, (names.get(connector, ""), Status(status).label))
    for (connector, category), taken in recorder.delivery_time.taken.items():
        yield HistogramSample(
            "sms_delivery_seconds",
            cumulative(DELIVERY_BUCKETS, taken.counts),
            taken.seconds,
            (names.get(connector, ""), Category(category).label),
        )
    disbelieved = counters.disbelieved + rooms.parked.disbelieved
    for connector, count in disbelieved.items():
        yield Sample("sms_receipts_implausible_time_total", count, (names.get(connector, ""),))
    yield Sample("sms_receipts_parked_total", counters.receipts_parked)
    yield Sample("sms_receipts_joined_total", counters.receipts_joined + rooms.parked.joined)
    yield Sample("sms_messages_rerouted_total", rooms.dispatcher.handover.moved)
    yield Sample("sms_messages_expired_waiting_total", rooms.expiry.expired)
    yield Sample("sms_receipts_waiting", recorder.receipts_waiting)
    yield Sample("sms_records_unstorable_total", counters.unstorable)
    yield Sample("sms_numbers_suppressed_total", counters.numbers_suppressed)
    for reason, count in rooms.another_way.begun.items():
        yield Sample("sms_messages_another_way_total", count, (Reason(reason).label,))
    yield Sample("sms_numbers_lifted_total", rooms.lifting.lifted)
    yield Sample("sms_numbers_pruned_total", rooms.prune.pruned)
    yield Sample("sms_proofs_waiting", rooms.lifting.waiting)
    yield Sample("sms_proof_guard_closed_total", rooms.dispatcher.recorder.pruning.guard.closed)
    yield Sample("sms_indexes_rewritten", int(rooms.vault.rewritten))
    yield Sample("sms_number_rotation_phase", int(rooms.rotation.phase))
    for table in rooms.rotation.tables:
        yield Sample("sms_number_rotation_moved_rows", table.rows_moved, (table.name,))
        yield Sample("sms_number_rotation_left_rows", table.rows_left, (table.name,))
    recovered = rooms.recovered
    yield Sample("sms_messages_in_doubt_total", recovered.resent, ("resend",))
    yield Sample("sms_messages_in_doubt_total", recovered.held, ("hold",))
    yield Sample("sms_messages_in_doubt_total", recovered.failed, ("fail",))


def _inbound(rooms: Rooms) -> Iterator[Sample | HistogramSample]:
    recorder = rooms.inbound.recorder
    yield from _writer(recorder.commits)
    yield Sample("sms_inbound_messages_total", recorder.counters.messages)
    yield Sample("sms_inbound_incomplete_total", recorder.counters.incomplete)
    yield Sample("sms_inbound_repeated_total", recorder.counters.repeated)
    yield Sample("sms_inbound_unstorable_total", recorder.counters.unstorable)
    yield Sample("sms_inbound_waiting", recorder.waiting)
    opt_outs = recorder.opt_outs
    yield Sample("sms_optouts_total", opt_outs.opted_out, ("keyword",))
    yield Sample("sms_optouts_total", rooms.suppressions.opted_out, ("api",))
    yield Sample("sms_optouts_total", rooms.imports.opted_out, ("import",))
    pages = rooms.opt_out_pages
    yield Sample("sms_optouts_total", pages.counts["opted_out"], ("page",))
    yield Sample("sms_optouts_undone_total", opt_outs.opted_in, ("keyword",))
    yield Sample("sms_optouts_undone_total", pages.counts["opted_in"], ("page",))
    yield from _writer(pages.commits)
    for reply_class in ReplyClass:
        count = opt_outs.classes[reply_class.value]
        yield Sample("sms_inbound_replies_total", count, (reply_class.value,))
    for (source, connector_name), count in rooms.complaints.told.items():
        yield Sample("sms_complaints_total", count, (source, connector_name))
    latency = opt_outs.latency
    yield HistogramSample(
        "sms_optout_apply_latency_seconds", cumulative(BUCKETS, latency.counts), latency.seconds
    )
    for metric, replies in (
        ("sms_optout_replies_total", rooms.inbound.confirmations),
        ("sms_help_replies_total", rooms.inbound.help_replies),
    ):
        yield Sample(metric, replies.sent, ("sent",))
        yield Sample(metric, replies.dropped, ("dropped",))
    yield Sample("sms_optout_withdrawn_total", rooms.withdrawal.withdrawn)
    yield Sample("sms_optout_violations_total", rooms.inbound.violations.violations)
    for connector, intake in rooms.inbound.intakes.items():
        labels = (rooms.dispatcher.connectors[connector].name,)
        yield Sample("sms_inbound_parts_total", intake.counters.parts, labels)
        for guess, count in intake.counters.read_as.items():
            yield Sample("sms_inbound_alphabet_guessed_total", count, (*labels, guess))
        yield Sample("sms_inbound_headers_guessed_total", intake.counters.headers_guessed, labels)
        yield Sample("sms_inbound_refused_total", intake.counters.deferred, labels)
        yield Sample("sms_inbound_open", len(intake.reassembly), labels)


def _webhooks(rooms: Rooms) -> Iterator[Sample]:
    webhooks = rooms.webhooks
    yield from _writer(webhooks.results.commits)
    yield Sample("sms_webhook_events_total", webhooks.fan_out.events)
    for result, count in webhooks.results.attempts.items():
        yield Sample("sms_webhook_attempts_total", count, (result,))
    yield Sample("sms_webhook_skipped_total", webhooks.skipped)
    yield Sample("sms_webhook_exhausted_total", webhooks.results.exhausted)
    yield Sample("sms_webhook_pending", webhooks.waiting.events)
    oldest = webhooks.waiting.oldest
    age = 0.0 if oldest is None else rooms.clock.wall_ms() / 1000 - oldest.timestamp()
    yield Sample("sms_webhook_oldest_seconds", max(0.0, age))
    states = webhooks.states()
    for state in State:
        yield Sample("sms_webhook_endpoints", states[state.label], (state.label,))
