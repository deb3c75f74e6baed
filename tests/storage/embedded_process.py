"""A process that holds an embedded server, for the tests: `DATA_DIR [UID [SITE_FOLDER]]`.

Prints one JSON line when the server answers, stops at the end of its standard input, and prints
another. With a UID it becomes that user first (everything is imported by then, because he may not
reach our Python).
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import encodings.ascii
import json
import os
import sys
from pathlib import Path

import asyncpg

from storage.embedded import EmbeddedError, EmbeddedServer

# The standard library imports these only when they are needed.
LOADED_LATE = {concurrent.futures.thread.__name__, encodings.ascii.__name__}


def become(uid: int) -> None:
    assert sys.modules.keys() >= LOADED_LATE
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    os.chdir("/")


async def hold(data_dir: Path) -> None:
    progress: list[str] = []
    server = EmbeddedServer(data_dir, settings={"fsync": "off"}, on_progress=progress.append)
    try:
        target = await server.start()
    except EmbeddedError as error:
        say({"error": str(error)})
        return
    connection = await asyncpg.connect(target.url)
    uid = os.stat(f"/proc/{server.pid}").st_uid
    await connection.close()
    say({"pid": server.pid, "url": target.url, "uid": uid, "progress": progress})
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()
    say({"stopped": True})


def say(what: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.path.insert(0, sys.argv[3])
    if len(sys.argv) > 2:
        become(int(sys.argv[2]))
    asyncio.run(hold(Path(sys.argv[1])))
