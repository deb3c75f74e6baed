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
from campaigns.decisions.looking import ExperimentWatch
from campaigns.reporting.compliance import Rules
from campaigns.reporting.keeping import BatchCounter
from campaigns.reporting.people import CampaignPeople
from campaigns.reporting.reports import CampaignReports
from campaigns.running.braking import Brake
from campaigns.running.desk import AccountRules, CampaignActor, CampaignDesk
from campaigns.running.feed import Feed
from campaigns.running.foresight import Carriers, Foreseer
from campaigns.running.gate import Gate
from campaigns.running.letters import Check, Letters
from campaigns.running.outages import Outages
from campaigns.running.patrol import LinkPatrol
from campaigns.running.spec import Spec
from campaigns.running.standing import Standing
from campaigns.running.starting import LiveLinks, Surroundings
from campaigns.running.store import StoredCampaign
from campaigns.running.watch import CampaignWatch
from campaigns.templates import store as templates
from campaigns.templates.content import Content
from campaigns.templates.lengths import Measured
from campaigns.templates.memory import place_of
from campaigns.templates.rendering import Rendered
from messages.accept.templated import Template
from messages.models import AccountPolicy, Prepared, Refused
from messages.requests import MessageRequest
from messages.rules.quiet_hours import TimingRules
from recipients.caps import Caps
from recipients.hours import Hours, parse_span
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
class Around:
    """What is the case around campaigns. `replies`: words that do not opt out, and why."""

    dead: dict[str, str] = field(default_factory=dict)
    links_asked: list[str] = field(default_factory=list)
    checks_links: bool = True
    replies: dict[str, str] = field(default_factory=dict)
    tried: list[tuple[str, str]] = field(default_factory=list)
    receives: bool = True
    down: set[str] = field(default_factory=set)
    seconds: float = 0.0  # of the monotonic clock
    pace: float | None = None
    quiet: Hours | None = None
    parts: list[int] = field(default_factory=lambda: [1])  # of one text after the other
    refuse: str | None = None

    async def ask(self, links: Mapping[str, str], seconds: float) -> dict[str, str | None]:
        self.links_asked += links.values()
        return {name: self.dead.get(url) for name, url in links.items()}

    async def fault(self, account: int, sender: str, category: int, word: str) -> str | None:
        self.tried.append((sender, word))
        return self.replies.get(word)


def measured(rendered: Rendered, category: str) -> Measured:
    return Measured(
        text=rendered.text, encoding="ucs2", parts=1, units=len(rendered.text), units_left=0
    )


