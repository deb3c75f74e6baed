"""One person in every table that can hold something of one, for the tests beside."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlr.status import Status
from shortlinks.rewrite import OPT_OUT_TARGET
from storage import audit
from storage.audit import AuditEntry
from storage.ids import EPOCH, IdSource
from storage.pool import Connection
from tests.dispatch.world import VAULT, wall_ms

ACCOUNT = 1
SHOP = "https://shop.example/"


@dataclass
class Life:
    """What became of a person with this number. `marker` stands in every free text."""

    connection: Connection
    number: str
    marker: str
    account: int = ACCOUNT
    ids: IdSource = field(default_factory=lambda: IdSource(9, wall_ms))

    async def add(self, table: str, **values: object) -> None:
        names = ", ".join(values)
        places = ", ".join(f"${place}" for place in range(1, len(values) + 1))
        statement = f"INSERT INTO {table} ({names}) VALUES ({places})"
        await self.connection.execute(statement, *values.values())

    async def live(self) -> int:
        """A row in each table. Returns the message's id."""
        idx, sealed, account = VAULT.index(self.number), VAULT.seal(self.number), self.account
        now = await self.connection.fetchval("SELECT now()")
        message = self.ids.next()
        await self.add(
            "message", id=message, account=account, category=2, connector=1, data_coding=0,
            parts=1, sender="SHOP", to_enc=sealed, to_idx=idx, text=f"Dear {self.marker}",
            options={"for": self.marker},
            callback={"url": "https://shop.example", "events": ["final"], "data": self.marker},
        )  # fmt: skip
        await self.add(
            "client_ref", account=account, client_ref=f"order-{message}", message_id=message,
            fingerprint=idx + bytes(8),
        )  # fmt: skip
        await self.add(
            "submission", id=self.ids.next(), message_id=message, part=1, parts=1, account=account,
            category=2, connector=1, status=int(Status.DELIVERED),
        )  # fmt: skip
        await self.add("event", id=self.ids.next(), message_id=message, kind="held", detail={})
        await self.add(
            "click", id=self.ids.next(), link_seq=1, slot=0, message_id=message, **{"class": 0},
            reasons=[], method="GET", user_agent=self.marker, ip_prefix="203.0.113.0/24",
            facts=["text/html", f"x-{self.marker}", "", "", ""],
        )  # fmt: skip
        await self.add(
            "link_range", first_seq=message, slots=3, message_ids=[message, message + 1],
            targets=[f"{SHOP}?n={self.marker}", SHOP, OPT_OUT_TARGET],
            target_index=[1, 2, 3, 2, 0, 3], expires_at=EPOCH,
        )  # fmt: skip
        await self._what_they_said(idx, sealed)
        await self._what_was_told(idx, sealed)
        await self.add(
            "frequency", account=account, category=2, to_idx=idx, message_ids=[message],
            sent_at=[1],
        )  # fmt: skip
        await self.add(
            "suppression", to_idx=idx, to_enc=sealed, account=account, category=3, reason=9,
            source="api", message_id=message, detail=self.marker, created_at=now,
        )  # fmt: skip
        await self.add(
            "preference", to_idx=idx, to_enc=sealed, account=account, category=3, month_max=2,
            message_id=message, updated_at=now,
        )  # fmt: skip
        await self.add(
            "number_evidence", to_idx=idx, to_enc=sealed, account=account, day=now.date(),
            kind="t", reason=3, connector=1, message_id=message, at=now,
        )  # fmt: skip
        await self._as_a_contact(idx, sealed)
        entry = AuditEntry(
            self.ids.next(), account, "key 7", "numbers.reveal", idx, {"list": "proof"},
            f"because of {self.marker}",
        )  # fmt: skip
        await audit.append(self.connection, [entry])
        return message

    async def _as_a_contact(self, idx: bytes, sealed: bytes) -> None:
        contact, event, account = self.ids.next(), self.ids.next(), self.account
        now = await self.connection.fetchval("SELECT now()")
        await self.add(
            "contact", id=contact, account=account, external_id=f"crm-{self.marker}",
            attrs={"name": self.marker}, source="crm",
        )  # fmt: skip
        await self.add(
            "contact_number", account=account, to_idx=idx, to_enc=sealed, contact=contact, rank=0
        )
        await self.add(
            "contact_event", id=event, account=account, contact=contact, kind="login", at=now,
            props={"name": self.marker},
        )  # fmt: skip
        await self.add(
            "contact_event_ref", account=account, event_id=f"e-{self.marker}-{event}", id=event,
            fingerprint=idx,
        )  # fmt: skip
        await self.add(
            "engagement", account=account, contact=contact, kind="login", first_at=now,
            last_at=now, n=1,
        )  # fmt: skip
        await self.add("hour_profile", account=account, contact=contact, hours=[1] * 48)
        await self.add(
            "import_row", job=contact, line=2, verdict=2, contact=contact, revision=2,
            before={"attrs": {"name": self.marker}},
        )  # fmt: skip
        await self.add("segment", id=event, account=account, name=f"picked {event}")
        await self.add("segment_member", segment=event, contact=contact)
        await self.add("group_cap", id=event, account=account, segment=event, week=1)
        await self.add("group_cap_member", cap=event, contact=contact)
        campaign = self.ids.next()
        await self.add("campaign", id=campaign, account=self.account, state=3)
        await self.add(
            "campaign_recipient", campaign=campaign, seq=0, contact=contact, to_idx=idx, arm=0,
            slot=0,
        )  # fmt: skip

    async def _what_they_said(self, idx: bytes, sealed: bytes) -> None:
        inbound = self.ids.next()
        await self.add(
            "inbound_message", id=inbound, connector=1, account=self.account, from_enc=sealed,
            from_idx=idx, destination="10690001", text=f"I am {self.marker}", parts=1,
            fingerprint=idx,
        )  # fmt: skip
        await self.add(
            "inbound_part", id=self.ids.next(), owner=1, connector=1, from_enc=sealed,
            destination="10690001", reference=1, total=1, sequence=1, data_coding=0,
            octets=self.marker.encode(), inbound_id=inbound,
        )  # fmt: skip
        raw = self.ids.next()
        body = b"\x00" + self.number[1:].encode() + b"\x00" + self.marker.encode()
        await self.add(
            "raw_delivery", id=raw, connector=1, receipt=False, octets=len(body), cut=False,
            body_enc=VAULT.seal_octets(body, raw),
        )  # fmt: skip
        now = await self.connection.fetchval("SELECT now()")
        await self.add(
            "consent", account=self.account, category=3, to_idx=idx, to_enc=sealed, granted=True,
            source="website", evidence=self.marker, at=now,
        )  # fmt: skip
        await self.add(
            "complaint", id=self.ids.next(), account=self.account, reference=f"12321-{raw}",
            fingerprint=idx, to_idx=idx, to_enc=sealed, source="app", text=self.marker, at=now,
        )  # fmt: skip

    async def _what_was_told(self, idx: bytes, sealed: bytes) -> None:
        event = self.ids.next()
        await self.add(
            "webhook_event", id=event, account=self.account, type="message.delivered", subject=0,
            body=f'{{"to": "{self.marker}"}}'.encode(), number_enc=sealed,
        )  # fmt: skip
        await self.add(
            "webhook_attempt", id=self.ids.next(), endpoint=1, delivery=1, attempt=1, state=1,
            event_ids=[event], url=f"https://shop.example/{self.marker}", answer=self.marker,
        )  # fmt: skip
        now = await self.connection.fetchval("SELECT now()")
        await self.add(
            "unmatched_receipt", id=self.ids.next(), connector=1, carrier_id="1", status=30,
            reason=0, received_at=now, to_idx=idx,
        )  # fmt: skip


async def dump(connection: Connection) -> dict[str, str]:
    """Every table's rows as text, octets in hexadecimal."""
    tables = await connection.fetch(
        "SELECT relname AS name FROM pg_class WHERE relkind IN ('r', 'p')"
        " AND relnamespace = 'public'::regnamespace AND NOT relispartition"
    )
    found = {}
    for table in tables:
        rows = await connection.fetch(f"SELECT row_to_json(t)::text AS row FROM {table['name']} t")
        found[table["name"]] = "\n".join(sorted(row["row"] for row in rows))
    return found
