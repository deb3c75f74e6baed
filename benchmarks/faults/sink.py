"""A webhook endpoint as a process of its own: what it was told is in a file before its 204.

Owns that process. Must not check a signature: gateway/rehearsal/receiver.py does.

`python -m benchmarks.faults.sink PORT SECRET_FILE HEARD_FILE`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import msgspec

from gateway.rehearsal.receiver import Receiver
from gateway.rehearsal.receiving import serving


class Heard(msgspec.Struct):
    """One event of a message's last status."""

    event: str
    message: str
    status: str


async def _serve(port: int, secret: str, file: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def heard(event_id: str, kind: str, data: object) -> None:
        if isinstance(data, dict) and data.get("final"):
            line = Heard(event_id, str(data["id"]), kind.removeprefix("message."))
            os.write(file, msgspec.json.encode(line) + b"\n")

    receiver = Receiver(heard)
    receiver.knows(secret)
    async with serving(receiver.application, port=port) as url:
        print(f"sink ready: {url}", flush=True)
        await stop.wait()


def main() -> None:
    """Until SIGTERM."""
    port, secret, heard = sys.argv[1:]
    file = os.open(heard, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(port), Path(secret).read_text(), file))


if __name__ == "__main__":
    main()