@dataclass
class Shop:
    world: World
    ids: IdSource
    desk: CampaignDesk
    experiments: ExperimentDesk
    looks: ExperimentWatch
    brake: Brake
    feed: Feed
    watch: CampaignWatch
    patrol: LinkPatrol
    around: Around
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

    async def deliver(
        self, status: int = DELIVERED, limit: int = 1_000_000, batch: int | None = None
    ) -> None:
        """What waits, of this batch or of all, was sent, and has this verdict."""
        rows = await self.connection.fetch(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox"
            " WHERE $2::bigint IS NULL OR batch_id = $2 ORDER BY id LIMIT $1)"
            " RETURNING id, account, category, connector",
            limit,
            batch,
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

    async def tested(self, campaign: int) -> None:
        """A test of what it says now was sent and delivered."""
        assert await self.desk.test(AUTHOR, campaign, ["+8613900000000"]) is not None
        await self.deliver(batch=(await self.one(campaign)).test_batch)

    async def version(self, **changes: Any) -> str:
        """Another version of the template, and its name."""
        place = place_of(self.template)
        assert place is not None
        values = {"category": "marketing", "body": "Back again?", "suffix": "拒收请回复R"}
        number = await templates.add_version(
            self.connection, place[0], self.ids.next(), "key 1", Content(**{**values, **changes}),
            [],
        )  # fmt: skip
        return self.template.replace("@1", f"@{number}")

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


def around_of(
    database: Database, term: int, letters: Letters, around: Around
) -> tuple[Outages, Surroundings, Foreseer]:
    outages = Outages(around.down, lambda: {"main": 7}, term=term, monotonic=lambda: around.seconds)
    surroundings = Surroundings(
        database.read,
        links=LiveLinks(around.ask, lambda: around.seconds),
        trial=around,
        measures=lambda account: measured,
        checks_links=lambda account: around.checks_links,
        receives=lambda connector: around.receives,
    )
    carriers = Carriers(
        lambda: {7: around.pace},
        lambda number: "main" if number == 7 else None,
        lambda: {"main": 7},
    )
    foreseer = Foreseer(letters, surroundings, carriers, quiet=lambda category: around.quiet)
    return outages, surroundings, foreseer


def checking(noted: list[dict[str, Any]], around: Around) -> Check:
    def check(
        asked: MessageRequest,
        account: AccountPolicy,
        *,
        now_ms: int,
        templates: Mapping[str, Template] | None,
    ) -> Prepared | Refused:
        given = msgspec.to_builtins(asked).items()
        told = {name: value for name, value in given if value is not None}
        noted.append(told)
        if around.refuse is not None:
            return Refused(around.refuse, "as the test has it")
        return prepared(
            int(told["to"][-8:]), Category.MARKETING, to=told["to"],
            campaign_id=told.get("campaign_id"), variant=told["variant"],
            tags=tuple(told.get("tags", ())), text=told["template_id"],
            parts=around.parts[len(noted) % len(around.parts)],
        )  # fmt: skip

    return check


async def shelved(connection: Connection, ids: IdSource) -> int:
    """The template of the shop, and what its text may say of people."""
    await connection.execute(
        "INSERT INTO attribute_def (account, name, type) VALUES ($1, 'city', 'text')", ACCOUNT
    )
    template = ids.next()
    await templates.add_template(connection, template, ACCOUNT, "win-back")
    content = Content(category="marketing", body="Back again?", suffix="拒收请回复R")
    await templates.add_version(connection, template, ids.next(), "key 1", content, [])
    return template


def looking(database: Database, ids: IdSource, changes: list[int]) -> ExperimentWatch:
    return ExperimentWatch(
        database.dedicated("looks"),
        ids=ids,
        wall_ms=wall_ms,
        changed=lambda: changes.append(1),
        ended=lambda task: None,
    )


@asynccontextmanager
async def shopping(database_url: str) -> AsyncIterator[Shop]:
    async with accepting(database_url) as world:
        connection, database = world.connection, world.database
        await ensure_partitions(connection, datetime.now(UTC).date())
        ids = IdSource(98, wall_ms)
        template = await shelved(connection, ids)
        asked: list[dict[str, Any]] = []
        around = Around()
        rules: dict[str, Any] = {}
        changes: list[int] = []
        letters = Letters(
            database.read,
            check=checking(asked, around),
            templates=Every(),
            accounts={ACCOUNT: AccountPolicy(id=ACCOUNT, name="shop")},
            vault=VAULT,
            zones=lambda account: ZoneInfo("Asia/Shanghai"),
            loud=lambda to, account, category, at_ms: at_ms,
        )
        outages, surroundings, foreseer = around_of(database, world.term, letters, around)
        desk = CampaignDesk(
            database.read,
            database.dedicated("campaigns"),
            database.dedicated("plans"),
            letters=letters,
            gate=Gate(letters, surroundings, outages),
            foreseer=foreseer,
            standing=Standing(database.read, outages, wall_ms),
            reports=reports_of(database),
            people=CampaignPeople(database.read, VAULT),
            accepter=world.accepter,
            rules=lambda account: AccountRules(**rules),
            vault=VAULT,
            ids=ids,
            wall_ms=wall_ms,
            changed=lambda: changes.append(1),
        )
        brake = Brake(ids, lambda: changes.append(1))
        feed = Feed(
            database.dedicated("feed"),
            accepter=world.accepter,
            renderings=letters,
            vault=VAULT,
            brake=brake,
            ids=ids,
            term=world.term,
            wall_ms=wall_ms,
            ended=lambda task: None,
        )
        watch = CampaignWatch(
            database.dedicated("watch"),
            outages=outages,
            brake=brake,
            wall_ms=wall_ms,
            changed=lambda: changes.append(1),
            ended=lambda task: None,
        )
        experiments = ExperimentDesk(database.read, desk.changes, ids=ids, now=desk.now)
        reference = f"{format_id('tpl', template)}@1"
        counter = BatchCounter(VAULT, zones=lambda account: "Asia/Shanghai", rules=looked_for())
        patrol = LinkPatrol(
            database.dedicated("links"),
            surroundings,
            brake=brake,
            ended=lambda task: None,
        )
        looks = looking(database, ids, changes)
        yield Shop(
            world, ids, desk, experiments, looks, brake, feed, watch, patrol, around, reference,
            counter, asked, rules, changes,
        )  # fmt: skip
