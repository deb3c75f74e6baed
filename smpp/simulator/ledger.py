"""Owns the ledger: one JSON line for every submit_sm the carrier received, and reading it back.

Must not decide anything. It is the judge of what was really sent. A line is in the file before the
submit_sm_resp is on the wire. So a gateway that is killed cannot know of an answer that the ledger
does not.

Written with plain write(2), no fsync: it has to outlive the gateway, not the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from smpp import vocabulary
from smpp.decoding import decode_text
from smpp.events import MessageRequest
from smpp.pdu import message_octets, tlv_value
from smpp.segmentation import split_header

TAIL_BYTES: Final = 256 * 1024  # longer than any line: a message_payload in hex is 128 KiB


class LedgerError(Exception):
    """The file cannot be written, or is no ledger."""


class LedgerLine(msgspec.Struct, gc=False):
    """One submit_sm (or data_sm). ``at`` is Unix time; octets are hex, the UDH taken off."""

    n: int  # 1, 2, 3 … without a gap
    at: float
    system_id: str
    source: str
    destination: str
    status: int  # the command_status of the answer
    message_id: str  # empty when refused
    data_coding: int
    short_message: str
    registered_delivery: int = 0
    reference: int | None = None  # of the concatenation, with the part's number and their total
    part: int = 1
    parts: int = 1

    @property
    def octets(self) -> bytes:
        """The message without its user data header."""
        return bytes.fromhex(self.short_message)

    @property
    def text(self) -> str:
        """The part's text as the handset would show it."""
        return decode_text(self.octets, self.data_coding)


def concatenation_of(pdu: MessageRequest, octets: bytes) -> tuple[int | None, int, int, bytes]:
    """(reference, part, total, octets without UDH), from the UDH or the SAR TLVs."""
    if pdu.esm_class & vocabulary.ESM_CLASS_UDHI:
        concatenation, octets = split_header(octets)
        if concatenation is not None:
            return concatenation.reference, concatenation.sequence, concatenation.total, octets
    reference = tlv_value(pdu.tlvs, vocabulary.TLV_SAR_MSG_REF_NUM)
    part = tlv_value(pdu.tlvs, vocabulary.TLV_SAR_SEGMENT_SEQNUM)
    total = tlv_value(pdu.tlvs, vocabulary.TLV_SAR_TOTAL_SEGMENTS)
    if reference is None or part is None or total is None:
        return None, 1, 1, octets
    number = int.from_bytes
    return number(reference, "big"), number(part, "big"), number(total, "big"), octets


class Ledger:
    """Appends lines, one write for all that were added since the last ``flush``."""

    def __init__(self, path: Path) -> None:
        self.lines_written = 0
        self._encoder = msgspec.json.Encoder()
        self._added: list[LedgerLine] = []
        try:
            self._n = _last_number(path)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerError(f"ledger {path}: {error.strerror or error}") from error

    def add(
        self, system_id: str, at: float, pdu: MessageRequest, status: int, message_id: bytes
    ) -> None:
        """Note one submit; it is in the file after ``flush``."""
        octets = message_octets(pdu)
        reference: int | None = None
        part = parts = 1
        if pdu.tlvs or pdu.esm_class & vocabulary.ESM_CLASS_UDHI:
            reference, part, parts, octets = concatenation_of(pdu, octets)
        self._n += 1
        self._added.append(
            LedgerLine(
                self._n,
                at,
                system_id,
                pdu.source_addr.decode("latin-1"),
                pdu.destination_addr.decode("latin-1"),
                status,
                message_id.decode("latin-1"),
                pdu.data_coding,
                octets.hex(),
                pdu.registered_delivery,
                reference,
                part,
                parts,
            )
        )

    def flush(self) -> None:
        """Write what was added. OSError (a full disk) ends the simulator: it must not go blind."""
        if not self._added:
            return
        octets = memoryview(self._encoder.encode_lines(self._added))
        while octets:
            octets = octets[os.write(self._file, octets) :]
        self.lines_written += len(self._added)
        self._added.clear()

    def close(self) -> None:
        """Flush and close; further use is an error."""
        self.flush()
        os.close(self._file)


def _last_number(path: Path) -> int:
    if not path.exists():
        return 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL_BYTES))
        lines = file.read().splitlines()
    if not lines:
        return 0
    return _parse(lines[-1], path).n


def _parse(line: bytes, path: Path) -> LedgerLine:
    try:
        return msgspec.json.decode(line, type=LedgerLine)
    except msgspec.MsgspecError as error:
        raise LedgerError(f"ledger {path}: {error}") from error


def read_ledger(path: Path) -> Iterator[LedgerLine]:
    """Every whole line, in the order of arrival. LedgerError for a line that is none."""
    try:
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    return  # still being written
                yield _parse(line, path)
    except OSError as error:
        raise LedgerError(f"ledger {path}: {error.strerror or error}") from error
