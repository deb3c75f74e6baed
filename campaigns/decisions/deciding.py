"""A decision about the people behind a test, written down: by the figures, by hand, or by an edit.

Owns the columns of `campaign` that say so, and their audit rows. Must not count. It is written once
and stays: whoever comes second changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from campaigns.decisions.counting import ArmCounts
from campaigns.decisions.decided import Decided, How, arm_of
from campaigns.experiments.always_valid import Evidence
from campaigns.experiments.winner import Decision, Fallback, Rules, State, decide
from campaigns.running.spec import Spec
from campaigns.running.stopping import PREFIX
from campaigns.running.store import StoredCampaign
from storage import audit, sql
from storage.audit import AuditEntry
from storage.ids import IdSource, format_id
from storage.pool import Connection

_SQL = sql.load("campaigns")


async def write(
    connection: Connection, campaign: int, account: int, made: Decided, ids: IdSource
) -> bool:
    """In the caller's transaction, which holds the campaign's row.

    False, and nothing is written: it is decided already, or has no experiment.
    """
    new = await connection.fetchval(
        _SQL["campaign_decided"], campaign, made.at, made.how, made.arm, made.by, made.why
    )
    if new is None:
        return False
    detail = {"campaign": format_id(PREFIX, campaign), "how": str(made.how), "arm": made.arm}
    entry = AuditEntry(ids.next(), account, made.by, "campaign.decide", None, detail, made.why)
    await audit.append(connection, [entry])
    return True


def judged(rules: Rules, counts: Sequence[ArmCounts], evidence: Evidence, *, due: bool) -> Decision:
    """What the rules say of these counts. `due`: the time to decide is over."""
    return decide(rules, [each.judged for each in counts], evidence.winner(rules.alpha), due=due)


def follows(found: Decision, fallback: Fallback) -> tuple[How, int | None] | None:
    """What a look decides, and what the remainder gets; None: it waits."""
    if found.state is State.WAITING:
        return None
    if found.winner is not None:
        return How.WON, found.winner
    return How.FALLBACK, arm_of(fallback)


async def end_by_edit(
    connection: Connection,
    before: StoredCampaign,
    after: Spec,
    *,
    by: str,
    now: datetime,
    ids: IdSource,
) -> None:
    """End an experiment whose arms say something else from now on: what was written for the case
    that nothing is shown follows. In the caller's transaction, which holds the campaign's row.
    """
    asked = before.spec.experiment
    if asked is None or before.started_at is None or _texts(before.spec) == _texts(after):
        return
    made = Decided(at=now, how=How.EDITED, arm=arm_of(Fallback(asked.fallback)), by=by)
    await write(connection, before.id, before.account, made, ids)


def _texts(spec: Spec) -> list[str]:
    return [arm.template for arm in spec.arms]
