"""Files of contacts without the API, with a number key of their own that may change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from campaigns.contacts.deciding import Mode
from campaigns.contacts.desk import ContactDesk
from campaigns.contacts.files.importing import ImportWorker
from campaigns.contacts.files.jobs import CSV, ContactImports, FileWish, JobView
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.pool import Connection
from tests.dispatch.world import World, running, wall_ms

ACCOUNT = 1
ONE, TWO = NumberKeys(bytes(range(64))), NumberKeys(bytes(range(64, 128)))


@dataclass
class Importer:
    """An account's desk of contacts, and a worker that works when it is told to."""

    world: World
    vault: NumberVault
    desk: ContactDesk
    files: ContactImports
    worker: ImportWorker

    @property
    def connection(self) -> Connection:
        return self.world.connection

    async def send(self, text: str, mode: Mode = "fill") -> int:
        """The import, or the earlier one of the same file."""
        wish = FileWish(format=CSV, mapping=None, mode=mode, dry_run=False)
        async with self.files.receiving(ACCOUNT, "key 1", wish) as intake:
            await intake.add(text.encode())
            job, _ = await intake.received()
        return job

    async def take(self, text: str, mode: Mode = "fill") -> JobView:
        """The import once it has ended."""
        job = await self.send(text, mode)
        await self.worker.turn()
        view = await self.files.view(ACCOUNT, job)
        assert view is not None
        return view

    async def codes(self, job: JobView) -> list[tuple[str, Sequence[str]]]:
        rows = await self.files.rows(job.id, 0, None, 1_000)
        return [(row.verdict.label, list(row.codes)) for row in rows]


@asynccontextmanager
async def importing(database_url: str, *, step_rows: int = 5_000) -> AsyncIterator[Importer]:
    """Both number keys are known, and the first one writes."""
    vault = NumberVault(ONE)
    vault.learn(TWO)
    async with running(database_url) as world:
        read, dedicated = world.database.read, world.database.dedicated
        term = world.term.term
        yield Importer(
            world,
            vault,
            ContactDesk(read, dedicated("contacts"), vault=vault, ids=world.ids),
            ContactImports(
                read, dedicated("files"), term=term, vault=vault, ids=world.ids, wall_ms=wall_ms,
                wake=lambda: None,
            ),
            ImportWorker(
                dedicated("worker"), term=term, vault=vault, ids=world.ids, wall_ms=wall_ms,
                ended=lambda _: None, step_rows=step_rows,
            ),
        )  # fmt: skip
