"""`smsgate <arguments>` typed in a shell, as a fork of a process that has imported it already.

    python -IS forked_command.py SOCKET <arguments>

Owns what the shell sees of the fork: its files, its signals, its exit code. See
tests/fork_server.py, to which it speaks. It imports little, since its start is what it is to spare.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def main(path: str, arguments: list[str]) -> int:
    asked = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [json.dumps(asked).encode() + b"\n"], [0, 1, 2])
        with server.makefile("rb") as lines:
            pid = int(lines.readline())
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, lambda sent, _: os.kill(pid, sent))
            code = int(lines.readline().lstrip(b"\0"))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
