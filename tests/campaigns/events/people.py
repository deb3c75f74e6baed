"""Contacts and what the gateway knows of them, written as it writes it: for these tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from campaigns.events.gathering import Gathering
from campaigns.events.naming import What, name
from dlr.status import Status
from shortlinks.classify import ClickClass
from storage.crypto import NumberVault
from storage.ids import IdSource, format_id, id_at
from storage.pool import Connection, Database
from tests.dispatch.world import VAULT, wall_ms

ACCOUNT, OTHER = 1, 2
NUMBER = "+8613812345678"


@dataclass
class People:
    """`connection` stores what happened, and names it."""

    database: Database
    connection: Connection
    ids: IdSource = field(default_factory=lambda: IdSource(9, wall_ms))
    before: IdSource = field(default_factory=lambda: IdSource(11, lambda: wall_ms() - 60_000))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def gathering(self, role: str = "gathering", vault: NumberVault = VAULT) -> Gathering:
        """Of one more process."""
        return Gathering(
            self.database.dedicated(role),
            vault=vault,
            ids=IdSource(10, wall_ms),
            wall_ms=wall_ms,
            zone="UTC",
            ended=lambda _: None,
        )

    async def contact(self, number: str = NUMBER, account: int = ACCOUNT) -> int:
        contact = self.ids.next()
        await self.connection.execute(
            "INSERT INTO contact (id, account) VALUES ($1, $2)", contact, account
        )
        await self.connection.execute(
            "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
            " VALUES ($1, $2, $3, $4, 0)",
            account, VAULT.index(number), VAULT.seal(number), contact,
        )  # fmt: skip
        return contact

    async def campaign(self, goal: str | None, account: int = ACCOUNT) -> str:
        """Its label in messages."""
        campaign = self.ids.next()
        await self.connection.execute(
            "INSERT INTO campaign (id, account, state) VALUES ($1, $2, 3)", campaign, account
        )
        spec = {"name": "x"} if goal is None else {"name": "x", "goal": goal}
        await self.connection.execute(
            "INSERT INTO campaign_version (campaign, version, spec, author)"
            " VALUES ($1, 1, $2, 'key 1')",
            campaign, spec,
        )  # fmt: skip
        return format_id("cmp", campaign)

    async def message(
        self,
        to: str = NUMBER,
        *,
        account: int = ACCOUNT,
        connector: int = 7,
        campaign: str | None = None,
        status: Status = Status.DELIVERED,
        what: What | None = What.DELIVERED,
    ) -> int:
        """Accepted a minute ago, told of half a minute ago, and named."""
        message = self.before.next()
        await self.connection.execute(
            "INSERT INTO message (id, account, category, connector, data_coding, parts, sender,"
            " to_enc, to_idx, text, campaign_id) VALUES ($1, $2, 3, $3, 0, 1, 'S', $4, $5, '', $6)",
            message, account, connector, VAULT.seal(to), VAULT.index(to), campaign,
        )  # fmt: skip
        await self.connection.execute(
            "INSERT INTO submission (id, message_id, part, parts, account, category, connector,"
            " status, receipt_at) VALUES ($1, $2, 1, 1, $3, 3, $4, $5, $6)",
            self.ids.next(), message, account, connector, status,
            self.now - timedelta(seconds=30),
        )  # fmt: skip
        if what is not None:
            await name(self.connection, what, [message])
        return message

    async def click(self, message: int, click_class: ClickClass = ClickClass.HUMAN) -> int:
        click = self.ids.next()
        await self.connection.execute(
            "INSERT INTO click (id, link_seq, slot, message_id, class, reasons, method, user_agent,"
            " ip_prefix) VALUES ($1, 1, 0, $2, $3, '{}', 'GET', '', '')",
            click, message, click_class,
        )  # fmt: skip
        await name(self.connection, What.CLICK, [click])
        return click

    async def inbound(self, kind: str, number: str = NUMBER, account: int = ACCOUNT) -> int:
        inbound = self.ids.next()
        await self.connection.execute(
            "INSERT INTO inbound_message (id, connector, account, from_enc, from_idx, destination,"
            " text, parts, fingerprint, class) VALUES ($1, 7, $2, $3, $4, 'S', '', 1, '', $5)",
            inbound, account, VAULT.seal(number), VAULT.index(number), kind,
        )  # fmt: skip
        await name(self.connection, What.INBOUND, [inbound], [account])
        return inbound

    async def complaint(self, number: str = NUMBER, *, told: datetime | None = None) -> int:
        complaint = self.ids.next() if told is None else id_at(told)
        await self.connection.execute(
            "INSERT INTO complaint (id, account, reference, fingerprint, to_idx, to_enc, source,"
            " at) VALUES ($1, $2, $3, '', $4, '', 'app', $5)",
            complaint, ACCOUNT, str(complaint), VAULT.index(number), self.now,
        )  # fmt: skip
        await name(self.connection, What.COMPLAINT, [complaint], [ACCOUNT])
        return complaint

    async def conversion(
        self, message: int, event: str = "order_paid", *, what: What = What.PAID
    ) -> int:
        conversion = self.ids.next()
        await self.connection.execute(
            "INSERT INTO conversion (id, account, reference, fingerprint, event, value_micros,"
            " currency, occurred_at, message_id)"
            " VALUES ($1, $2, $3, '', $4, 5000000, 'CNY', $5, $6)",
            conversion, ACCOUNT, str(conversion), event, self.now, message,
        )  # fmt: skip
        await name(self.connection, what, [conversion], [ACCOUNT])
        return conversion

    async def events(self) -> list[tuple[int, str]]:
        """(contact, kind), in the order of their positions."""
        rows = await self.connection.fetch(
            "SELECT contact, kind FROM contact_event ORDER BY position"
        )
        return [(row["contact"], row["kind"]) for row in rows]

    async def kinds(self) -> list[str]:
        return sorted(kind for _, kind in await self.events())
