"""Consent: the latest word of the person counts, at accept and again before the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dispatch.message import Ended
from dlr.reasons import Reason
from dlr.status import Status
from messages.rules.consent import ConsentCheck, ConsentLook, ConsentRules
from recipients import consent
from recipients.consent import ID_MAX, Consent
from storage.categories import Category
from storage.pool import Connection
from tests.dispatch.world import running
from tests.messages.accept.world import ACCOUNT, VAULT, accepting, prepared

MARKETING = Category.MARKETING
NOW = datetime(2026, 7, 1, tzinfo=UTC)
RULES = ConsentRules({ACCOUNT: frozenset({MARKETING})})


def word(number: int, *, granted: bool = True, days_ago: int = 0, account: int = 1) -> Consent:
    """What the person of this number says."""
    to = prepared(number).to
    return Consent(
        account=account,
        category=MARKETING,
        to_idx=VAULT.index(to),
        to_enc=VAULT.seal(to),
        granted=granted,
        source="website",
        text_version="v3",
        evidence=None,
        at=NOW - timedelta(days=days_ago),
    )


async def test_the_latest_word_counts_by_when_it_was_given(connection: Connection) -> None:
    said = [
        word(1),
        word(2),
        word(2, granted=False, days_ago=1),  # typed in late
        word(3, granted=False),
        word(3, days_ago=1),
        word(4, account=2),
        word(5),
        word(5, granted=False),  # at the same moment: the later entry
    ]
    for each in said:
        await consent.record(connection, each)
    numbers = [VAULT.index(prepared(number).to) for number in range(1, 7)]
    granted = await consent.granted(connection, numbers, [1, 2])
    assert granted == {
        (numbers[0], 1, MARKETING), (numbers[1], 1, MARKETING), (numbers[3], 2, MARKETING)
    }  # fmt: skip


async def test_the_ledger_is_read_latest_first_by_number_and_by_place(
    connection: Connection,
) -> None:
    recorded = [await consent.record(connection, word(number)) for number in (1, 2, 1)]
    read = await consent.ledger(connection, 1, indexes=None, before=ID_MAX, limit=2)
    assert read == [recorded[2], recorded[1]]
    assert await consent.ledger(connection, 1, indexes=None, before=read[-1].id, limit=2) == [
        recorded[0]
    ]
    of_one = await consent.ledger(
        connection, 1, indexes=[VAULT.index(prepared(1).to)], before=ID_MAX, limit=9
    )
    assert of_one == [recorded[2], recorded[0]]
    assert await consent.ledger(connection, 2, indexes=None, before=ID_MAX, limit=9) == []


async def test_who_did_not_consent_is_told_so_and_who_need_not_is_not_asked(
    database_url: str,
) -> None:
    async with accepting(database_url, checks=(ConsentCheck(RULES),)) as world:
        await consent.record(world.connection, word(1))
        messages = [prepared(1, MARKETING), prepared(2, MARKETING), prepared(2, Category.OTP)]
        verdicts = await world.accepter.accept(messages, batch_id=None)
        words = [(getattr(each, "status", ""), getattr(each, "reason", "")) for each in verdicts]
        assert words == [("accepted", None), ("suppressed", "no_consent"), ("accepted", None)]


async def test_a_withdrawal_stops_what_waits(database_url: str) -> None:
    look = ConsentLook(RULES)
    async with running(database_url) as world:
        messages = [
            world.message(MARKETING, to=prepared(1).to),
            world.message(MARKETING, to=prepared(2).to),
            world.message(Category.SERVICE, to=prepared(2).to),
        ]
        await consent.record(world.connection, word(1))
        await consent.record(world.connection, word(2, days_ago=1))
        assert await look.decide(world.connection, messages) == {}
        await consent.record(world.connection, word(2, granted=False))
        verdicts = await look.decide(world.connection, messages)
    ended = Ended(Status.SUPPRESSED, Reason.NO_CONSENT, "consent")
    assert verdicts == {messages[1].id: ended}
