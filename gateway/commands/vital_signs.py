"""What `smsgate doctor` reads from the metrics of a running gateway.

Owns the thresholds and the remedies. Must not ask for the metrics itself. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.commands.findings import Finding
from gateway.commands.scrape import Scrape

TERM_SECONDS_MIN = 4.0
LAG_SECONDS_MAX = 0.5
UNMATCHED_SHARE_MAX = 0.01
RECEIPTS_MIN = 100


def vital_signs(scrape: Scrape) -> Iterator[Finding]:
    """Only what is not as it should be, and receipts."""
    left = scrape.of("sms_term_seconds_left")
    if left is not None and left < TERM_SECONDS_MIN:
        detail = f"{left:.0f} s are left of its term"
        yield Finding("term", False, detail, "look at the database and its disk: docs/runbooks.md")
    missing = scrape.of("sms_partitions_missing") or 0
    if missing:
        detail = f"{missing:.0f} could not be made"
        yield Finding("partitions", False, detail, "the log says why; room on the disk, and locks")
    lag = scrape.of("sms_loop_lag_seconds") or 0.0
    if lag > LAG_SECONDS_MAX:
        remedy = "give it a processor of its own: something takes it away"
        yield Finding("event loop", True, f"{lag:.1f} s behind in the last minute", remedy)
    yield _receipts(scrape)
    disabled = scrape.total(
        "sms_webhook_endpoints", lambda labels: labels.get("state") == "disabled"
    )
    if disabled:
        remedy = "`smsgate webhooks list` names them; their owner enables them"
        yield Finding("webhooks", True, f"{disabled:.0f} endpoints are disabled", remedy)


def _receipts(scrape: Scrape) -> Finding:
    receipts = scrape.total("sms_receipts_total")
    unmatched = max(
        0.0, scrape.total("sms_receipts_parked_total") - scrape.total("sms_receipts_joined_total")
    )
    detail = f"{receipts:.0f} since its start, {unmatched:.0f} of no message that is known"
    if receipts >= RECEIPTS_MIN and unmatched > UNMATCHED_SHARE_MAX * receipts:
        remedy = "the ids differ: response_id_base and receipt_id_base, docs/receipts.md"
        return Finding("receipts", False, detail, remedy)
    return Finding("receipts", True, detail)
