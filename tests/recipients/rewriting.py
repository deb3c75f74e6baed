"""A process that rewrites indexes in small batches, for the tests: `DATABASE_URL ROWS_PER_BATCH`.

Prints a line after each batch.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from recipients.index_rewrite import IndexRewrite
from storage.crypto import NumberVault
from storage.keys import NumberKeys
from storage.pool import connect

KEYS = NumberKeys(bytes(range(64)))


async def rewrite(url: str, rows_per_batch: int) -> None:
    connection = await connect(url, application_name="rewriting")
    job = IndexRewrite(NumberVault(KEYS), rows_per_batch=rows_per_batch)
    for name in IndexRewrite.TABLES:
        while not await job.batch(connection, name, datetime.now(UTC)):
            sys.stdout.write(f"{name}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(rewrite(sys.argv[1], int(sys.argv[2])))
