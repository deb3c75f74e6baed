"""A process to be killed while it writes clicks and loads them: FOLDER URL FIRST_ID.

Prints each id once its click is written, so that the parent knows what must not be lost.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from shortlinks.clicks import ClickLoader
from shortlinks.journal import ClickJournal
from storage.pool import Database
from tests.shortlinks.journal_files import click


async def write_for_ever(folder: Path, url: str, first_id: int) -> None:
    database = await Database.open(url, folder, application_name="child", read_connections=1)
    journal = ClickJournal(folder, node=9, file_bytes_max=20_000)
    loader = ClickLoader(
        journal, database.dedicated("clicks"), rows_per_load_max=50, gather_seconds=0.0
    )
    loader.start()
    number = first_id
    while True:
        assert journal.append(click(number))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1
        await asyncio.sleep(0)


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
