"""The count of a test by the database is what its definition says, whatever became of people."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from campaigns.decisions.counting import ArmCounts, counted, planned_in_test
from campaigns.experiments.units import Unit, matured
from dlr.status import Status
from shortlinks.classify import ClickClass
from storage.ids import id_at
from tests.campaigns.decisions.trial import tried
from tests.campaigns.running.shop import Shop, shopping
from tests.messages.accept.world import ACCOUNT

HOUR = timedelta(hours=1)
OPTED_OUT = 9


@pytest.mark.parametrize("metric", ["uctr_delivered", "cvr_delivered"])
async def test_who_counts_is_who_is_matured(database_url: str, metric: str) -> None:
    """Against the pure definition: random deliveries, reactions, opt-outs and people who wait."""
    rng = random.Random(7)
    async with shopping(database_url) as shop:
        await shop.people(160)
        campaign = await tried(shop, experiment={"metric": metric, "test_share": 0.7}, holdout=0.1)
        stored = await shop.one(campaign)
        units: dict[int, list[Unit]] = {0: [], 1: []}
        wanted = {0: ArmCounts(), 1: ArmCounts()}
        base = datetime.now(UTC) + timedelta(minutes=1)
        for message in await shop.messages(campaign):
            await _became(shop, message, rng, base, metric, units[int(message["variant"])])
        asked = stored.spec.experiment
        assert asked is not None
        assert stored.test_end is not None
        test = planned_in_test(stored.counts)
        now = base + 30 * HOUR
        async with shop.connection.transaction():
            found = await counted(
                shop.connection, campaign, asked, test_end=stored.test_end, test=test, now=now
            )
        for arm in wanted:
            share = matured(units[arm], 24 * 3_600_000, _ms(now))
            assert (found[arm].successes, found[arm].matured) == (share.part, share.whole)
            assert found[arm].delivered == len(units[arm])
            assert found[arm].planned == test[str(arm)] >= found[arm].sent >= found[arm].delivered
            assert 0 < found[arm].successes < found[arm].matured < found[arm].delivered
            assert found[arm].opt_outs > 0
        # Another number key has given the people other indexes already, and the messages not yet.
        await shop.connection.execute("UPDATE campaign_recipient SET to_idx = sha256(to_idx)")
        async with shop.connection.transaction():
            assert found == await counted(
                shop.connection, campaign, asked, test_end=stored.test_end, test=test, now=now
            )
        assert sum(test.values()) == len(await shop.messages(campaign)) < 150


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


async def _became(
    shop: Shop, message: dict[str, Any], rng: random.Random, base: datetime, metric: str,
    units: list[Unit],
) -> None:  # fmt: skip
    """One message ends somehow, and somebody reacts or not."""
    delivered = rng.random() < 0.9
    at = base + timedelta(milliseconds=rng.randrange(12 * 3_600_000))
    status = Status.DELIVERED if delivered else Status.UNDELIVERED
    await shop.connection.execute(
        "INSERT INTO submission (id, message_id, part, parts, account, category, connector, status,"
        " submitted_at, receipt_at) VALUES ($1, $2, 1, 1, $3, 3, 7, $4, $5, $5)",
        shop.ids.next(), message["id"], ACCOUNT, status, at,
    )  # fmt: skip
    reacted = None
    if rng.random() < 0.6:
        reacted = at + timedelta(milliseconds=rng.randrange(30 * 3_600_000))
        human = rng.random() < 0.8
        await _reaction(shop, message["id"], rng, reacted, metric, human=human)
        reacted = reacted if human else None
    if rng.random() < 0.2:
        await _opt_out(shop, message, by_word=message["variant"] == "0")
    if delivered:
        units.append(Unit(_ms(at), None if reacted is None else _ms(reacted)))


async def _opt_out(shop: Shop, message: dict[str, Any], *, by_word: bool) -> None:
    """The evidence of a word is the reply, that of a press on a page the message."""
    reply = shop.ids.next()
    if by_word:
        await shop.connection.execute(
            "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
            " text, parts, answers, fingerprint, class)"
            " VALUES ($1, 7, $2, '', $3, '1069', 'R', 1, $4, '', 'opt_out')",
            reply, ACCOUNT, message["to_idx"], message["id"],
        )  # fmt: skip
    await shop.connection.execute(
        "INSERT INTO suppression (to_idx, account, category, reason, source, message_id)"
        " VALUES ($1, $2, 3, $3, 'keyword', $4)",
        message["to_idx"], ACCOUNT, OPTED_OUT, reply if by_word else message["id"],
    )  # fmt: skip


async def _reaction(
    shop: Shop, message: int, rng: random.Random, at: datetime, metric: str, *, human: bool
) -> None:
    kind = ClickClass.HUMAN if human else ClickClass.SCANNER
    clicked = id_at(at) + rng.randrange(1 << 22)
    await shop.connection.execute(
        "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
        " ip_prefix) VALUES ($1, 1, 0, $2, $3, '{}', 'GET', 'x', '192.0.2.0/24')",
        clicked, message, kind,
    )  # fmt: skip
    if metric == "cvr_delivered":
        await shop.connection.execute(
            "INSERT INTO conversion (id, account, reference, fingerprint, event, occurred_at,"
            " message_id, click_id) VALUES ($1, $2, $3, '', 'order', $4, $5, $6)",
            shop.ids.next(), ACCOUNT, str(clicked), at, message, clicked,
        )  # fmt: skip
