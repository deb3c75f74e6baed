"""Owns what can become of one message, as values. Must not choose among them: outcomes and
directive do.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

import msgspec

from smpp import vocabulary
from smpp.simulator.profile import NO_RECEIPT, Outcome

MESSAGE_STATES: Final = MappingProxyType(
    {
        "DELIVRD": vocabulary.MessageState.DELIVERED,
        "UNDELIV": vocabulary.MessageState.UNDELIVERABLE,
        "EXPIRED": vocabulary.MessageState.EXPIRED,
        "REJECTD": vocabulary.MessageState.REJECTED,
        "DELETED": vocabulary.MessageState.DELETED,
        "UNKNOWN": vocabulary.MessageState.UNKNOWN,
    }
)
INTERMEDIATE_STATES: Final = MappingProxyType(
    {
        "ENROUTE": vocabulary.MessageState.ENROUTE,
        "ACCEPTD": vocabulary.MessageState.ACCEPTED,
    }
)


class Fate(msgspec.Struct, frozen=True):
    """Either a refusal (``command_status`` not 0) or an end; the octets are the receipt's.

    ``message_state`` 0: the state is in a word of the carrier's own, and no TLV tells it.
    ``answer_after`` and ``receipt_after`` are seconds, None for what the profile says;
    ``answer_after`` is infinite for an answer that never comes.
    """

    command_status: int = vocabulary.ESME_ROK
    state: bytes = b""  # empty: no receipt ever comes
    error: bytes = b"000"
    message_state: int = 0
    answer_after: float | None = None
    receipt_after: float | None = None
    intermediate: tuple[str, ...] | None = None

    @property
    def delivered(self) -> bool:
        """The message reached the handset."""
        return self.message_state == vocabulary.MessageState.DELIVERED


def fate_of(outcome: Outcome) -> Fate:
    """The fate that a profile's outcome describes."""
    if outcome.state == NO_RECEIPT:
        return Fate()
    return Fate(
        state=outcome.state.encode("ascii"),
        error=outcome.error.encode("ascii"),
        message_state=int(MESSAGE_STATES[outcome.state]),
    )


def fate_of_word(word: str, error: str) -> Fate:
    """An end in a word of the carrier's own, which no TLV explains. ValueError for SMPP's words."""
    if word in MESSAGE_STATES or word in INTERMEDIATE_STATES:
        raise ValueError(word)
    return Fate(state=word.encode("ascii"), error=error.encode("ascii"))


def intermediate_fate(state: str) -> Fate:
    """What a receipt says on the way. ValueError for any state but ENROUTE and ACCEPTD."""
    if state not in INTERMEDIATE_STATES:
        raise ValueError(state)
    return Fate(state=state.encode("ascii"), message_state=int(INTERMEDIATE_STATES[state]))
