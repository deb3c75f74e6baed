"""Whether a run of campaigns adds up: the carrier's ledger against what was planned and stored.

Owns that judgement. Must not start anything. A text bears its campaign, its arm and its person, so
that a person of several campaigns is told apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from benchmarks.gateways import BenchmarkFailed
from campaigns.running.stopping import PREFIX
from gateway.rehearsal.simulator import Simulator
from storage import sql
from storage.ids import parse_id
from storage.pool import Connection

_SQL = sql.load("benchmarks")
SHOWN_MAX = 3
_TEXT = re.compile(r"([A-Z])\d (\d+), your table")


async def must_add_up(
    carrier: Simulator,
    connection: Connection,
    campaigns: Mapping[str, bool],
    *,
    tested: str,
    others: int,
) -> None:
    """Raises BenchmarkFailed. `campaigns`: ids, and whether everybody planned got a message.

    `tested`: the number that tests went to. `others`: messages that are of no campaign.
    """
    people: Counter[tuple[str, str]] = Counter()
    apart: Counter[str] = Counter()
    for line in carrier.accepted():
        match = _TEXT.search(line.text)
        if match is None:
            apart[line.destination] += 1
        elif line.destination != tested:
            people[match[1], line.destination] += 1
    wrong = [f"{key} came {n} times" for key, n in [*people.items(), *apart.items()] if n > 1]
    if len(apart) != others:
        wrong.append(f"{len(apart)} of {others} other messages came")
    labels = list(campaigns)
    ids = [parse_id(PREFIX, label) for label in labels]
    for row in await connection.fetch(_SQL["campaign_books"], ids, labels):
        came = sum(name == row["name"] for name, _ in people)
        if came != row["submitted"] or (campaigns[row["label"]] and came != row["planned"]):
            wrong.append(f"{dict(row)}, and {came} came")
    if wrong:
        raise BenchmarkFailed(f"the run does not add up: {'; '.join(wrong[:SHOWN_MAX])}")
