"""No recipient ever wrote or was suppressed: for tests of other endpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Any

import msgspec

from campaigns.caps.desk import CapActor
from campaigns.caps.store import Group, Limits, StoredCap
from campaigns.contacts.attributes import Attribute
from campaigns.contacts.changing import ContactChanges
from campaigns.contacts.desk import ContactFilter, ContactView, ContactWord, Tag
from campaigns.contacts.files.jobs import FileWish, JobView, RowView
from campaigns.contacts.verdicts import Verdict
from campaigns.events.desk import EventTaken, EventWord
from campaigns.events.desk import Outcome as EventOutcome
from campaigns.segments.desk import MembersChanged, NewSegment, SegmentActor
from campaigns.segments.names import Moment
from campaigns.segments.previews import Preview
from campaigns.segments.shelf import Called, Counted, Member, StoredSegment
from dispatch.breakers.desk import ByHand
from dispatch.breakers.machine import Breaker, State
from dispatch.breakers.rows import Stored
from dispatch.breakers.scopes import Scope, target_of
from dispatch.inbound.reading import InboundFilter, InboundView
from dispatch.raw.desk import RawDeliveryView, RawFilter
from dlr.anomalies.rows import Anomaly
from dlr.hygiene.score import score
from dlr.webhooks.desk import Shown
from dlr.webhooks.endpoints import Endpoint, Secret
from dlr.webhooks.owner_wishes import Actor, EndpointWish
from dlr.webhooks.signature import new_key
from recipients.complaint_desk import ComplaintFilter, ComplaintView, ComplaintWord
from recipients.consent_desk import ConsentView, ConsentWord
from recipients.files.imports import ImportView
from recipients.number_check import Checked
from recipients.number_history import History
from recipients.number_view import NumberView
from recipients.partner_hash import PartnerKey
from recipients.persons import Asked, Erasure
from recipients.proof import Proof
from recipients.suppression_desk import Allow, Allowed, Suppress, SuppressionFilter, SuppressionView
from shortlinks.conversions import (
    Attribution,
    Conflict,
    Conversion,
    ConversionWord,
    Outcome,
    Recorded,
)
from shortlinks.link_rules import AccountLinks, LinkRules
from shortlinks.link_stats import LinkStats, StatsAsked
from shortlinks.public_desk import LinkActor
from shortlinks.public_links import LinkFilter, NewLink, StoredLink, Taken
from storage.audit_reading import AuditFilter, AuditView
from storage.faults import Overloaded
from web.contact_services import FileIntake
from web.suppression_services import ImportRun

_NOTHING = History(
    days=(), score=score((), date(2026, 1, 1)), delivered=0, failed=0, last_delivered_at=None
)


class Nobody:
    """Implements InboundReader, SuppressionList, NumberReader and NumberValidator."""

    async def listed(
        self, accounts: Sequence[int], wanted: InboundFilter, **_place: Any
    ) -> list[InboundView]:
        return []

    async def suppressions(
        self, accounts: Sequence[int], wanted: SuppressionFilter, **_place: Any
    ) -> list[SuppressionView]:
        return []

    async def suppress(self, account: int, actor: str, entries: Sequence[Suppress]) -> list[bool]:
        return [True] * len(entries)

    async def allow(self, accounts: Sequence[int], actor: str, asked: Allow) -> Allowed:
        return Allowed(0, 0)

    async def number(self, accounts: Sequence[int], number: str) -> NumberView:
        return NumberView(
            fault=None,
            country=None,
            kind=None,
            messages=0,
            delivered=0,
            failed=0,
            last_sent_at=None,
            last_delivered_at=None,
            last_failure=None,
            suppressions=(),
            last_opted_out_at=None,
            history=_NOTHING,
        )

    async def check(self, account: int, numbers: Sequence[str], category: int) -> list[Checked]:
        return [Checked(number=number, verdict="unknown", history=_NOTHING) for number in numbers]


class NoFiles:
    """Implements SuppressionImports and SuppressionExports: an empty list, and no import."""

    partners: Mapping[str, PartnerKey] = MappingProxyType({})

    async def begin(self, *_asked: Any, **_how: Any) -> ImportRun:
        return NoImport()

    async def view(self, account: int, import_id: int) -> ImportView | None:
        if import_id != NoImport.id:
            return None
        now = datetime(2026, 7, 1, tzinfo=UTC)
        return ImportView(
            id=import_id, state="done", detail=None, format="csv", dry_run=False, rows_read=0,
            added=0, existing=0, refused=0, refused_by={}, ignored=[], created_at=now,
            touched_at=now, finished_at=now,
        )  # fmt: skip

    async def listed(self, account: int, **_place: Any) -> list[ImportView]:
        return []

    async def verdicts(self, import_id: int, *, every: bool) -> AsyncIterator[list[Any]]:
        pages: Sequence[list[Any]] = ()
        for page in pages:
            yield page

    async def note(self, *_told: Any) -> None:
        return None

    async def count(self, accounts: Sequence[int]) -> int:
        return 0

    async def entries(self, accounts: Sequence[int]) -> AsyncIterator[list[SuppressionView]]:
        pages: Sequence[list[SuppressionView]] = ()
        for page in pages:
            yield page

    async def comparison(self, partner: PartnerKey) -> Any:
        raise NotImplementedError


class NoImport:
    """Implements ImportRun: forgets what it is given."""

    id = 1
    rows_done = 0
    digest_done = bytes(32)
    done = False

    async def step(self, rows: Sequence[Any], digest: bytes) -> None:
        return None

    async def finish(self) -> None:
        return None

    async def interrupt(self, why: str) -> None:
        return None

    def over(self) -> None:
        return None


class NothingAudited:
    """Implements AuditReader: nobody did anything."""

    async def listed(
        self, accounts: Sequence[int], wanted: AuditFilter, **_place: Any
    ) -> list[AuditView]:
        return []


class NoPersons:
    """Implements PersonDesk: nothing is stored about anybody."""

    async def export(self, asked: Asked) -> AsyncIterator[dict[str, object]]:
        yield {"number": asked.number, "exported_at": "2026-07-01T00:00:00+00:00"}
        yield {"rows": 0, "complete": True}

    async def erase(self, asked: Asked) -> Erasure:
        return NO_ERASURE

    async def erasure(self, account: int | None, identifier: int) -> Erasure | None:
        return NO_ERASURE if identifier == NO_ERASURE.id else None


NO_ERASURE = Erasure(
    id=1, table="", waits=False, rows={}, requested_at=datetime(2026, 7, 1, tzinfo=UTC),
    finished_at=None,
)  # fmt: skip


class NoComplaints:
    """Implements ComplaintBook: takes what it is told and forgets it."""

    async def record(
        self, account: int, actor: str, word: ComplaintWord
    ) -> tuple[ComplaintView, bool]:
        told = ComplaintView(
            id=1, at=word.at or datetime(2026, 7, 1, tzinfo=UTC), reference=word.reference,
            number=word.number, source=word.source, source_name=word.source_name, text=word.text,
            message_id=word.message_id, campaign_id=word.campaign_id, connector=None, sender=None,
            category=None, suppressed=None,
        )  # fmt: skip
        return told, True

    async def listed(
        self, account: int, wanted: ComplaintFilter, **_place: Any
    ) -> list[ComplaintView]:
        return []


class NoContacts:
    """Implements ContactBook: there are no contacts, and what is told is taken."""

    async def upsert(
        self, account: int, actor: str, word: ContactWord, seen: int | None = None
    ) -> tuple[ContactView, bool]:
        return self._one(), True

    def _one(self) -> ContactView:
        moment = datetime(2026, 7, 1, tzinfo=UTC)
        return ContactView(
            id=1, external_id="crm-1", numbers=[], attrs={}, tags=[], source=None,
            time_zone=None, revision=1, created_at=moment, updated_at=moment,
        )  # fmt: skip

    async def contact(self, account: int, contact_id: int) -> None:
        return None

    async def listed(
        self, account: int, wanted: ContactFilter, before: int | None, limit: int
    ) -> list[ContactView]:
        return []

    async def change(
        self, account: int, actor: str, contact_id: int, seen: int, changes: ContactChanges
    ) -> ContactView | None:
        return None

    async def delete(
        self, account: int, actor: str, contact_id: int, seen: int | None = None
    ) -> bool:
        return False

    async def merge(
        self, account: int, actor: str, contact_ids: Sequence[int], seen: int | None = None
    ) -> ContactView:
        return self._one()

    async def attributes(self, account: int) -> list[Attribute]:
        return [Attribute(name="city", type="text"), Attribute(name="birthday", type="date")]

    async def define(self, account: int, actor: str, attribute: Attribute) -> bool:
        return True

    async def tags(self, account: int) -> list[Tag]:
        return []


class NoEvents:
    """Implements EventBook: takes what it is told and forgets it."""

    async def record(self, account: int, words: Sequence[EventWord]) -> list[EventOutcome]:
        return [EventTaken(1, 1, new=True) for _ in words]


class NoContactFiles:
    """Implements ContactFiles: none was ever sent."""

    def receiving(
        self, account: int, actor: str, wish: FileWish
    ) -> AbstractAsyncContextManager[FileIntake]:
        raise Overloaded

    async def view(self, account: int, job: int) -> None:
        return None

    async def listed(self, account: int, before: int | None, limit: int) -> list[JobView]:
        return []

    async def rows(
        self, job: int, after: int, verdict: Verdict | None, limit: int
    ) -> list[RowView]:
        return []

    async def undo(self, account: int, actor: str, job: int) -> bool:
        return False


class NoConversions:
    """Implements ConversionBook: takes what it is told and forgets it. What differs from an
    earlier one under the same id stands in that: `taken:currency`.
    """

    async def record(self, account: int, words: Sequence[ConversionWord]) -> list[Outcome]:
        told = [
            {name: getattr(word, name) for name in _TOLD}
            | {"occurred_at": word.occurred_at or datetime(2026, 7, 1, tzinfo=UTC)}
            for word in words
        ]
        return [
            Conflict(tuple(filter(None, each["reference"].removeprefix("taken:").split(","))))
            if each["reference"].startswith("taken:")
            else Recorded(Conversion(id=1, message_id=1, slot=0, click_id=None, **each), new=True)
            for each in told
        ]

    def rule(self, account: int) -> Attribution:
        return Attribution()

    def click(self, text: str) -> int | None:
        return 1 if text.startswith("clk_") else None

    def click_text(self, click_id: int) -> str:
        return "clk_0000000000001_aaaaaaaa"

    def link(self, text: str) -> tuple[int, int] | None:
        return (1, 0)


_TOLD = ("reference", "fingerprint", "event", "value_micros", "currency")


class NoLinks:
    """Implements LinkBook: takes what it is told and forgets it."""

    rules = LinkRules(
        default=AccountLinks(("https://s.example",)), accounts={}, domains=frozenset({"s.example"})
    )

    def now(self) -> datetime:
        return datetime(2026, 7, 1, tzinfo=UTC)

    def new_ids(self, count: int) -> list[int]:
        return list(range(1, count + 1))

    async def create(
        self, actor: LinkActor, links: Sequence[NewLink], *, again: bool = False
    ) -> list[StoredLink | Taken]:
        return [
            StoredLink(
                account=actor.account, code=link.slug or "aB3dE9", look=None, id=link.id,
                **{name: getattr(link, name) for name in _OF_A_LINK},
            )
            for link in links
        ]  # fmt: skip

    async def change(
        self, actor: LinkActor, link_id: int, changes: Mapping[str, object]
    ) -> StoredLink | None:
        return None

    async def delete(self, actor: LinkActor, link_id: int) -> bool:
        return False

    async def one(self, account: int, link_id: int) -> StoredLink | None:
        return None

    async def listed(
        self, account: int, wanted: LinkFilter, *, before: int | None, limit: int
    ) -> list[StoredLink]:
        return []

    async def stats(self, account: int, link_id: int, asked: StatsAsked) -> LinkStats | None:
        return None


_OF_A_LINK = ("domain", "target", "fallback", "campaign_id", "tags", "expires_at")


class NoProof:
    """Implements ProofReader: nothing is on record of anybody."""

    async def proof(self, account: int, number: str) -> Proof:
        return Proof(
            consents=(), replies=(), complaints=(), changes=(), suppressions=(), complete=True
        )


class NoConsents:
    """Implements ConsentLedger: takes what it is told and forgets it."""

    async def record(self, account: int, word: ConsentWord) -> ConsentView:
        recorded_at = datetime(2026, 7, 1, tzinfo=UTC)
        return ConsentView(id=1, recorded_at=recorded_at, **msgspec.structs.asdict(word))

    async def entries(self, account: int, **_filters: Any) -> list[ConsentView]:
        return []


class NoWebhooks:
    """Implements WebhookEndpoints: takes an endpoint as it is wished, and keeps none."""

    def url_fault(self, url: str) -> str | None:
        return None if url.startswith("https://") else "expected https://"

    async def create(
        self, actor: Actor, wish: EndpointWish, endpoint_id: int | None = None
    ) -> Endpoint:
        now = datetime(2026, 7, 1, tzinfo=UTC)
        wished = msgspec.structs.asdict(wish)
        secrets = (Secret(wished.pop("key")),)
        return Endpoint(
            id=1, account=actor.account, secrets=secrets, since=now, created_at=now, **wished
        )

    async def listed(self, account: int, **_place: Any) -> list[Endpoint]:
        return []

    async def delete(self, actor: Actor, endpoint_id: int) -> bool:
        return False

    async def redeliver(self, actor: Actor, endpoint_id: int, delivery_id: int) -> bool:
        return False

    async def callback_secrets(self, account: int) -> tuple[Secret, ...]:
        return ()

    async def rotate_callbacks(
        self, actor: Actor, key: str | None, overlap_seconds: int
    ) -> tuple[Secret, ...]:
        return (Secret(key or new_key("hmac")),)

    async def retire_callbacks(self, actor: Actor) -> tuple[Secret, ...]:
        return ()

    async def deliveries(self, *_asked: Any, **_place: Any) -> list[Shown]:
        return []

    async def get(self, *_asked: Any) -> None:
        return None

    change = rotate = retire = set_state = enable = test = replay = get


class NoBreakers:
    """Implements BreakerBook: none was ever open, and `carrier-a` is the only connector."""

    async def listed(self, *_which: Any) -> list[tuple[Stored, int]]:
        return []

    async def shown(self, scope: Scope, subject: str) -> tuple[Stored, int] | None:
        target_of(scope, subject, {"carrier-a": 1}, {})
        return None

    async def evidence(self, scope: Scope, subject: str) -> bytes | None:
        await self.shown(scope, subject)
        return None

    async def open(self, scope: Scope, subject: str, asked: ByHand) -> tuple[Stored, int]:
        target = target_of(scope, subject, {"carrier-a": 1}, {})
        breaker = Breaker(state=State.FORCED_OPEN, until=asked.seconds * 1000)
        stored = Stored(
            id=1, target=target, breaker=breaker, actor=asked.actor, reason=asked.reason
        )
        return stored, 0

    close = open


class NoAnomalies:
    """Implements AnomalyReader."""

    async def listed(self, *_which: Any, **_place: Any) -> list[Anomaly]:
        return []


class NothingRaw:
    """Implements RawDeliveries: one connector that delivered nothing."""

    async def listed(self, wanted: RawFilter, **_place: Any) -> list[RawDeliveryView] | None:
        return [] if wanted.connector == "carrier-a" else None


class NoSegments:
    """Implements SegmentBook and SegmentCounter: takes what it is told and forgets it."""

    def new_id(self) -> int:
        return 1

    async def create(self, actor: SegmentActor, segment_id: int, new: NewSegment) -> StoredSegment:
        return StoredSegment(
            id=segment_id, name=new.name, source=new.source, refers_to=(), note=new.note,
            version=1, changed_at=datetime(2026, 7, 1, tzinfo=UTC), counted=None,
        )  # fmt: skip

    async def change(
        self, actor: SegmentActor, segment_id: int, version: int, given: Mapping[str, str | None]
    ) -> StoredSegment | None:
        return None

    async def delete(self, actor: SegmentActor, segment_id: int, version: int | None) -> bool:
        return False

    async def change_members(
        self,
        actor: SegmentActor,
        segment_id: int,
        add: Sequence[Called],
        remove: Sequence[Called],
        version: int | None = None,
    ) -> MembersChanged | None:
        return None

    async def keep_count(self, segment_id: int, counted: Counted) -> None:
        return None

    async def one(self, account: int, segment_id: int) -> StoredSegment | None:
        return None

    async def listed(
        self, account: int, *, after: int, limit: int, name: str | None = None
    ) -> list[StoredSegment]:
        return []

    async def members(
        self, account: int, segment_id: int, *, after: int, limit: int
    ) -> list[Member] | None:
        return None

    async def preview(
        self, account: int, source: str, *, sample: int, itself: str | None = None
    ) -> Preview:
        moment = Moment.at(datetime(2026, 7, 1, tzinfo=UTC), "Asia/Shanghai")
        return Preview(contacts=0, inside=0, sample=(), lacking={}, moment=moment)


class NoCaps:
    """Implements CapBook: takes what it is told and forgets it."""

    def new_id(self) -> int:
        return 1

    async def listed(self, account: int) -> list[StoredCap]:
        return []

    async def one(self, account: int, cap: int) -> StoredCap | None:
        return None

    async def create(self, actor: CapActor, cap: int, group: Group, limits: Limits) -> StoredCap:
        return StoredCap(
            id=cap, group=group, limits=limits, version=1,
            changed_at=datetime(2026, 7, 1, tzinfo=UTC), members_at=None, members=None, fault=None,
        )  # fmt: skip

    async def change(
        self, actor: CapActor, cap: int, version: int, given: Mapping[str, int | None]
    ) -> StoredCap | None:
        return None

    async def delete(self, actor: CapActor, cap: int, version: int | None) -> bool:
        return False
