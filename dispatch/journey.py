"""A message on its way over the wire: its intent, its parts, and what each attempt left in doubt.

Owns these shapes. Must not decide anything.
"""

from __future__ import annotations

import msgspec

from dispatch.message import ReadyMessage
from smpp.pdu import SubmitSm


class InDoubt(msgspec.Struct, eq=False):
    """One connector's messages that stand in an open intent: in doubt if the process died now."""

    messages: int = 0


class Intent(msgspec.Struct, eq=False):
    """One row of submit_intent and the messages that it names. It goes when `open` reaches 0."""

    id: int
    connector: int
    messages: list[ReadyMessage]
    open: int  # messages without a stored result
    in_doubt: InDoubt


class Journey(msgspec.Struct, gc=False, eq=False):
    """One message between the intent that names it and its outcome."""

    message: ReadyMessage
    intent: Intent
    unanswered: int  # parts without an answer, written or not
    unsent: list[tuple[int, SubmitSm]] | None = (
        None  # parts to write, last first; None: not encoded yet
    )
    encoded_at: int = 0  # ms since the epoch
    submits: int = 0  # submit_sm of the whole message, once it is encoded
    segments: int = 1  # parts that the carrier makes of each of them
    done: tuple[int, ...] = ()
    retry_status: int | None = None  # command_status of a part that may be tried again
    retry_seconds: float = 0.0
    elsewhere: bool = False  # the refusal says that the connector is at fault
    throttled: bool = False
    unwritten: bool = False
    doubtful: bool = False  # a part was written and never answered, and is to be sent again


class OutboundPart(msgspec.Struct, gc=False, eq=False):
    """One submit_sm in flight. `submitted_at` in ms since the epoch."""

    journey: Journey
    part: int
    submission_id: int
    submitted_at: int
    generation: int  # of the pace it was written in
