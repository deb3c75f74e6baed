"""What a fault has cost: our records against the client's, the carrier's, and the receiver's.

Owns the rules. Must not ask anybody: all evidence is an argument. Pure.

A message is lost when it was accepted and is nowhere, or was never given to the carrier though we
say so. It is doubled when the carrier has it more often than its doubts explain. It is stuck when
it waits and nobody owes us anything for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from dlr.rollups.columns import OUTCOMES as ENDED

DELIVERED, UNDELIVERED = "delivered", "undelivered"
# What the carrier's word for a part makes of a message.
ENDS = MappingProxyType({"DELIVRD": DELIVERED, "UNDELIV": UNDELIVERED})
NOT_WRITTEN = frozenset({"accepted", "scheduled", "held", "queued", "sending", "unconfirmed"})
RESEND = "resend"


class Accepted(msgspec.Struct, frozen=True):
    """What the client was answered 202 for: to which number, and of how many parts."""

    number: str
    parts: int = 1


class Standing(msgspec.Struct, frozen=True):
    """What the gateway says of a message now."""

    status: str
    final: bool


class Evidence(msgspec.Struct):
    """Of the messages that are judged; parts count from 1.

    `standing` and `doubts` are ours by id: a doubt is the policy that was followed. `submits` are
    the carrier's by number and part. `offered` and `acknowledged` are final receipts by number and
    part: what the carrier wrote, and what we said we had.

    `doubts_over`: the minute has passed after which a receipt finds its message by its number.
    `pressing` are numbers whose receipt the carrier still offers.

    `told` are statuses that the webhook endpoint heard, `untold` the messages whose webhook still
    waits for an attempt. Clicks that were told got a redirect with their id, untold ones a redirect
    without: those must be known as lost. `counts` is the delivery report over these very messages.
    None: it was not asked.
    """

    accepted: Mapping[str, Accepted]
    standing: Mapping[str, Standing] = msgspec.field(default_factory=dict)
    doubts: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    doubts_over: bool = False
    submits: Mapping[str, Counter[int]] = msgspec.field(default_factory=dict)
    offered: Mapping[str, Mapping[int, set[str]]] = msgspec.field(default_factory=dict)
    acknowledged: Mapping[str, Mapping[int, set[str]]] = msgspec.field(default_factory=dict)
    pressing: frozenset[str] = frozenset()
    told: Mapping[str, set[str]] = msgspec.field(default_factory=dict)
    untold: frozenset[str] = frozenset()
    clicks_told: frozenset[int] = frozenset()
    clicks_stored: Sequence[int] = ()
    clicks_untold: int = 0
    clicks_asked: int = 0
    clicks_known_lost: int = 0
    counts: Mapping[str, int] | None = None


class Findings(msgspec.Struct):
    """Ids, or numbers where there is no id. Of these none may be: see `broken`.

    `in_doubt` were told as such, and `owed` wait for a receipt that the carrier never gave.
    """

    lost: list[str] = msgspec.field(default_factory=list)
    doubled: list[str] = msgspec.field(default_factory=list)
    never_accepted: list[str] = msgspec.field(default_factory=list)
    stuck: list[str] = msgspec.field(default_factory=list)
    receipts_missed: list[str] = msgspec.field(default_factory=list)
    receipts_invented: list[str] = msgspec.field(default_factory=list)
    webhooks_missing: list[str] = msgspec.field(default_factory=list)
    webhooks_wrong: list[str] = msgspec.field(default_factory=list)
    clicks_missing: int = 0
    clicks_invented: int = 0
    unaccounted: int = 0
    in_doubt: list[str] = msgspec.field(default_factory=list)
    owed: list[str] = msgspec.field(default_factory=list)

    @property
    def broken(self) -> dict[str, list[str] | int]:
        """The promises that did not hold, with what shows it."""
        return {
            name: value
            for name in self.__struct_fields__
            if name not in ("in_doubt", "owed") and (value := getattr(self, name))
        }


def judge(evidence: Evidence) -> Findings:
    """Every message, click and webhook of the evidence."""
    found = Findings()
    for message_id, accepted in evidence.accepted.items():
        _message(evidence, message_id, accepted, found)
    known = {accepted.number for accepted in evidence.accepted.values()}
    found.never_accepted = sorted(set(evidence.submits) - known)
    untold = max(0, evidence.clicks_untold - evidence.clicks_known_lost)
    found.clicks_missing = len(evidence.clicks_told - set(evidence.clicks_stored)) + untold
    repeated = len(evidence.clicks_stored) - len(set(evidence.clicks_stored))
    found.clicks_invented = repeated + max(
        0, len(evidence.clicks_stored) - repeated - evidence.clicks_asked
    )
    if evidence.counts is not None:
        found.unaccounted = _unaccounted(evidence.counts, evidence)
    return found


def _unaccounted(counts: Mapping[str, int], evidence: Evidence) -> int:
    """How far the report is from: accepted = waiting + in doubt + final, each by its status."""
    standing = Counter(each.status for each in evidence.standing.values())
    wanted = {name: standing[name] for name in ENDED}
    wanted["accepted"] = len(evidence.accepted)
    wanted["pending"] = len(evidence.accepted) - sum(standing[name] for name in ENDED)
    return sum(abs(counts.get(name, 0) - number) for name, number in wanted.items())


def _message(evidence: Evidence, message_id: str, accepted: Accepted, found: Findings) -> None:
    standing = evidence.standing.get(message_id)
    doubts = evidence.doubts.get(message_id, ())
    submits = evidence.submits.get(accepted.number, Counter())
    if doubts:
        found.in_doubt.append(message_id)
    if any(count > 1 + list(doubts).count(RESEND) for count in submits.values()):
        found.doubled.append(message_id)
    if standing is None:
        found.lost.append(message_id)
        return
    whole = all(submits[part] for part in range(1, accepted.parts + 1))
    if not whole and standing.status not in NOT_WRITTEN and not doubts:
        found.lost.append(message_id)
    if standing.final:
        _final(evidence, message_id, accepted, standing, found)
    else:
        _waiting(evidence, message_id, accepted, standing, found)


def _final(
    evidence: Evidence, message_id: str, accepted: Accepted, standing: Standing, found: Findings
) -> None:
    offered = evidence.offered.get(accepted.number, {})
    said = {ENDS[state] for states in offered.values() for state in states if state in ENDS}
    if standing.status not in said:
        found.receipts_invented.append(message_id)
    due = None if evidence.doubts.get(message_id) else _due(evidence, accepted)
    if due is not None and due != standing.status and message_id not in found.receipts_invented:
        found.receipts_missed.append(message_id)
    told = evidence.told.get(message_id, set())
    if told and standing.status not in told:
        found.webhooks_wrong.append(message_id)
    if not told and message_id not in evidence.untold:
        found.webhooks_missing.append(message_id)


def _waiting(
    evidence: Evidence, message_id: str, accepted: Accepted, standing: Standing, found: Findings
) -> None:
    due, doubted = _due(evidence, accepted), bool(evidence.doubts.get(message_id))
    if doubted and (due is None or not evidence.doubts_over or accepted.parts > 1):
        # A receipt joins it after a minute, by number and time; or a person says. Which of several
        # parts it is about is never guessed.
        return
    if due is not None:
        found.receipts_missed.append(message_id)
        found.stuck.append(message_id)
    elif standing.status in NOT_WRITTEN or accepted.number in evidence.pressing:
        found.stuck.append(message_id)
    else:
        found.owed.append(message_id)


def _due(evidence: Evidence, accepted: Accepted) -> str | None:
    """What the receipts that we acknowledged make of a message. None: not all have come."""
    acknowledged = evidence.acknowledged.get(accepted.number, {})
    parts = [acknowledged.get(part, set()) for part in range(1, accepted.parts + 1)]
    if all("DELIVRD" in states for states in parts):
        return DELIVERED
    if all(parts):
        return UNDELIVERED
    return None
