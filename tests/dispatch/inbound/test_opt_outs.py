"""A word that opts out: stored with its evidence, in force at once, and audited from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.inbound.latency import BUCKETS, ApplyLatency
from dispatch.inbound.opt_outs import Confirmation, OptOutPolicy
from dispatch.inbound.owners import SenderOwners
from dispatch.inbound.violations import ViolationAudit
from dispatch.message import MessageOptions, ReadyMessage
from dispatch.wire.last_look import SuppressionLook
from dlr.reasons import Reason
from dlr.status import Status
from recipients.replies import ReplyWords
from recipients.scopes import OptOutScopes
from smpp.pdu import SubmitSm
from smpp.vocabulary import ESME_ROK
from storage.categories import Category
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, Suppression, add, look_up
from tests.dispatch.inbound.world import ACCOUNT, HANDSET, SENDER, Inbound, receiving, texted
from tests.dispatch.on_the_wire import push, say_nothing
from tests.dispatch.world import CONNECTOR, VAULT, wall_ms

OTHER = "+8613912345678"
INDEX = VAULT.index(HANDSET)


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url) as inbound:
        yield inbound


async def suppressions(inbound: Inbound) -> list[tuple[object, ...]]:
    rows = await inbound.world.connection.fetch(
        "SELECT to_idx, account, category, reason, source, message_id, detail FROM suppression"
        " ORDER BY created_at, account"
    )
    return [tuple(row) for row in rows]


async def test_e88_stop_suppresses_with_its_evidence_and_start_takes_it_back(
    inbound: Inbound,
) -> None:
    assert await inbound.answers(texted("Stop. Thank you")) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert row["keyword"] == "opt_out"
    marketing, opted_out = Category.MARKETING, Reason.OPTED_OUT
    expected = (INDEX, ACCOUNT, marketing, opted_out, "keyword", row["id"], SENDER)
    assert await suppressions(inbound) == [expected]
    assert await inbound.answers(texted("STOP!")) == [ESME_ROK]
    assert await suppressions(inbound) == [expected]  # the older evidence stands
    by_receipt = Suppression(INDEX, Reason.NUMBER_UNKNOWN, "receipt")
    assert await add(inbound.world.connection, [by_receipt]) == 1
    assert await inbound.answers(texted("START")) == [ESME_ROK]
    assert [entry[4] for entry in await suppressions(inbound)] == ["receipt"]
    opt_outs = inbound.service.recorder.opt_outs
    assert (opt_outs.opted_out, opt_outs.opted_in) == (1, 1)
    trail = await inbound.world.connection.fetch(
        "SELECT account, actor, action, subject, detail FROM audit ORDER BY id"
    )
    assert [tuple(each) for each in trail] == [
        (ACCOUNT, "keyword", "suppression.add", INDEX, {"inbound_id": row["id"]}),
        (ACCOUNT, "keyword", "suppression.remove", INDEX, {}),
    ]


@pytest.mark.parametrize(
    ("source", "to"),
    [
        ("5215562000000", "+525562000000"),
        ("541123017883", "+5491123017883"),
        ("5491123017883", "+541123017883"),
        ("551181234567", "+5511981234567"),
        ("5511981234567", "+5511981234567"),
    ],
)
async def test_n3_stop_from_one_form_of_a_number_is_a_stop_of_the_other(
    inbound: Inbound, source: str, to: str
) -> None:
    assert await inbound.answers(texted("STOP", source=source)) == [ESME_ROK]
    found = await look_up(inbound.world.connection, [VAULT.index(to)])
    assert found.reason(VAULT.index(to), ACCOUNT, Category.MARKETING) == Reason.OPTED_OUT
    assert await inbound.answers(texted("START", source=to)) == [ESME_ROK]
    assert not await look_up(inbound.world.connection, [VAULT.index(to)])


async def test_n3_start_undoes_what_the_release_before_has_stored(inbound: Inbound) -> None:
    before = VAULT.digest("5215562000000")
    entry = Suppression(before, Reason.OPTED_OUT, "keyword", ACCOUNT, Category.MARKETING)
    assert await add(inbound.world.connection, [entry]) == 1
    assert await inbound.answers(texted("START", source="5215562000000")) == [ESME_ROK]
    assert not await look_up(inbound.world.connection, [before])


async def test_e88_a_sentence_or_a_message_with_gaps_opts_nobody_out(inbound: Inbound) -> None:
    assert await inbound.answers(texted("please don't stop")) == [ESME_ROK]
    assert await inbound.answers(texted("stop " * 40)[:1]) == [ESME_ROK]
    inbound.now.seconds += 1_000
    await inbound.service.expire()
    await inbound.service.recorder.commits.drain()
    assert [row["keyword"] for row in await inbound.rows()] == [None, None]
    assert await suppressions(inbound) == []


async def test_e88_a_number_of_nobody_opts_out_of_everybody(inbound: Inbound) -> None:
    assert await inbound.answers(texted("退订", destination="10699999")) == [ESME_ROK]
    ((to_idx, account, *_),) = await suppressions(inbound)
    assert (to_idx, account) == (INDEX, EVERY_ACCOUNT)
    found = await look_up(inbound.world.connection, [INDEX])
    assert found.reason(INDEX, 99, Category.MARKETING) == Reason.OPTED_OUT
    assert found.reason(INDEX, 99, Category.OTP) is None


async def test_a_message_answers_the_last_one_sent_from_that_number(inbound: Inbound) -> None:
    """And belongs to who sent it, whoever else has that number."""
    world = inbound.world
    sent = [
        world.message(to=HANDSET, sender=sender, account=9)
        for sender in (SENDER, f"+{SENDER}", "SHOP")
    ]
    await world.store(sent)
    push(inbound.dispatch, sent)
    await world.until("SELECT count(*) FROM submission", 3)
    unsent = world.message(to=HANDSET, sender=SENDER, account=8)
    await world.store([unsent], owner=0)
    assert await inbound.answers([*texted("yes"), *texted("yes", source=OTHER)]) == [ESME_ROK] * 2
    rows = {VAULT.open(row["from_enc"]): row for row in await inbound.rows()}
    assert (rows[HANDSET]["answers"], rows[HANDSET]["account"]) == (sent[1].id, 9)
    assert (rows[OTHER]["answers"], rows[OTHER]["account"]) == (None, ACCOUNT)


async def submitted(inbound: Inbound, *sent: tuple[ReadyMessage, timedelta | None]) -> None:
    """Messages that were stored, and submitted so long ago (None: without a result)."""
    await inbound.world.store([message for message, _ in sent])
    for message, ago in sent:
        if ago is not None:
            at = datetime.now(UTC) - ago
            await inbound.world.connection.execute(
                "INSERT INTO submission (id, message_id, part, parts, account, category, connector,"
                " status, submitted_at) VALUES ($1, $2, 1, 1, $3, 3, $4, 10, $5)",
                inbound.world.ids.next(), message.id, message.account, CONNECTOR, at,
            )  # fmt: skip


async def test_k6_what_was_sent_last_is_answered_not_what_was_accepted_last(
    inbound: Inbound,
) -> None:
    """A scheduled message goes after one that came later; senders and numbers stay apart."""
    world = inbound.world
    scheduled, later, elsewhere, theirs = (
        world.message(to=HANDSET, sender=SENDER, account=9),
        world.message(to=HANDSET, sender=f"+{SENDER}", account=8),
        world.message(to=HANDSET, sender="10690002", account=8),
        world.message(to=OTHER, sender=SENDER, account=8),
    )
    now = timedelta()
    await submitted(
        inbound,
        (scheduled, timedelta(minutes=5)), (later, timedelta(minutes=9)),
        (elsewhere, now), (theirs, now),
    )  # fmt: skip
    assert await inbound.answers(texted("5")) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert (row["answers"], row["account"]) == (scheduled.id, 9)
    assert (row["class"], row["rating"], row["keyword"]) == ("rating", 5, None)


async def test_k6_what_is_named_by_an_intent_is_answered_where_nothing_was_sent(
    inbound: Inbound,
) -> None:
    """Its result is not stored yet: by this gateway, or by another that died."""
    world = inbound.world
    named, waiting = (world.message(to=HANDSET, sender=SENDER, account=9) for _ in range(2))
    await submitted(inbound, (named, None), (waiting, None))
    await world.connection.execute(
        "INSERT INTO submit_intent (id, owner, connector, message_ids) VALUES ($1, 77, $2, $3)",
        world.ids.next(), CONNECTOR, [named.id],
    )  # fmt: skip
    assert await inbound.answers(texted("yes")) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert (row["answers"], row["account"], row["class"]) == (named.id, 9, "other")


async def test_k4_a_number_days_later_rates_nothing(inbound: Inbound) -> None:
    old = inbound.world.message(to=HANDSET, sender=SENDER, account=9)
    await submitted(inbound, (old, timedelta(hours=73)))
    assert await inbound.answers([*texted("5"), *texted("5", source=OTHER)]) == [ESME_ROK] * 2
    assert [(row["class"], row["rating"]) for row in await inbound.rows()] == [("other", None)] * 2


async def test_n3_a_reply_finds_what_the_release_before_sent_to_the_other_form(
    inbound: Inbound,
) -> None:
    """Stored under the index of before, beside a message under that of today: the last one sent."""
    world = inbound.world
    number = "+525562000000"
    before, after = (world.message(to=number, sender=SENDER, account=9) for _ in range(2))
    await submitted(inbound, (before, timedelta(minutes=1)), (after, timedelta(minutes=2)))
    await world.connection.execute(
        "UPDATE message SET to_idx = $1 WHERE id = $2", VAULT.digest("5215562000000"), before.id
    )
    assert await inbound.answers(texted("yes", source="5215562000000")) == [ESME_ROK]
    (row,) = await inbound.rows()
    assert row["answers"] == before.id


async def test_k5_words_of_a_category_opt_out_of_it_and_of_nothing_else(
    database_url: str,
) -> None:
    words = ReplyWords.of(categories={"STOPALL": EVERY_CATEGORY, "STOP SERVICE": Category.SERVICE})
    owed: list[Confirmation] = []
    async with receiving(
        database_url, policies={ACCOUNT: OptOutPolicy(words, reply="Bye.")}
    ) as inbound:
        inbound.service.recorder.owe = owed.extend
        for text, expected in (
            ("stop service", {Category.SERVICE}),
            ("STOP", {Category.SERVICE, Category.MARKETING}),
            ("STOP", {Category.SERVICE, Category.MARKETING}),
            ("STOPALL, please", {Category.SERVICE, Category.MARKETING, EVERY_CATEGORY}),
        ):
            assert await inbound.answers(texted(text)) == [ESME_ROK]
            assert {entry[2] for entry in await suppressions(inbound)} == expected
        assert len(owed) == 3  # one for each that changed something
        await inbound.world.connection.execute(
            "DELETE FROM suppression WHERE category <> $1", EVERY_CATEGORY
        )
        assert await inbound.answers(texted("STOP")) == [ESME_ROK]
        assert len(await suppressions(inbound)) == 2
        assert len(owed) == 3  # the wider one stood
        assert await inbound.answers(texted("START")) == [ESME_ROK]
        assert await suppressions(inbound) == []


BRANDED = OptOutScopes({ACCOUNT: {SENDER: "shop", "10690002": "shop", "10690003": "bank"}})


async def forbidden(inbound: Inbound, *senders: str) -> set[str]:
    """Which of these senders may not text the handset, by the table and by the memory alike."""
    found = await look_up(inbound.world.connection, [INDEX])
    covers = inbound.service.recorder.opt_outs.scopes.covers
    marketing = int(Category.MARKETING)
    by_table = {
        sender
        for sender in senders
        if found.reason(INDEX, ACCOUNT, marketing, sender=sender, covers=covers) is not None
    }
    stopped = inbound.service.stopped
    by_memory = {
        sender
        for sender in senders
        if stopped.reason(INDEX, ACCOUNT, marketing, wall_ms(), sender) is not None
    }
    assert by_table == by_memory
    return by_table


async def test_k9_an_opt_out_is_of_the_brand_that_was_texted(inbound: Inbound) -> None:
    """And the way back is, too; a later opt-out of another brand is confirmed as one of its own."""
    inbound.service.follow({ACCOUNT: OptOutPolicy(ReplyWords.of(), reply="Bye.")}, BRANDED)
    owed: list[Confirmation] = []
    inbound.service.recorder.owe = owed.extend
    shop, sister, bank, loose = SENDER, "+10690002", "10690003", "10690004"
    everyone = (shop, sister, bank, loose)

    async def text(word: str, destination: str) -> set[str]:
        assert await inbound.answers(texted(word, destination=destination)) == [ESME_ROK]
        return await forbidden(inbound, *everyone)

    await inbound.world.connection.execute("TRUNCATE inbound_message")
    inbound.service.recorder.owners = SenderOwners([(ACCOUNT, ())])
    assert await text("STOP", shop) == {shop, sister}
    assert await text("STOP", sister) == {shop, sister}
    assert await text("STOP", shop) == {shop, sister}
    assert await text("TD", bank) == {shop, sister, bank}
    assert await text("START", sister) == {bank}
    assert await text("START", loose) == {bank}
    assert await text("START", bank) == set()
    assert await suppressions(inbound) == []
    assert [each.sender for each in owed] == [shop, bank]


async def test_k9_a_wider_opt_out_is_not_undone_by_a_narrower_way_back(inbound: Inbound) -> None:
    """One of before there were brands, or by the API: START to one brand leaves what it may."""
    opt_outs = inbound.service.recorder.opt_outs
    inbound.service.recorder.owners = SenderOwners([(ACCOUNT, ())])
    assert await inbound.answers(texted("STOP", destination="10690003")) == [ESME_ROK]
    inbound.service.follow(opt_outs.policies, BRANDED)
    assert await forbidden(inbound, SENDER, "10690003") == {SENDER, "10690003"}
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]  # of all senders it is already
    assert await inbound.answers(texted("START")) == [ESME_ROK]
    assert await forbidden(inbound, SENDER, "10690003") == {SENDER, "10690003"}
    assert await inbound.answers(texted("START", destination="10690003")) == [ESME_ROK]
    assert await forbidden(inbound, SENDER, "10690003") == set()
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]
    assert await forbidden(inbound, SENDER, "10690003") == {SENDER}
    by_api = Suppression(INDEX, Reason.OPTED_OUT, "api", ACCOUNT, int(Category.MARKETING))
    assert await add(inbound.world.connection, [by_api]) == 1  # wider than what was there
    assert await inbound.answers(texted("START")) == [ESME_ROK]
    assert len(await suppressions(inbound)) == 1


async def test_k9_an_opt_out_by_a_number_written_otherwise_is_of_all_senders(
    inbound: Inbound,
) -> None:
    """A carrier leaves out the country code: nobody can say which brand was meant. Where a message
    was answered, or the settings name the sender, it is known.
    """
    inbound.service.follow({}, BRANDED)
    inbound.service.recorder.owners = SenderOwners([(ACCOUNT, ())])
    unknown = "0690001"
    assert await inbound.answers(texted("STOP", destination=unknown)) == [ESME_ROK]
    assert await forbidden(inbound, SENDER, "10690003") == {SENDER, "10690003"}
    assert await inbound.answers(texted("START", destination="77")) == [ESME_ROK]
    assert await forbidden(inbound, SENDER, "10690003") == {SENDER, "10690003"}
    assert await inbound.answers(texted("START", destination=unknown)) == [ESME_ROK]
    assert await suppressions(inbound) == []
    loose = "10690009"
    sent = inbound.world.message(to=HANDSET, sender=loose, account=ACCOUNT)
    await submitted(inbound, (sent, timedelta(minutes=1)))
    assert await inbound.answers(texted("STOP", destination=loose)) == [ESME_ROK]
    assert await forbidden(inbound, loose, SENDER) == {loose}


async def test_k9_a_message_of_another_brand_goes_out_and_no_violation_is_seen(
    inbound: Inbound,
) -> None:
    """Through the last look and the wire: of the brand that was stopped nothing does."""
    world = inbound.world
    inbound.service.follow({}, BRANDED)
    world.intents.looks = (SuppressionLook(BRANDED.covers),)
    inbound.service.recorder.owners = SenderOwners([(ACCOUNT, ())])
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]
    sent = [
        world.message(Category.MARKETING, to=HANDSET, account=ACCOUNT, sender=sender, text=sender)
        for sender in (SENDER, "10690002", "10690003", "10690004")
    ]
    await world.store(sent)
    push(inbound.dispatch, sent)
    await world.until("SELECT count(*) FROM outbox", 0)
    assert sorted(inbound.carrier.texts) == ["10690003", "10690004"]
    audit = ViolationAudit(datetime.now(UTC) - timedelta(minutes=5), timedelta(), BRANDED.covers)
    await audit.look(world.connection, datetime.now(UTC) + timedelta(seconds=1))
    assert audit.violations == 0
    audit = ViolationAudit(datetime.now(UTC) - timedelta(minutes=5), timedelta())
    await audit.look(world.connection, datetime.now(UTC) + timedelta(seconds=1))
    assert audit.violations == 2  # as it would be, were the opt-out of all senders


async def test_k3_help_is_answered_once_and_again_after_a_while(database_url: str) -> None:
    policy = OptOutPolicy(ReplyWords.of(), help_reply="Call 10086.")
    owed: list[Confirmation] = []
    async with receiving(database_url, policies={ACCOUNT: policy}) as inbound:
        inbound.service.recorder.owe = owed.extend
        for seconds in (0, 599, 2):
            inbound.now.seconds += seconds
            assert await inbound.answers(texted("help")) == [ESME_ROK]
        assert owed == [Confirmation(ACCOUNT, HANDSET, SENDER, "Call 10086.", "help")] * 2
        classes = inbound.service.recorder.opt_outs.classes
        assert classes == {"help": 3}
        assert await suppressions(inbound) == []


async def test_e88_how_long_an_opt_out_took_is_counted_from_its_delivery(inbound: Inbound) -> None:
    latency = inbound.service.recorder.opt_outs.latency
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]  # in force already
    assert (sum(latency.counts), latency.counts[0]) == (1, 1)  # the clock of the test stands


def test_e88_a_latency_is_counted_where_it_belongs() -> None:
    latency = ApplyLatency()
    for seconds in (0.005, 0.006, 172_800.0, 172_801.0):
        latency.observe(seconds)
    assert [n for n, count in enumerate(latency.counts) if count] == [
        0, 1, len(BUCKETS) - 1, len(BUCKETS),
    ]  # fmt: skip
    assert latency.seconds == pytest.approx(345_601.011)


async def test_e88_what_is_prepared_already_is_not_written_after_an_opt_out(
    database_url: str,
) -> None:
    """One message is in flight, one is named by an intent, more wait. None goes out after STOP.

    An exempt one does, and so do those of others.
    """
    async with receiving(database_url, window=1) as inbound:
        inbound.carrier.react = say_nothing
        world = inbound.world

        def marketing(to: str, **more: object) -> ReadyMessage:
            return world.message(Category.MARKETING, to=to, account=ACCOUNT, **more)

        first = marketing(OTHER, text="first")
        stopped = [marketing(HANDSET, text=f"stopped {number}") for number in range(5)]
        exempt = marketing(HANDSET, text="exempt", options=MessageOptions(exempt=True))
        last = marketing(OTHER, text="last")
        messages = [first, *stopped, exempt, last]
        await world.store(messages)
        await world.connection.execute(
            "UPDATE message SET options = $1 WHERE id = $2", {"exempt": True}, exempt.id
        )
        push(inbound.dispatch, messages)
        await inbound.carrier.came(1)
        await world.until("SELECT count(*) FROM submit_intent", 2)
        assert await inbound.answers(texted("TD")) == [ESME_ROK]

        def accept(pdu: SubmitSm) -> int:
            return 0

        inbound.carrier.react = accept
        inbound.carrier.answer_oldest()
        await inbound.carrier.came(3)
        await world.until("SELECT count(*) FROM outbox", 0)
        assert inbound.carrier.texts == ["first", "exempt", "last"]
        results = await world.results()
        assert {results[message.id, 0] for message in stopped} == {Status.SUPPRESSED}
        now = datetime.now(UTC)
        audit = ViolationAudit(now - timedelta(minutes=5), timedelta())
        await audit.look(world.connection, now + timedelta(seconds=1))
        assert audit.violations == 0


async def test_e88_a_message_sent_after_an_opt_out_is_a_violation(inbound: Inbound) -> None:
    """The rules are broken on purpose: the last look sees nothing and nothing was just stopped."""
    world = inbound.world
    before = world.message(Category.MARKETING, to=HANDSET, account=ACCOUNT)
    await world.store([before])
    push(inbound.dispatch, [before])
    await world.until("SELECT count(*) FROM submission", 1)
    assert await inbound.answers(texted("STOP")) == [ESME_ROK]
    audit = ViolationAudit(datetime.now(UTC) - timedelta(minutes=5), timedelta())
    await audit.look(world.connection, datetime.now(UTC) + timedelta(milliseconds=5))
    assert audit.violations == 0
    kept = await world.connection.fetch("DELETE FROM suppression RETURNING *")
    inbound.service.stopped.remove([(INDEX, ACCOUNT, int(Category.MARKETING))])
    sent = [
        world.message(Category.MARKETING, to=HANDSET, account=ACCOUNT, parts=2),
        world.message(Category.MARKETING, to=OTHER, account=ACCOUNT),
        world.message(Category.MARKETING, to=HANDSET, account=ACCOUNT + 1),
        world.message(Category.SERVICE, to=HANDSET, account=ACCOUNT),
    ]
    await world.store(sent)
    push(inbound.dispatch, sent)
    await world.until("SELECT count(*) FROM submission", 6)
    await world.connection.copy_records_to_table(
        "suppression", records=[tuple(row) for row in kept]
    )
    await audit.look(world.connection, datetime.now(UTC) + timedelta(seconds=1))
    assert audit.violations == 1


async def test_e88_an_account_decides_its_words_what_ends_and_what_is_replied(
    database_url: str,
) -> None:
    policy = OptOutPolicy(ReplyWords.of(["ADIOS"], ["HOLA"]), EVERY_CATEGORY, "Bye.")
    owed: list[Confirmation] = []
    async with receiving(database_url, policies={ACCOUNT: policy}) as inbound:
        inbound.service.recorder.owe = owed.extend
        for text in ("STOP", "adios", "adios!"):
            assert await inbound.answers(texted(text)) == [ESME_ROK]
        found = await look_up(inbound.world.connection, [INDEX])
        assert found.reason(INDEX, ACCOUNT, Category.OTP) == Reason.OPTED_OUT
        assert found.reason(INDEX, ACCOUNT + 1, Category.OTP) is None
        assert owed == [Confirmation(ACCOUNT, HANDSET, SENDER, "Bye.")]  # once
