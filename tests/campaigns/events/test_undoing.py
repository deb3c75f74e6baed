"""Events that turn out to be none are taken back, once, and the sums are as if they never were."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from campaigns.events import naming
from campaigns.events.folding import Folding
from campaigns.events.gathering import IDS_PER_STEP_MAX
from campaigns.events.naming import What, name
from dlr.reasons import Reason
from recipients.files.import_plan import ImportRow
from recipients.files.importing import ImportDesk
from recipients.files.imports import ImportWish
from recipients.just_stopped import JustStopped
from recipients.suppression_desk import Allow, Suppress, SuppressionDesk
from shortlinks.classify import ClickClass
from storage.categories import Category
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.pool import Connection, Database
from storage.suppression import EVERY_CATEGORY
from tests.campaigns.events.people import ACCOUNT, NUMBER, OTHER, People
from tests.campaigns.events.test_gathering import Cut, Killed
from tests.dispatch.world import VAULT, wall_ms

SECOND = "+8613987654321"
MARKETING = int(Category.MARKETING)


@pytest.fixture
async def people(database_url: str, tmp_path: Any, connection: Connection) -> AsyncIterator[People]:
    database = await Database.open(database_url, tmp_path, application_name="smsgate")
    yield People(database, connection)
    await database.close()


def desk(people: People, vault: NumberVault = VAULT) -> SuppressionDesk:
    return SuppressionDesk(
        people.database.read,
        people.database.dedicated("suppressions"),
        vault=vault,
        ids=people.ids,
        stopped=JustStopped(),
        wall_ms=wall_ms,
        listed=naming.listed,
    )


async def listed(
    people: People, *numbers: str, category: int = MARKETING, reason: int = Reason.OPTED_OUT,
    until: datetime | None = None, vault: NumberVault = VAULT, account: int = ACCOUNT,
) -> None:  # fmt: skip
    """By the API."""
    entries = [Suppress(number, category, reason, until) for number in numbers]
    asked = desk(people, vault)
    await asked.suppress(account, "key 1", entries)
    await asked.close()


async def taken_off(people: People, number: str = NUMBER, category: int | None = None) -> None:
    asked = desk(people)
    await asked.allow([ACCOUNT], "key 1", Allow(number, category, "a mistake", opt_outs=True))
    await asked.close()


async def imported(people: People, *rows: ImportRow, dry_run: bool = False) -> None:
    imports = ImportDesk(
        people.database.read,
        people.database.dedicated("imports"),
        term=1,
        vault=VAULT,
        ids=people.ids,
        stopped=JustStopped(),
        wall_ms=wall_ms,
        listed=naming.listed,
    )
    wish = ImportWish(format="csv", dry_run=dry_run, parameters={})
    run = await imports.begin(ACCOUNT, "key 1", wish, bring_back=False)
    await run.step(rows, b"")
    await run.finish()
    run.over()


async def gathered(people: People) -> list[str]:
    await people.gathering().turn()
    assert await people.connection.fetchval("SELECT count(*) FROM contact_event_due") == 0
    return await people.kinds()


async def folded(people: People) -> None:
    folding = Folding(people.database.dedicated("fold"), zone="UTC", ended=lambda _: None)
    await folding.turn()


async def sums(people: People) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Engagement and hours, but for hours in which nothing was done."""
    engagement = await people.connection.fetch("SELECT * FROM engagement ORDER BY contact, kind")
    hours = await people.connection.fetch("SELECT * FROM hour_profile ORDER BY contact")
    return (
        [tuple(row) for row in engagement],
        [tuple(row) for row in hours if any(row["hours"])],
    )


