"""What a file says of consent counts for nobody who has said anything else, whenever that was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dlr.reasons import Reason
from recipients import consent
from recipients.consent import Consent
from recipients.consent_desk import ConsentDesk, ConsentWord
from storage.crypto import NumberVault
from storage.suppression import HYGIENE, Suppression, add_new
from tests.campaigns.contacts.files.importer import ACCOUNT, TWO, Importer, importing

NUMBER = "+8613812345678"
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
FILE = f"number,consent,consent_at,consent_source\n{NUMBER},yes,2026-06-01T00:00:00Z,form\n"
LOCKED = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def importer(database_url: str) -> AsyncIterator[Importer]:
    async with importing(database_url) as importer:
        yield importer


def word(vault: NumberVault, *, granted: bool) -> Consent:
    return Consent(
        account=ACCOUNT, to_idx=vault.index(NUMBER), to_enc=vault.seal(NUMBER), category=3,
        granted=granted, source="web", text_version=None, evidence=None, at=LONG_AGO,
    )  # fmt: skip


async def granted(importer: Importer) -> int:
    found: int = await importer.connection.fetchval("SELECT count(*) FROM consent WHERE granted")
    return found


async def test_c25_an_opt_out_among_several_entries_is_seen(importer: Importer) -> None:
    """A dead number that has opted out, too: the first entry is not the only one."""
    vault = importer.vault
    index, sealed = vault.index(NUMBER), vault.seal(NUMBER)
    dead = Suppression(index, Reason.NUMBER_UNKNOWN, HYGIENE, to_enc=sealed)
    await add_new(importer.connection, [dead])
    job = await importer.take(FILE)
    assert await importer.codes(job) == [("created", ["suppressed"])]
    assert await granted(importer) == 1, "what carriers say is no word of the person's"
    await importer.connection.execute("TRUNCATE consent")
    stopped = Suppression(index, Reason.OPTED_OUT, "keyword", ACCOUNT, 3, to_enc=sealed)
    await add_new(importer.connection, [stopped])
    await importer.take(FILE, "overwrite")
    assert await granted(importer) == 0


async def test_c25_what_was_said_under_the_other_number_key_counts(importer: Importer) -> None:
    other = NumberVault(TWO)
    withdrawn = word(other, granted=False)
    await consent.record(importer.connection, withdrawn)
    await importer.take(FILE)
    assert await granted(importer) == 0
    await importer.connection.execute("TRUNCATE consent")
    stopped = Suppression(
        other.index(NUMBER), Reason.OPTED_OUT, "page", ACCOUNT, 3, to_enc=other.seal(NUMBER)
    )
    await add_new(importer.connection, [stopped])
    job = await importer.take(FILE, "overwrite")
    assert await importer.codes(job) == [("unchanged", ["suppressed"])]
    assert await granted(importer) == 0


async def test_c25_a_withdrawal_that_is_being_recorded_is_waited_for(importer: Importer) -> None:
    """Its moment is earlier than the file's: read a moment too early, the file's word would win."""
    await importer.send(FILE)
    async with importer.world.database.dedicated("words").transaction() as beside:
        await consent.beside_others(beside)
        await consent.record(beside, word(importer.vault, granted=False))
        turn = asyncio.create_task(importer.worker.turn())
        async with asyncio.timeout(20):
            while not await importer.connection.fetchval(LOCKED):
                assert not turn.done(), "it did not wait"
                await asyncio.sleep(0.01)
    await turn
    assert await granted(importer) == 0


async def test_c25_a_word_that_comes_while_a_step_is_stored_comes_behind_it(
    importer: Importer,
) -> None:
    desk = ConsentDesk(
        importer.world.database.read, importer.world.database.dedicated("consents"), importer.vault
    )
    async with importer.world.database.dedicated("step").transaction() as step:
        await consent.alone(step)
        said = ConsentWord(
            number=NUMBER, category=3, granted=False, source="web", text_version=None,
            evidence=None, at=datetime.now(UTC),
        )  # fmt: skip
        telling = asyncio.create_task(desk.record(ACCOUNT, said))
        async with asyncio.timeout(20):
            while not await importer.connection.fetchval(LOCKED):
                assert not telling.done(), "it did not wait"
                await asyncio.sleep(0.01)
        await consent.record_many(step, [word(importer.vault, granted=True)])
    await telling
    await desk.close()
    index = importer.vault.index(NUMBER)
    found = await consent.standing(importer.connection, [index], ACCOUNT)
    assert found == {(index, 3): False}


async def test_c11_a_number_key_that_changes_in_the_middle_of_a_step_doubles_nobody(
    importer: Importer,
) -> None:
    """C11: the indexes of its rows are of the key before; what is stored is of one key each."""
    new = NumberVault(TWO)
    known, other = "+8613912345678", "+8613712345678"
    moved = importer.world.ids.next()
    await importer.connection.execute(
        "INSERT INTO contact (id, account, attrs) VALUES ($1, 1, '{}')", moved
    )
    await importer.connection.execute(
        "INSERT INTO contact_number VALUES (1, $1, $2, $3, 0)",
        new.index(known), new.seal(known), moved,
    )  # fmt: skip
    said = "yes,2026-06-01T00:00:00Z,form"
    await importer.send(
        f"external_id,numbers,consent,consent_at,consent_source\nx,{known},{said}\n"
        f"y,{other},{said}\n"
    )
    connection = await importer.worker._dedicated.connection()

    def turn_over(query: Any) -> None:
        if "730706115" in query.query:  # the step begins
            importer.vault.turn_over()

    with connection.query_logger(turn_over):
        await importer.worker.turn()
    rows = await importer.connection.fetch("SELECT to_idx, to_enc, contact FROM contact_number")
    assert len(rows) == 2
    assert {row["contact"] for row in rows if new.open(row["to_enc"]) == known} == {moved}
    words = await importer.connection.fetch("SELECT to_idx, to_enc FROM consent")
    assert len(words) == 2
    for row in (*rows, *words):
        assert new.index(new.open(row["to_enc"])) == row["to_idx"]


async def test_the_order_of_numbers_is_stored_while_the_number_key_changes(
    importer: Importer,
) -> None:
    """The one under the key before loses its rank as any other."""
    await importer.take(f"external_id,number\nx,{NUMBER}\n")
    importer.vault.turn_over()
    await importer.take("external_id,number\nx,+8613912345678\n", "overwrite")
    rows = await importer.connection.fetch("SELECT to_enc, rank FROM contact_number ORDER BY rank")
    found = [(importer.vault.open(row["to_enc"]), row["rank"]) for row in rows]
    assert found == [("+8613912345678", 0), (NUMBER, 1)]


async def test_a_consent_is_for_the_numbers_that_the_contact_got(importer: Importer) -> None:
    """Ten numbers are there; an eleventh is left out, and the row says so."""
    numbers = [f"+861381234{place:04d}" for place in range(10)]
    await importer.connection.execute(
        "INSERT INTO contact (id, account, external_id) VALUES (5, 1, 'x')"
    )
    await importer.connection.executemany(
        "INSERT INTO contact_number VALUES (1, $1, $2, 5, $3)",
        [
            (importer.vault.index(number), importer.vault.seal(number), place)
            for place, number in enumerate(numbers)
        ],
    )
    job = await importer.take(FILE.replace("number,", "external_id,number,").replace("+", "x,+"))
    assert await importer.codes(job) == [("unchanged", ["numbers_max"])]
    assert job.counts["numbers_max"] == 1
    assert await granted(importer) == 0
    assert await importer.connection.fetchval("SELECT count(*) FROM contact_number") == 10
