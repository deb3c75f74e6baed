"""The compliance part of a campaign's report: consents, hours, caps, and how fast opt-outs held.

Owns that look at what was really sent, and its sums. Must not stop anything: the rules do. Hours
and caps are those in force at the look.

A batch is looked at once all of what it sent is known. What was found then stays, whatever becomes
of consents and numbers: only opt-outs may still come.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from campaigns.reporting.counting import Batch
from dispatch.message import MessageOptions
from dlr.reasons import Reason
from dlr.rollups.latency import bucket_of, percentile
from messages.rules.quiet_hours import TimingRules
from recipients.caps import DAY_MS, Caps
from storage import sql
from storage.crypto import NumberVault
from storage.ids import EPOCH_UNIX_MS
from storage.pool import Connection

_SQL = sql.load("campaigns")
SLICE_ITEMS = 200  # opening a number takes 20 us
GRACE_MS = 60_000  # from a queue to the wire
_SPANS = (("day", 1), ("week", 7), ("month", 30))


class Found(msgspec.Struct, kw_only=True):
    """Sums over `messages` that were sent. `capped` False: the account has no caps.

    `latency_ms`: opt-outs by bucket of dlr/rollups/latency.py, and the longest one.
    """

    messages: int = 0
    without_consent: int = 0
    without_evidence: int = 0
    outside_hours: int = 0
    capped: bool = False
    caps_exceeded: int = 0
    opt_outs: int = 0
    latency_ms: dict[int, int] = msgspec.field(default_factory=dict)
    latency_max_ms: int = 0

    def add(self, other: Found) -> None:
        """These, too."""
        self.messages += other.messages
        self.without_consent += other.without_consent
        self.without_evidence += other.without_evidence
        self.outside_hours += other.outside_hours
        self.capped = self.capped or other.capped
        self.caps_exceeded += other.caps_exceeded
        self._latency(other)

    def _latency(self, other: Found) -> None:
        self.opt_outs += other.opt_outs
        self.latency_ms = dict(Counter(self.latency_ms) + Counter(other.latency_ms))
        self.latency_max_ms = max(self.latency_max_ms, other.latency_max_ms)


class Latency(msgspec.Struct, frozen=True):
    """Seconds from the word or press to the suppression: of half, of 95 %, and the longest."""

    opt_outs: int
    p50: float | None
    p95: float | None
    max: float | None


class Compliance(msgspec.Struct, frozen=True, kw_only=True):
    """Of `messages` that were sent and looked at. `without_consent`: nobody recorded one that
    holds; `without_evidence`: one without a proof. `outside_hours`: sent at a quiet hour or outside
    of their window. `caps_exceeded` is null where the account has no caps.
    """

    messages: int
    without_consent: int
    without_evidence: int
    outside_hours: int
    caps_exceeded: int | None
    opt_out_seconds: Latency


class Rules(msgspec.Struct, frozen=True):
    """What is asked of an account's messages, as configured now."""

    timing: Callable[[], TimingRules]
    caps: Callable[[int, int], Caps | None]


def stored_of(kept: object) -> Found | None:
    """As it is stored; None: not looked at."""
    return None if kept is None else msgspec.convert(kept, Found, strict=False)


def shown(found: Sequence[Found]) -> Compliance:
    """All of them in sum."""
    total = Found()
    for each in found:
        total.add(each)
    shares = [percentile(total.latency_ms, share) for share in ("0.5", "0.95")]
    p50, p95 = (None if each is None else round(each / 1000, 3) for each in shares)
    return Compliance(
        messages=total.messages,
        without_consent=total.without_consent,
        without_evidence=total.without_evidence,
        outside_hours=total.outside_hours,
        caps_exceeded=total.caps_exceeded if total.capped else None,
        opt_out_seconds=Latency(
            total.opt_outs, p50, p95, total.latency_max_ms / 1000 if total.opt_outs else None
        ),
    )


async def look(
    connection: Connection,
    vault: NumberVault,
    rules: Rules,
    account: int,
    batches: Sequence[Batch],
    *,
    seconds_max: float | None = None,
) -> Found:
    """What is found of these batches now."""
    if not batches:
        return Found()
    ids = [each.batch for each in batches]
    since, until = min(ids), max(each.until_id for each in batches)
    rows = await connection.fetch(
        _SQL["compliance_sent"], ids, since, until, account, timeout=seconds_max
    )
    found = await _opt_outs(connection, account, ids, since, until)
    found.messages = len(rows)
    timing = rules.timing()
    for place, row in enumerate(rows):
        found.without_consent += not row["granted"]
        found.without_evidence += row["granted"] and not row["proved"]
        found.outside_hours += _outside(timing, vault, account, row)
        caps = rules.caps(account, row["category"])
        if caps is not None:
            found.capped = True
            found.caps_exceeded += over(caps, row["sent_at"] or (), row["at_ms"])
        if place % SLICE_ITEMS == SLICE_ITEMS - 1:
            await asyncio.sleep(0)
    return found


async def refreshed(connection: Connection, account: int, batch: Batch, before: Found) -> Found:
    """What was found, with the opt-outs that came since."""
    now = await _opt_outs(connection, account, [batch.batch], batch.batch, batch.until_id)
    if now.opt_outs < before.opt_outs:  # people were erased
        return before
    return msgspec.structs.replace(
        before, opt_outs=now.opt_outs, latency_ms=now.latency_ms, latency_max_ms=now.latency_max_ms
    )


def over(caps: Caps, sent_at: Sequence[int], at_ms: int) -> bool:
    """Whether a message that went at `at_ms` was one too many. `sent_at`: of all to its number."""
    for name, days in _SPANS:
        limit: int | None = getattr(caps, name)
        if limit is None:
            continue
        within = sum(at_ms - days * DAY_MS < each <= at_ms for each in sent_at)
        if within > limit:
            return True
    return False


async def _opt_outs(
    connection: Connection, account: int, ids: Sequence[int], since: int, until: int
) -> Found:
    rows = await connection.fetch(
        _SQL["compliance_opt_outs"], ids, since, until, account, EPOCH_UNIX_MS, Reason.OPTED_OUT
    )
    buckets = Counter(bucket_of(row["ms"]) for row in rows)
    longest = max((int(row["ms"]) for row in rows), default=0)
    return Found(opt_outs=len(rows), latency_ms=dict(buckets), latency_max_ms=max(0, longest))


def _outside(timing: TimingRules, vault: NumberVault, account: int, row: asyncpg.Record) -> bool:
    """Whether it was too late, or too early, when it left its queue and when it was on the wire."""
    kept = row["options"]
    options = None if kept is None else msgspec.convert(kept, MessageOptions)
    if not timing.concerns(row["category"], options):
        return False
    number = vault.open_or_none(row["to_enc"])
    if number is None:  # erased: nobody knows whose clock it was
        return False
    return all(
        timing.wait(number, account, row["category"], options, at_ms) is not None
        for at_ms in (row["at_ms"], row["at_ms"] - GRACE_MS)
    )
