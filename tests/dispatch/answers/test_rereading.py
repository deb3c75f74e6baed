"""Kept receipts through today's parser: applied exactly once, and only to what they are about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.rereading import Reread, Rereading, settled
from dispatch.message import ReadyMessage
from dlr.codes import NONE_NAMED
from dlr.connector_groups import ALONE
from dlr.ledger import SubmissionRow, insert_submissions
from dlr.status import Status
from gateway.cli import main
from smpp.vocabulary import ESME_ROK
from storage.ids import ID_MAX
from tests.dispatch.inbound.test_unclear import delivered
from tests.dispatch.inbound.world import HANDSET, Inbound, receiving
from tests.dispatch.on_the_wire import MANNERS
from tests.dispatch.raw.test_keeping import PARKED, WORD
from tests.dispatch.world import CONNECTOR, VAULT


@pytest.fixture
async def inbound(database_url: str) -> AsyncIterator[Inbound]:
    async with receiving(database_url) as inbound:
        yield inbound


def rereading(inbound: Inbound, manners: ReceiptManners = MANNERS) -> Rereading:
    return Rereading(
        CONNECTOR,
        reader=lambda: ReceiptReader(CONNECTOR, manners, indexes=VAULT.indexes),
        vault=VAULT,
        ids=inbound.world.ids,
        groups=ALONE,
        codes=NONE_NAMED,
    )


async def reread(inbound: Inbound, manners: ReceiptManners = MANNERS) -> Reread:
    work = rereading(inbound, manners)
    async with inbound.world.connection.transaction():
        assert await work.batch(inbound.world.connection, (0, ID_MAX)) is None
    return settled(work.found)


async def sent(inbound: Inbound, carrier_id: str, *, later: bool = False) -> ReadyMessage:
    """A message that was submitted before its receipt came, or `later`."""
    message = inbound.world.message(to=HANDSET)
    await inbound.world.store([message])
    row = SubmissionRow(
        message.id + (1 << 42 if later else 0), message.id, 1, 1, message.account,
        message.category, CONNECTOR, Status.SENT, carrier_id=carrier_id,
        submitted_at=datetime.now(UTC) - timedelta(minutes=1),
    )  # fmt: skip
    await insert_submissions(inbound.world.connection, [row])
    return message


async def status(inbound: Inbound, message: ReadyMessage) -> Status:
    found: int = await inbound.world.connection.fetchval(
        "SELECT status FROM submission WHERE message_id = $1", message.id
    )
    return Status(found)


async def came(inbound: Inbound, *texts: bytes) -> None:
    pdus = [delivered(0x04, text) for text in texts]
    assert await inbound.answers(pdus) == [ESME_ROK] * len(pdus)
    await inbound.world.recorder.commits.drain()


async def test_e94_a_parked_receipt_is_applied_once(inbound: Inbound) -> None:
    await came(inbound, PARKED)
    message = await sent(inbound, "7")
    found = await reread(inbound)
    assert (found.looked_at, found.changed) == (1, 1)
    [change] = found.changes
    assert (change.message_id, change.before, change.after) == (message.id, "sent", "delivered")
    assert await status(inbound, message) is Status.DELIVERED
    assert await inbound.world.count("unmatched_receipt") == 0
    assert (await reread(inbound)).looked_at == 0
    outcome = await inbound.world.connection.fetchval("SELECT outcome FROM raw_delivery")
    assert outcome == "sent -> delivered"


async def test_e94_what_fits_no_submit_stays_parked_as_it_was(inbound: Inbound) -> None:
    await came(inbound, PARKED)
    before = await inbound.world.connection.fetchrow("SELECT * FROM unmatched_receipt")
    found = await reread(inbound)
    assert (found.looked_at, found.waiting, found.changed) == (1, 1, 0)
    after = await inbound.world.connection.fetchrow("SELECT * FROM unmatched_receipt")
    assert before is not None
    assert after is not None
    for column in ("id", "carrier_id", "status", "error", "sender"):
        assert after[column] == before[column]


async def test_e94_a_setting_made_since_is_heard(inbound: Inbound) -> None:
    message = await sent(inbound, "8")
    await came(inbound, WORD)
    assert await status(inbound, message) is Status.SENT
    found = await reread(inbound)
    assert (found.looked_at, found.unknown_word) == (1, 1)
    told = msgspec.structs.replace(MANNERS, states={"NOROUTE": Status.UNDELIVERED})
    found = await reread(inbound, told)
    assert (found.changed, found.unknown_word) == (1, 0)
    assert await status(inbound, message) is Status.UNDELIVERED
    assert (await reread(inbound, told)).looked_at == 0


async def test_e94_a_receipt_that_became_readable_is_applied(inbound: Inbound) -> None:
    """By a release: here the reader of then could not."""
    message = await sent(inbound, "7")
    inbound.dispatch.intake.reader.row = lambda *_: None  # type: ignore[method-assign]
    await came(inbound, PARKED, b"still none")
    found = await reread(inbound)
    assert (found.looked_at, found.changed, found.unreadable) == (2, 1, 1)
    assert await status(inbound, message) is Status.DELIVERED


async def test_e94_what_was_submitted_later_is_not_meant(inbound: Inbound) -> None:
    """The carrier used the id again, 17 minutes after the receipt."""
    await came(inbound, PARKED)
    message = await sent(inbound, "7", later=True)
    found = await reread(inbound)
    assert (found.waiting, found.changed) == (1, 0)
    assert await status(inbound, message) is Status.SENT
    assert await inbound.world.count("unmatched_receipt") == 1


async def test_e94_what_a_sweep_has_joined_is_unchanged(inbound: Inbound) -> None:
    await came(inbound, PARKED)
    message = await sent(inbound, "7")
    await inbound.world.connection.execute("DELETE FROM unmatched_receipt")
    await inbound.world.connection.execute("UPDATE submission SET status = $1", Status.DELIVERED)
    found = await reread(inbound)
    assert (found.unchanged, found.changed) == (1, 0)
    assert await status(inbound, message) is Status.DELIVERED


async def test_e94_what_is_not_whole_is_counted(inbound: Inbound) -> None:
    await came(inbound, PARKED, b"none")
    await inbound.world.connection.execute(
        "UPDATE raw_delivery SET cut = true WHERE unclear = 'parked'"
    )
    await inbound.world.connection.execute(
        "UPDATE raw_delivery SET body_enc = '\\x00' WHERE unclear = 'unreadable'"
    )
    found = await reread(inbound)
    assert (found.looked_at, found.lost, found.unreadable) == (2, 2, 0)


async def test_e94_the_command_says_what_it_changed_and_a_dry_run_changes_nothing(
    inbound: Inbound,
    tmp_path: Path,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SMSGATE_NUMBER_KEY", bytes(range(64)).hex())
    await came(inbound, PARKED, b"none")
    message = await sent(inbound, "7")
    await inbound.world.connection.execute(
        "INSERT INTO connector (id, name) OVERRIDING SYSTEM VALUE VALUES ($1, 'sim')"
        " ON CONFLICT DO NOTHING",
        CONNECTOR,
    )
    config = tmp_path / "smsgate.toml"
    config.write_text(
        f"[database]\nurl = {json.dumps(database_url)}\ndata_dir = {json.dumps(str(tmp_path))}\n"
        '[[connectors]]\nname = "sim"\nhost = "127.0.0.1"\nsystem_id = "a"\npassword = "b"\n',
        encoding="utf-8",
    )
    arguments = ["receipts", "reread", "--connector", "sim", "--since", "1h", "--config"]

    def run(*more: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main([*arguments, str(config), *more]) == code
        return capsys.readouterr().out

    dry = await asyncio.to_thread(run, "--dry-run", "--json")
    assert json.loads(dry)["changed"] == 1
    assert await status(inbound, message) is Status.SENT
    assert "sent -> delivered" in await asyncio.to_thread(run)
    assert await status(inbound, message) is Status.DELIVERED
    again = json.loads(await asyncio.to_thread(run, "--json"))
    assert (again["looked_at"], again["changed"], again["unreadable"]) == (1, 0, 1)
    trail = await inbound.world.connection.fetch(
        "SELECT detail FROM audit WHERE action = 'receipts.reread' ORDER BY id"
    )
    assert [row["detail"]["changed"] for row in trail] == [1, 0]
    monkeypatch.delenv("SMSGATE_NUMBER_KEY")
    await asyncio.to_thread(run, code=1)
    assert not (tmp_path / "number.key").exists()
