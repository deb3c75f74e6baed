"""Owns the other end of test_pdu3_oracle: reads PDUs with smpp.pdu3 and writes them again.

Runs in a Python of its own, because smpp.pdu3 installs a package named smpp, as ours is. Standard
input has one PDU in hex a line. Standard output gets one JSON object for each: ``octets`` that
smpp.pdu3 wrote, its ``fields`` that are octet strings (in hex) or numbers, or an ``error``.
"""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import BytesIO

# By name at run time: to a type checker smpp is our package, which has no such module.
ENCODER = import_module("smpp.pdu.pdu_encoding").PDUEncoder()


def answer(line: str) -> dict[str, object]:
    try:
        pdu = ENCODER.decode(BytesIO(bytes.fromhex(line)))
        octets = ENCODER.encode(pdu)
    except Exception as error:  # noqa: BLE001 - whatever it raises is the finding
        return {"error": f"{type(error).__name__}: {error}"}
    fields: dict[str, object] = {"sequence_number": pdu.seqNum, "status": pdu.status.name}
    for name, value in pdu.params.items():
        if isinstance(value, bytes):
            fields[name] = value.hex()
        elif isinstance(value, int):
            fields[name] = value
    return {"octets": octets.hex(), "fields": fields}


if __name__ == "__main__":
    for line in sys.stdin:
        with redirect_stdout(sys.stderr):  # it prints while it reads a time
            found = answer(line)
        sys.stdout.write(json.dumps(found) + "\n")
