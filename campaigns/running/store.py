"""Campaigns as rows, and as they are shown.

Owns the statements on `campaign` and `campaign_version`. Must not decide whether a change may be
made (desk.py), nor count messages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import asyncpg
import msgspec

from campaigns.decisions.decided import Decided
from campaigns.running.causes import Cause
from campaigns.running.spec import Spec
from campaigns.running.states import CampaignState
from storage import sql
from storage.pool import Connection

_SQL = sql.load("campaigns")


class StoredCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it stands. `fed`: recipients in chunks. `skipped`: of them, by reason.

    `author`: of this version. `counts`: what the plan counted; empty without one. `test_end`:
    recipients before it are in the test of an experiment; None: it has none. `capped`: of the
    skipped those whom a cap has kept from it, by rule. `cause`: of a pause by itself.
    `cleared_version`: the last one that was let go. `judged_chunk`: the guard judges from here on.
    """

    id: int
    account: int
    state: CampaignState
    resumes_as: CampaignState | None
    reason: str | None
    version: int
    revision: int
    created_at: datetime
    spec: Spec
    author: str
    tested_version: int | None
    test_batch: int | None
    planned_at: datetime | None
    planned: int
    canary: int
    counts: Mapping[str, object]
    started_at: datetime | None
    fed: int
    ended_at: datetime | None
    skipped: Mapping[str, int] = {}
    test_end: int | None = None
    decided: Decided | None = None
    capped: Mapping[str, int] = {}
    cause: Cause | None = None
    cleared_version: int | None = None
    judged_chunk: int = 0

    @property
    def messages(self) -> int:
        """How many get one by the plan; 0 without one."""
        planned = self.counts.get("planned")
        return planned if isinstance(planned, int) else 0


async def add(connection: Connection, campaign: int, account: int, spec: Spec, author: str) -> bool:
    """Store a draft. False: an earlier try stored it."""
    new = await connection.fetchval(_SQL["campaign_add"], campaign, account, CampaignState.DRAFT)
    if new is None:
        return False
    await add_version(connection, campaign, 1, spec, author)
    return True


async def add_version(
    connection: Connection, campaign: int, version: int, spec: Spec, author: str
) -> None:
    """Store what a campaign sends from now on."""
    await connection.execute(
        _SQL["campaign_version_add"], campaign, version, msgspec.to_builtins(spec), author
    )


async def one(
    connection: Connection, account: int, campaign: int, *, locked: bool = False
) -> StoredCampaign | None:
    """One of the account; None: there is none. `locked`: to the end of the transaction."""
    if locked:
        await connection.execute(_SQL["campaign_lock_own"], account, campaign)
    row = await connection.fetchrow(_SQL["campaign_one"], account, campaign)
    if row is None:
        return None
    skipped, capped = Counter[str](), Counter[str]()
    for skip in await connection.fetch(_SQL["campaign_skipped"], campaign):
        skipped[skip["reason"]] += skip["people"]
        if skip["rule"] is not None:
            capped[skip["rule"]] += skip["people"]
    return msgspec.structs.replace(_stored(row), skipped=skipped, capped=capped)


async def listed(
    connection: Connection,
    account: int,
    *,
    state: CampaignState | None,
    before: int | None,
    limit: int,
) -> list[StoredCampaign]:
    """The latest made first, below an id."""
    rows = await connection.fetch(_SQL["campaigns_listed"], account, before, state, limit)
    return [_stored(row) for row in rows]


async def spec_of(connection: Connection, campaign: int, version: int) -> tuple[int, Spec] | None:
    """The account, and what this version sends; None: there is no such version."""
    row = await connection.fetchrow(_SQL["campaign_spec"], campaign, version)
    return None if row is None else (row["account"], _spec(row["spec"]))


async def specs_of(connection: Connection, campaign: int) -> dict[int, Spec]:
    """What each version sends."""
    rows = await connection.fetch(_SQL["campaign_specs"], campaign)
    return {row["version"]: _spec(row["spec"]) for row in rows}


def _stored(row: asyncpg.Record) -> StoredCampaign:
    resumes_as = row["resumes_as"]
    return StoredCampaign(
        id=row["id"],
        account=row["account"],
        state=CampaignState(row["state"]),
        resumes_as=None if resumes_as is None else CampaignState(resumes_as),
        reason=row["reason"],
        version=row["version"],
        revision=row["revision"],
        created_at=row["created_at"],
        spec=_spec(row["spec"]),
        author=row["author"],
        tested_version=row["tested_version"],
        test_batch=row["test_batch"],
        planned_at=row["planned_at"],
        planned=row["planned"],
        canary=row["canary"],
        counts=row["counts"],
        started_at=row["started_at"],
        fed=row["next_seq"],
        ended_at=row["ended_at"],
        test_end=row["test_end"],
        decided=Decided.of(row),
        cause=None if row["cause"] is None else Cause(row["cause"]),
        cleared_version=row["cleared_version"],
        judged_chunk=row["judged_chunk"],
    )


def _spec(stored: object) -> Spec:
    return msgspec.convert(stored, Spec)
