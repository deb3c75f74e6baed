"""Reply rates: what is counted, of what, and that it agrees with the delivery report."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from msgspec import UNSET

from dispatch.inbound.opt_outs import ADDED, REMOVED
from dlr.ledger import insert_submissions
from dlr.report_desk import DeliveryReports, GroupPage
from dlr.status import Status
from dlr.thresholds import Verdict, thresholds_of
from recipients.reply_report import CLASSES, COUNTS, REPLY_FORMULAS, ReplyReports
from storage import audit
from storage.audit import AuditEntry
from storage.names import Registry
from storage.pool import Connection, Database
from tests.dlr.rows import World
from tests.dlr.test_report_desk import ALL, asked, database, names, registry, span

__all__ = ["database", "registry", "span"]  # fixtures


@pytest.fixture
def reports(database: Database, registry: Registry) -> ReplyReports:
    return ReplyReports(database.read, names(registry), thresholds_of())


async def sent(
    connection: Connection,
    world: World,
    account: int,
    *statuses: Status,
    campaign: str | None = None,
    waiting: bool = False,
) -> int:
    """A message whose parts have these statuses."""
    parts = max(1, len(statuses))
    message = await world.message(
        connection, account=account, parts=parts, campaign_id=campaign, waiting=waiting
    )
    await insert_submissions(
        connection,
        [
            world.part(
                f"{message}-{n}", message_id=message, part=n, parts=parts, account=account,
                status=status,
            )
            for n, status in enumerate(statuses, 1)
        ],
    )  # fmt: skip
    return message


async def replied(
    connection: Connection, world: World, account: int, message: int | None, kind: str | None
) -> None:
    await connection.execute(
        "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
        " text, parts, answers, fingerprint, class)"
        " VALUES ($1, 1, $2, '', '', '1', '', 1, $3, '', $4)",
        world.ids.next(), account, message, kind,
    )  # fmt: skip


async def complained(
    connection: Connection, world: World, account: int, message: int | None, reference: str
) -> None:
    await connection.execute(
        "INSERT INTO complaint (id, account, reference, fingerprint, to_idx, to_enc, source, at,"
        " message_id) VALUES ($1, $2, $3, '', '', '', 'app', now(), $4)",
        world.ids.next(), account, reference, message,
    )  # fmt: skip


async def test_f4_replies_are_rates_of_what_was_delivered(
    connection: Connection,
    registry: Registry,
    reports: ReplyReports,
    span: tuple[datetime, datetime],
) -> None:
    """Several replies to one message count once in a rate; a reply to nothing counts nowhere."""
    world, shop = World(), registry.accounts["shop"]
    delivered = [
        await sent(connection, world, shop, Status.DELIVERED, campaign="spring") for _ in range(4)
    ]
    lost = await sent(connection, world, shop, Status.SENT, campaign="autumn")
    world.wait(minutes=1)
    for message, kind in (
        (delivered[0], "opt_out"), (delivered[0], "opt_out"), (delivered[0], "other"),
        (delivered[1], "rating"), (lost, "opt_out"), (None, "opt_out"), (delivered[2], None),
    ):  # fmt: skip
        await replied(connection, world, shop, message, kind)
    await complained(connection, world, shop, delivered[3], "1")
    await complained(connection, world, shop, delivered[3], "2")
    await complained(connection, world, shop, None, "3")
    await replied(connection, world, shop + 1, delivered[3], "help")  # another account's row
    report = await reports.replies(asked(shop, span, "campaign"), ALL)
    groups = {group.key["campaign"]: group for group in report.groups}
    spring, autumn = groups["spring"], groups["autumn"]
    counts = {name: count for name, count in spring.counts.items() if count}
    assert counts == {
        "sent": 4, "delivered": 4, "replies": 5, "opt_out": 2, "rating": 1, "other": 2,
        "complaints": 2, "unsubscribed_sent": 1, "unsubscribed_delivered": 1,
        "replied_delivered": 3, "opt_out_delivered": 1, "rating_delivered": 1,
        "other_delivered": 2, "complained_delivered": 1,
    }  # fmt: skip
    rates = spring.rates
    assert (rates["reply_rate"].numerator, rates["reply_rate"].denominator) == (3, 4)
    assert rates["complaint_rate"].value == 1 / 4
    unsubscribed = rates["unsubscribe_rate_delivered"]
    assert unsubscribed.verdict is Verdict.TOO_FEW
    assert msgspec.structs.replace(unsubscribed, verdict=UNSET) == rates["reply_rate_opt_out"]
    low, high = rates["reply_rate_opt_out"].low, rates["reply_rate_opt_out"].high
    assert low is not None and high is not None and 0 < low < 0.25 < high < 1
    assert autumn.rates["unsubscribe_rate_sent"].value == 1
    assert autumn.rates["reply_rate"].value is None  # nothing is delivered: no rate, not 0
    total = report.total.counts
    assert all(total[name] == spring.counts[name] + autumn.counts[name] for name in COUNTS)


async def test_who_opts_out_on_a_page_has_unsubscribed_and_not_replied(
    connection: Connection,
    registry: Registry,
    reports: ReplyReports,
    span: tuple[datetime, datetime],
) -> None:
    """However often it was pressed, and beside a word to the same message."""
    world, shop = World(), registry.accounts["shop"]
    pressed, both, undone, _ = [
        await sent(connection, world, shop, Status.DELIVERED) for _ in range(4)
    ]
    lost = await sent(connection, world, shop, Status.UNDELIVERED)
    await replied(connection, world, shop, both, "opt_out")
    for account, message, action in (
        (shop, pressed, ADDED), (shop, pressed, ADDED), (shop, both, ADDED), (shop, lost, ADDED),
        (shop, undone, REMOVED), (shop + 1, undone, ADDED),
    ):  # fmt: skip
        detail = {"category": 3, "how": "button", "message_id": message}
        await audit.append(
            connection, [AuditEntry(world.ids.next(), account, "page", action, None, detail)]
        )
    report = await reports.replies(asked(shop, span), ALL)
    counts = report.total.counts
    assert (counts["opt_outs_by_page"], counts["opt_out"], counts["replies"]) == (3, 1, 1)
    rates = report.total.rates
    assert (rates["unsubscribe_rate_sent"].numerator, counts["sent"]) == (3, 5)
    delivered = rates["unsubscribe_rate_delivered"]
    assert (delivered.numerator, delivered.denominator) == (2, 4)
    assert rates["reply_rate"].numerator == 1


async def test_f4_delivered_is_what_the_delivery_report_says(
    connection: Connection,
    database: Database,
    registry: Registry,
    reports: ReplyReports,
    span: tuple[datetime, datetime],
) -> None:
    world, shop = World(), registry.accounts["shop"]
    for first in Status:
        for second in (Status.DELIVERED, Status.SENT, Status.UNDELIVERED, Status.UNCONFIRMED):
            await sent(connection, world, shop, first, second)
    await sent(connection, world, shop, Status.DELIVERED, waiting=True)
    await sent(connection, world, shop)
    other = await DeliveryReports(database.read, names(registry), {}).delivery(
        asked(shop, span), ALL
    )
    counts = (
        await reports.replies(
            asked(
                shop,
                span,
            ),
            ALL,
        )
    ).total.counts
    assert {name: counts[name] for name in ("sent", "delivered")} == {
        name: other.total.counts[name] for name in ("sent", "delivered")
    }
    assert counts["delivered"] == 1


async def test_f4_the_report_on_replies_has_pages_and_names(
    connection: Connection,
    registry: Registry,
    reports: ReplyReports,
    span: tuple[datetime, datetime],
) -> None:
    world, shop = World(), registry.accounts["shop"]
    for campaign in ("a", "b", None):
        await sent(connection, world, shop, Status.DELIVERED, campaign=campaign)
    first = await reports.replies(asked(shop, span, "campaign", "sender"), GroupPage(2))
    assert first.more_after is not None
    second = await reports.replies(
        asked(shop, span, "campaign", "sender"), GroupPage(2, first.more_after)
    )
    keys = [group.key for group in (*first.groups, *second.groups)]
    assert keys == [{"campaign": name, "sender": "S"} for name in ("a", "b", None)]
    assert (second.more_after, first.total) == (None, second.total)
    nothing = await reports.replies(
        asked(shop, (span[0] - timedelta(days=9), span[0] - timedelta(days=8))), ALL
    )
    assert set(nothing.total.counts) == set(COUNTS)
    assert set(nothing.total.rates) == set(REPLY_FORMULAS)
    assert {f"reply_rate_{kind}" for kind in CLASSES} < set(REPLY_FORMULAS)
