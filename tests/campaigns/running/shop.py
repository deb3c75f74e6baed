"""A desk of campaigns over a real database: contacts, tags, a template, and a feed beside it.

The validation of messages is left out: a checked message is made of what a campaign asks for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campaigns.decisions.desk import ExperimentDesk
from campaigns.reporting.compliance import Rules
from campaigns.reporting.keeping import BatchCounter
from campaigns.reporting.people import CampaignPeople
from campaigns.reporting.reports import CampaignReports
from campaigns.running.desk import AccountRules, CampaignActor, CampaignDesk
from campaigns.running.feed import Feed
from campaigns.running.letters import Letters
from campaigns.running.spec import Spec
from campaigns.running.store import StoredCampaign
from campaigns.running.watch import CampaignWatch
from campaigns.templates import store as templates
from campaigns.templates.content import Content
from messages.accept.templated import Template
from messages.models import AccountPolicy, Prepared, Refused
from messages.requests import MessageRequest
from messages.rules.quiet_hours import TimingRules
from recipients.caps import Caps
from recipients.hours import parse_span
from shortlinks.conversions import Attribution
from storage.categories import Category
from storage.ids import IdSource, format_id
from storage.partitions import ensure_partitions
from storage.pool import Connection, Database
from tests.messages.accept.world import ACCOUNT, VAULT, World, accepting, prepared, wall_ms

AUTHOR = CampaignActor(ACCOUNT, "key 1")
OTHER = CampaignActor(ACCOUNT, "key 2")
DELIVERED = 60


class Every:
    """Templates: whatever is asked for can be read."""

    def known(self, account: int, reference: str) -> Template | None:
        return None

    async def read(self, account: int, references: Collection[str]) -> Mapping[str, Template]:
        return dict.fromkeys(references)  # type: ignore[return-value]


class OperatorNames:
    """Of dlr.grouping.Names what a report of a campaign asks for."""

    def operator_name(self, number: int) -> str | None:
        return {1: "China Mobile", 2: "China Unicom"}.get(number)


@dataclass
class Shop:
    world: World
    ids: IdSource
    desk: CampaignDesk
    experiments: ExperimentDesk
    feed: Feed
    watch: CampaignWatch
    template: str
    counter: BatchCounter
    asked: list[dict[str, Any]]
    rules: dict[str, Any] = field(default_factory=dict)
    changes: list[int] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def people(self, count: int, **columns: Any) -> list[int]:
        """Contacts with a number each; those of the n-th call have numbers of their own."""
        contacts = self.ids.take(count)
        first = await self.world.count("contact_number")
        values = {"id": 0, "account": ACCOUNT, "attrs": {"city": "广州"}, "tags": [], **columns}
        await self.connection.copy_records_to_table(
            "contact",
            records=[tuple({**values, "id": each}.values()) for each in contacts],
            columns=tuple(values),
        )
        numbers = [f"+86137{n:08d}" for n in range(first, first + count)]
        await self.connection.copy_records_to_table(
            "contact_number",
            records=[
                (ACCOUNT, VAULT.index(number), VAULT.seal(number), contact, 0)
                for number, contact in zip(numbers, contacts, strict=True)
            ],
            columns=("account", "to_idx", "to_enc", "contact", "rank"),
        )
        return contacts

    def spec(self, **changes: Any) -> Spec:
        values = {
            "name": "双11",
            "audience": {"segment": 'city = "广州"'},
            "arms": [{"template": self.template}],
            **changes,
        }
        return msgspec.convert(values, Spec)

    async def draft(self, **changes: Any) -> int:
        campaign = self.ids.next()
        await self.desk.create(AUTHOR, campaign, self.spec(**changes))
        return campaign

    async def one(self, campaign: int) -> StoredCampaign:
        found = await self.desk.one(ACCOUNT, campaign)
        assert found is not None
        return found

    async def ready(self, **changes: Any) -> int:
        """Planned, and its test delivered."""
        campaign = await self.draft(**changes)
        assert await self.desk.plan(AUTHOR, campaign) is not None
        assert await self.desk.test(AUTHOR, campaign, ["+8613900000000"]) is not None
        await self.deliver()
        return campaign

    async def running(self, **changes: Any) -> int:
        """Started, without a canary."""
        campaign = await self.ready(canary={"share": 0}, **changes)
        planned = (await self.one(campaign)).counts["planned"]
        assert isinstance(planned, int)
        assert await self.desk.start(OTHER, campaign, planned) is not None
        return campaign

    async def deliver(self, status: int = DELIVERED, limit: int = 1_000_000) -> None:
        """What waits was sent, and has this verdict."""
        rows = await self.connection.fetch(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox ORDER BY id LIMIT $1)"
            " RETURNING id, account, category, connector",
            limit,
        )
        now = datetime.now(UTC)
        await self.connection.copy_records_to_table(
            "submission",
            records=[
                (self.ids.next(), row["id"], 1, 1, row["account"], row["category"],
                 row["connector"], status, now, now)
                for row in rows
            ],
            columns=("id", "message_id", "part", "parts", "account", "category", "connector",
                     "status", "submitted_at", "receipt_at"),
        )  # fmt: skip

    async def messages(self, campaign: int) -> list[dict[str, Any]]:
        rows = await self.connection.fetch(
            "SELECT * FROM message WHERE campaign_id = $1 ORDER BY id", format_id("cmp", campaign)
        )
        return [dict(row) for row in rows]

    async def end_canceled(self) -> None:
        """What the sweep does with what waits of canceled batches."""
        gone = await self.connection.fetch(
            "DELETE FROM outbox AS o USING batch_control AS b WHERE b.id = o.batch_id"
            " AND b.state = 2 RETURNING o.id"
        )
        await self.connection.copy_records_to_table(
            "submission",
            records=[(self.ids.next(), row["id"], 0, 1, ACCOUNT, 3, 7, 73) for row in gone],
            columns=("id", "message_id", "part", "parts", "account", "category", "connector",
                     "status"),
        )  # fmt: skip


def looked_for() -> Rules:
    """Quiet from 21 to 8, and one message a day."""
    quiet = {int(Category.MARKETING): parse_span("21:00-08:00")}
    timing = TimingRules(quiet=quiet, default_zone=ZoneInfo("Asia/Shanghai"))
    return Rules(lambda: timing, lambda account, category: Caps(day=1))


def reports_of(database: Database) -> CampaignReports:
    return CampaignReports(
        database.read,
        zones=lambda account: ZoneInfo("Asia/Shanghai"),
        rules=lambda account: Attribution(),
        names=OperatorNames(),
        vault=VAULT,
        looked_for=looked_for(),
    )


@asynccontextmanager
async def shopping(database_url: str) -> AsyncIterator[Shop]:
    async with accepting(database_url) as world:
        connection, database = world.connection, world.database
        await ensure_partitions(connection, datetime.now(UTC).date())
        ids = IdSource(98, wall_ms)
        await connection.execute(
            "INSERT INTO attribute_def (account, name, type) VALUES ($1, 'city', 'text')", ACCOUNT
        )
        template = ids.next()
        await templates.add_template(connection, template, ACCOUNT, "win-back")
        content = Content(category="marketing", body="Back again?", signature="", suffix="")
        await templates.add_version(connection, template, ids.next(), "key 1", content, [])
        asked: list[dict[str, Any]] = []
        rules: dict[str, Any] = {}
        changes: list[int] = []

        def check(
            message: MessageRequest,
            account: AccountPolicy,
            *,
            now_ms: int,
            templates: Mapping[str, Template] | None,
        ) -> Prepared | Refused:
            given = msgspec.to_builtins(message).items()
            told = {name: value for name, value in given if value is not None}
            asked.append(told)
            return prepared(
                int(told["to"][-8:]), Category.MARKETING, to=told["to"],
                campaign_id=told.get("campaign_id"), variant=told["variant"],
                tags=tuple(told.get("tags", ())), text=told["template_id"],
            )  # fmt: skip

        letters = Letters(
            database.read,
            check=check,
            templates=Every(),
            accounts={ACCOUNT: AccountPolicy(id=ACCOUNT, name="shop")},
            vault=VAULT,
            zones=lambda account: ZoneInfo("Asia/Shanghai"),
            loud=lambda to, account, category, at_ms: at_ms,
        )
        desk = CampaignDesk(
            database.read,
            database.dedicated("campaigns"),
            database.dedicated("plans"),
            letters=letters,
            reports=reports_of(database),
            people=CampaignPeople(database.read, VAULT),
            accepter=world.accepter,
            rules=lambda account: AccountRules(**rules),
            ids=ids,
            wall_ms=wall_ms,
            changed=lambda: changes.append(1),
        )
        feed = Feed(
            database.dedicated("feed"),
            accepter=world.accepter,
            renderings=letters,
            ids=ids,
            term=world.term,
            wall_ms=wall_ms,
            ended=lambda task: None,
        )
        watch = CampaignWatch(
            database.dedicated("watch"),
            ids=ids,
            wall_ms=wall_ms,
            changed=lambda: changes.append(1),
            ended=lambda task: None,
        )
        experiments = ExperimentDesk(database.read, desk.changes, ids=ids, now=desk.now)
        reference = f"{format_id('tpl', template)}@1"
        counter = BatchCounter(VAULT, zones=lambda account: "Asia/Shanghai", rules=looked_for())
        yield Shop(
            world, ids, desk, experiments, feed, watch, reference, counter, asked, rules, changes
        )