async def summed_anew(people: People) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the sums of the events that are there are."""
    await people.connection.execute(
        "TRUNCATE engagement, hour_profile; UPDATE engagement_state SET cursor = 0"
    )
    await folded(people)
    return await sums(people)


async def test_an_opt_out_that_the_account_lists_is_one_event_as_long_as_it_stands(
    people: People,
) -> None:
    contact = await people.contact()
    await listed(people, SECOND, NUMBER, NUMBER)
    assert await gathered(people) == ["opted_out"]
    event = await people.connection.fetchrow("SELECT * FROM contact_event")
    entry = await people.connection.fetchrow(
        "SELECT * FROM suppression WHERE to_idx = $1", VAULT.index(NUMBER)
    )
    assert event is not None
    assert entry is not None
    assert (event["contact"], event["at"]) == (contact, entry["created_at"])
    await listed(people, NUMBER)
    await listed(people, NUMBER, category=EVERY_CATEGORY)
    assert await gathered(people) == ["opted_out"], "it is listed, as before"
    await taken_off(people, category=MARKETING)
    assert await gathered(people) == ["opted_out"], "the other entry stands"
    await taken_off(people)
    assert await gathered(people) == []
    await listed(people, NUMBER)
    assert await gathered(people) == ["opted_out"], "listed again"


async def test_what_no_person_of_the_account_opted_out_of_is_no_event(people: People) -> None:
    await people.contact()
    await listed(people, NUMBER, reason=Reason.NUMBER_UNKNOWN)
    await listed(people, SECOND)
    await listed(people, NUMBER, account=OTHER)
    await listed(people, NUMBER, category=EVERY_CATEGORY, until=datetime.now(UTC))
    assert await gathered(people) == []


async def test_what_a_person_said_stays_when_the_list_is_changed_by_hand(people: People) -> None:
    await people.contact()
    await people.inbound("opt_out")
    await listed(people, NUMBER)
    assert await gathered(people) == ["opted_out", "opted_out"]
    await taken_off(people)
    assert await gathered(people) == ["opted_out"], "it was said"
    assert await people.connection.fetchval("SELECT what FROM contact_event") == What.INBOUND


async def test_a_contact_is_listed_as_long_as_one_of_its_numbers_is(people: People) -> None:
    contact = await people.contact()
    await people.connection.execute(
        "INSERT INTO contact_number (account, to_idx, to_enc, contact, rank)"
        " VALUES ($1, $2, $3, $4, 1)",
        ACCOUNT, VAULT.index(SECOND), VAULT.seal(SECOND), contact,
    )  # fmt: skip
    await listed(people, NUMBER, SECOND)
    assert await gathered(people) == ["opted_out"]
    await taken_off(people, NUMBER)
    assert await gathered(people) == ["opted_out"]
    await taken_off(people, SECOND)
    assert await gathered(people) == []


async def test_an_import_lists_as_the_api_does(people: People) -> None:
    await people.contact()
    await people.contact(SECOND)
    rows = [
        ImportRow(1, NUMBER, MARKETING, Reason.OPTED_OUT),
        ImportRow(2, NUMBER, EVERY_CATEGORY, Reason.OPTED_OUT),
        ImportRow(3, SECOND, MARKETING, Reason.NUMBER_UNKNOWN),
    ]
    await imported(people, *rows, dry_run=True)
    assert await gathered(people) == []
    await imported(people, *rows)
    await imported(people, *rows)
    assert await gathered(people) == ["opted_out"]
    await imported(people, ImportRow(1, SECOND, MARKETING, Reason.OPTED_OUT))
    assert await gathered(people) == ["opted_out"] * 2, "another reason than before"
    await taken_off(people)
    await taken_off(people, SECOND)
    assert await gathered(people) == []


async def test_listed_and_taken_off_before_anybody_looks_is_nothing(people: People) -> None:
    await people.contact()
    await listed(people, NUMBER)
    await taken_off(people)
    assert await gathered(people) == []
    await listed(people, NUMBER)
    await taken_off(people)
    await listed(people, NUMBER)
    assert await gathered(people) == ["opted_out"]


async def test_who_is_merged_away_meanwhile_is_listed_as_who_stays(people: People) -> None:
    stays, goes = await people.contact(SECOND), await people.contact()
    await listed(people, NUMBER)
    await people.connection.execute("UPDATE contact_number SET contact = $1, rank = 1", stays)
    await people.connection.execute(
        "UPDATE contact SET merged_into = $1 WHERE id = $2", stays, goes
    )
    await people.gathering().turn()
    assert await people.events() == [(stays, "opted_out")]


@pytest.mark.parametrize("first_key", [True, False])
async def test_whoever_has_a_number_is_found_under_either_key(
    people: People, *, first_key: bool
) -> None:
    """The contact stands under one key's index and the entry under the other's; then both under the
    second's.
    """
    following = NumberKeys(bytes(range(1, 65)))
    vault, later = NumberVault(NumberKeys(bytes(range(64)))), NumberVault(following)
    vault.learn(following)
    if first_key:
        vault.turn_over()
    await people.contact()
    if not first_key:
        await people.connection.execute(
            "UPDATE contact_number SET to_idx = $1", later.index(NUMBER)
        )
    await listed(people, NUMBER, vault=vault)
    await people.connection.execute("UPDATE contact_number SET to_idx = $1", later.index(NUMBER))
    await people.connection.execute("UPDATE suppression SET to_idx = $1", later.index(NUMBER))
    await people.gathering(vault=later).turn()
    assert await people.kinds() == ["opted_out"]


async def test_both_forms_of_a_number_are_one_contact(people: People) -> None:
    await people.contact("+525512345678")
    await listed(people, "+5215512345678")
    assert await gathered(people) == ["opted_out"]


async def reclassified(people: People, clicks: list[int], after: ClickClass) -> None:
    """As shortlinks/reclassify.py does it: the class, and who hears of it, in one transaction."""
    people_now, no_more = (clicks, []) if after is ClickClass.HUMAN else ([], clicks)
    async with people.connection.transaction():
        await people.connection.execute(
            "UPDATE click SET class = $1 WHERE id = ANY($2)", after, clicks
        )
        await naming.clicks(people.connection, people_now, no_more)


async def test_a_click_that_was_a_machines_is_taken_back(people: People) -> None:
    await people.contact()
    message = await people.message()
    one, other = await people.click(message), await people.click(message)
    assert await gathered(people) == ["click", "click", "delivered"]
    await reclassified(people, [one], ClickClass.SCANNER)
    await reclassified(people, [one], ClickClass.SCANNER)
    assert await gathered(people) == ["click", "delivered"]
    assert await people.connection.fetchval(
        "SELECT at FROM contact_event WHERE kind = 'click'"
    ) <= datetime.now(UTC)
    await reclassified(people, [one], ClickClass.HUMAN)
    assert await gathered(people) == ["click", "click", "delivered"], "and once more a person's"
    await reclassified(people, [one], ClickClass.SCANNER)
    await reclassified(people, [one], ClickClass.HUMAN)
    await reclassified(people, [other], ClickClass.HUMAN)
    await reclassified(people, [other], ClickClass.SCANNER)
    assert await gathered(people) == ["click", "delivered"], "how it stands by now"


async def test_sums_are_as_if_what_is_taken_back_had_never_been(people: People) -> None:
    """Random clicks of several contacts, summed before or after they are taken back."""
    rng = random.Random(5)
    numbers = [f"+86138000000{place:02d}" for place in range(6)]
    contacts = [await people.contact(number) for number in numbers]
    await people.connection.execute(
        "UPDATE contact SET time_zone = 'Asia/Shanghai' WHERE id = $1", contacts[0]
    )
    clicks: list[int] = []
    for number in numbers:
        message = await people.message(number)
        clicks += [await people.click(message) for _ in range(rng.randrange(1, 6))]
        await listed(people, number)
    await people.gathering().turn()
    await people.connection.execute(  # days that are far from each other
        "UPDATE contact_event SET at = at - (position * 37 % 100) * interval '7 hours'"
    )
    await folded(people)
    for number in numbers[:3]:
        await taken_off(people, number)
    for _ in range(3):
        some = [each for each in clicks if rng.random() < 0.4]
        await reclassified(people, some, ClickClass.PREFETCH)
        for number in numbers[3:]:
            clicks.append(await people.click(await people.message(number)))
        await people.gathering().turn()
        await reclassified(people, clicks[-1:], ClickClass.SCANNER)  # it is not summed yet
        await people.gathering().turn()
        await folded(people)
    found = await sums(people)
    assert found == await summed_anew(people)
    assert found[0]


async def test_what_is_not_summed_yet_is_taken_out_of_no_sum(people: People) -> None:
    await people.contact()
    message = await people.message()
    for _ in range(2):
        await people.click(message)
    await people.gathering().turn()
    await folded(people)
    third = await people.click(message)
    await people.gathering().turn()
    await reclassified(people, [third], ClickClass.SCANNER)
    await people.gathering().turn()
    await folded(people)
    found = await sums(people)
    assert [row[-1] for row in found[0] if row[2] == "click"] == [2]
    assert found == await summed_anew(people)


async def test_of_days_that_are_not_kept_the_first_moment_is_left(people: People) -> None:
    """Four clicks were summed, and two of them are no longer stored as events."""
    await people.contact()
    click = await people.click(await people.message(what=None))
    await people.gathering().turn()
    await folded(people)
    long_ago = people.now - timedelta(days=500)
    await people.connection.execute("UPDATE engagement SET n = 3, first_at = $1", long_ago)
    await reclassified(people, [click], ClickClass.SCANNER)
    assert await gathered(people) == []
    [row] = await people.connection.fetch("SELECT n, first_at, last_at FROM engagement")
    assert tuple(row) == (2, long_ago, long_ago)


async def test_c42_a_kill_before_each_statement_takes_back_once(people: People) -> None:
    await people.contact()
    message = await people.message()
    clicks = [await people.click(message) for _ in range(2)]
    await listed(people, NUMBER)
    await people.gathering().turn()
    await folded(people)
    before = await people.kinds()
    await people.contact(SECOND)
    await reclassified(people, clicks[:1], ClickClass.SCANNER)
    await taken_off(people)
    await listed(people, SECOND)
    for statements in range(100):
        try:
            while await people.gathering().step(Cut(people.connection, statements)):  # type: ignore[arg-type]
                pass
        except Killed:
            assert await people.kinds() in (before, ["click", "delivered", "opted_out"])
            continue
        break
    else:
        pytest.fail("it never came to its end")
    assert statements > 8, "each one was tried"
    assert await people.kinds() == ["click", "delivered", "opted_out"]
    await folded(people)
    assert await sums(people) == await summed_anew(people)


async def test_a_step_of_takings_is_bounded(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campaigns.events.gathering.STEPS_PER_TURN_MAX", 1)
    contact = await people.contact()
    for _ in range(IDS_PER_STEP_MAX // 2_000 + 1):
        await name(people.connection, What.LISTED, [contact] * 2_000)
        await name(people.connection, What.NO_PERSON, [contact] * 2_000)
    gathering = people.gathering()
    await gathering.turn()
    assert gathering.waiting == 2 * (IDS_PER_STEP_MAX + 2_000) - IDS_PER_STEP_MAX


async def test_what_is_undone_is_counted_by_kind(people: People) -> None:
    await people.contact()
    click = await people.click(await people.message())
    await listed(people, NUMBER)
    gathering = people.gathering()
    await gathering.turn()
    await reclassified(people, [click], ClickClass.SCANNER)
    await taken_off(people)
    await gathering.turn()
    assert dict(gathering.undone) == {"click": 1, "opted_out": 1}
    assert (gathering.made["click"], gathering.made["opted_out"]) == (1, 1)


async def test_nothing_is_named_of_numbers_that_are_no_contacts(people: People) -> None:
    await people.contact()
    await listed(people, SECOND)
    await taken_off(people, SECOND)
    rows: list[asyncpg.Record] = await people.connection.fetch("SELECT * FROM contact_event_due")
    assert rows == []
