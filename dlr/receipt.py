"""What a delivery receipt means, in whatever form the carrier wrote it.

Owns the states (E18, E28), dates, ids and the receipt TLVs: receipted_message_id 0x001E,
message_state 0x0427, network_error_code 0x0423. Must not take the text apart (receipt_text.py) nor
decide whether a PDU is a receipt. Pure. Nothing that a carrier sends makes this module raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import msgspec

from dlr.codes import WORDS_ONLY
from dlr.receipt_text import (
    ID_CHARACTERS_MAX,
    STATE_CHARACTERS_MAX,
    receipt_words,
)
from dlr.receipt_times import parse_date
from dlr.status import Status, advance

IdBase = Literal["opaque", "hex", "dec"]

# The stat words of appendix B with their long and cut forms seen in the field, and those of SMPP
# 5.0. DELETED and SKIPPED mean that nobody got the message. UNKNOWN is no outcome: the carrier does
# not know either, and may tell later.
STATES: Mapping[str, Status] = MappingProxyType(
    {
        "DELIVRD": Status.DELIVERED,
        "DELIVERD": Status.DELIVERED,
        "DELIVERED": Status.DELIVERED,
        "EXPIRED": Status.EXPIRED,
        "EXPIRD": Status.EXPIRED,
        "DELETED": Status.UNDELIVERED,
        "UNDELIV": Status.UNDELIVERED,
        "UNDELIVERED": Status.UNDELIVERED,
        "UNDELIVERABLE": Status.UNDELIVERED,
        "UNDELVD": Status.UNDELIVERED,
        "FAILED": Status.UNDELIVERED,
        "SKIPPED": Status.UNDELIVERED,
        "REJECTD": Status.REJECTED,
        "REJECTED": Status.REJECTED,
        "ACCEPTD": Status.SENT,
        "ACCEPTED": Status.SENT,
        "ENROUTE": Status.SENT,
        "SCHEDULED": Status.SENT,
        "UNKNOWN": Status.SENT,
    }
)

NO_STATES: Mapping[str, Status] = MappingProxyType({})
# Nobody got it: a carrier's own code says why.
_FAILURES = frozenset({Status.EXPIRED, Status.REJECTED, Status.UNDELIVERED})

FIELDS_MIN = 2  # an id alone, without a state, makes no receipt
FIELDS_CERTAIN = 4  # id, state and two others, whatever the state's word is

# message_state, SMPP 3.4 5.2.28; 0 and 9 from SMPP 5.0.
MESSAGE_STATES: Mapping[int, str] = MappingProxyType(
    {
        0: "SCHEDULED",
        1: "ENROUTE",
        2: "DELIVRD",
        3: "EXPIRED",
        4: "DELETED",
        5: "UNDELIV",
        6: "ACCEPTD",
        7: "UNKNOWN",
        8: "REJECTD",
        9: "SKIPPED",
    }
)

# Chinese carriers put their own code in place of the stat word: two letters and four digits. Codes
# of another form are in the code tables.
_CARRIER_CODE = re.compile(r"[A-Z]{2}:[0-9]{4}")
_HEX = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{1,64}")
_DECIMAL = re.compile(r"[0-9]{1,65}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")

_GSM_NETWORK = 3  # network_error_code, first octet (SMPP 3.4, 5.3.2.31)


class Receipt(msgspec.Struct, gc=False):
    """One receipt as the carrier meant it.

    `carrier_id` is raw: from the TLV, else from the text, "" where neither has one. `text_id` is
    the text's when the two differ (E7). `status` is SENT for an intermediate state. `state` and
    `error` are the carrier's own words.

    `unknown_state`: a word without known meaning, or "". `guessed`: a value stood without its key.
    `undated`: its date cannot be read. `inferred`: no word gave the state. But none was delivered,
    and there are a date and a code.
    """

    carrier_id: str
    status: Status
    state: str
    error: str | None
    done_at: datetime | None
    text_id: str | None = None
    unknown_state: str | None = None
    inferred: bool = False
    guessed: bool = False
    undated: bool = False


class Likeness(IntEnum):
    """How much of a receipt a text has that nothing else marks as one."""

    NONE = 0
    STATED = 1  # it names a state there is, and no message
    NAMED = 2  # it names a message and a state
    CERTAIN = 3  # the state is one there is, or the text has the other fields, too


def parse_receipt(
    text: str,
    *,
    receipted_message_id: bytes | None,
    message_state: int | None,
    network_error_code: bytes | None,
    states: Mapping[str, Status] = NO_STATES,
    zone: tzinfo = UTC,
) -> Receipt | None:
    """Read a receipt from its text (one line), its TLVs, or both. Never raises.

    None when it says nothing about a message; an `id:` alone says nothing. Where text and TLV both
    give a state, the higher rank counts, as with two receipts. `states`: this carrier's own words,
    in capitals. `zone`: of its dates.
    """
    words = receipt_words(text, is_state if states is NO_STATES else _StateOf(states))
    tlv_id = _identifier(receipted_message_id) if receipted_message_id else ""
    word = words.state
    if not tlv_id and word is None and message_state is None and words.fields < FIELDS_MIN:
        return None
    if not tlv_id and not words.identifier and not word and message_state is None:
        return None
    ours = tlv_ours = None
    if states is not NO_STATES:
        ours = states.get((word or "").upper())
        tlv_ours = None if message_state is None else states.get(_state_word(message_state))
    status, state, error, done_at, unknown, inferred, undated = _outcome(
        word or "",
        ours,
        message_state,
        tlv_ours,
        words.error,
        network_error_code,
        words.done_date,
        words.none_delivered,
        zone,
    )
    text_id = words.identifier
    return Receipt(
        tlv_id or text_id,
        status,
        state,
        error,
        done_at,
        text_id if tlv_id and text_id and text_id != tlv_id else None,
        unknown,
        inferred,
        words.bare_id or words.bare_state,
        undated,
    )


def likeness(text: str, states: Mapping[str, Status] = NO_STATES) -> Likeness:
    """Whether a text reads as a receipt (E19); never raises."""
    known = _StateOf(states)
    words = receipt_words(text, known)
    if not words.state:
        return Likeness.NONE
    if not words.identifier or words.bare_id:
        return Likeness.STATED if known(words.state) else Likeness.NONE
    if known(words.state) or words.fields >= FIELDS_CERTAIN:
        return Likeness.CERTAIN
    return Likeness.NAMED


def is_state(word: str) -> bool:
    """Whether this word is a state with every carrier."""
    return word.upper() in STATES or _is_code(word)


class _StateOf:
    """As is_state, with one carrier's own words too."""

    def __init__(self, states: Mapping[str, Status]) -> None:
        self._states = states

    def __call__(self, word: str) -> bool:
        return word.upper() in self._states or is_state(word)


def normalise_id(raw: bytes | str, base: IdBase) -> str:
    """One spelling per carrier id, so that a response and its receipt meet (E1 to E5).

    `base` is how this side of this connector writes ids. Numbers become plain decimal without
    leading zeros, of any length. An id that is no number in that base (a UUID, a name) stays as it
    is, with its zeros and case. `opaque` changes nothing.
    """
    identifier = _identifier(raw) if isinstance(raw, bytes) else raw.strip()
    if base == "hex" and _HEX.fullmatch(identifier):
        return str(int(identifier, 16))
    if base == "dec" and _DECIMAL.fullmatch(identifier):
        return str(int(identifier))
    return identifier


def _identifier(octets: bytes) -> str:
    """A C-octet string as text: without its NUL and what follows, and without space around it."""
    plain = octets.lstrip(b"\0").partition(b"\0")[0][:ID_CHARACTERS_MAX].decode("latin-1")
    return (plain if plain.isprintable() else _CONTROLS.sub("", plain)).strip()


# Receipts come in the order of their dates, and most of one minute say the same. Remembering what
# they say makes reading them ten times cheaper.
@lru_cache(maxsize=1024)
def _outcome(
    word: str,
    ours: Status | None,
    message_state: int | None,
    tlv_ours: Status | None,
    err: str,
    network_error: bytes | None,
    done_date: str,
    none_delivered: bool,
    zone: tzinfo,
) -> tuple[Status, str, str | None, datetime | None, str | None, bool, bool]:
    """Status, state, error, done_at, unknown_state, inferred and undated of a Receipt.

    `ours`, `tlv_ours`: what this carrier means by its word and its number.
    """
    status, state, unknown = _state(word, ours, message_state, tlv_ours)
    error = err or _network_error(network_error)
    done_at = parse_date(done_date, zone)
    failed = bool((error or "").strip("0"))
    inferred = unknown is not None and none_delivered and done_at is not None and failed
    if inferred:
        status = Status.UNDELIVERED
    if not failed and word and word.upper() not in STATES and status in _FAILURES:
        error = word
    # Zeros say that there is no date.
    undated = done_at is None and bool(done_date.strip("0 "))
    return status, state, error, done_at, unknown, inferred, undated


def _state(
    word: str, ours: Status | None, message_state: int | None, tlv_ours: Status | None
) -> tuple[Status, str, str | None]:
    """(what the words mean, the word that decides, the word that is unknown).

    An unknown word counts as an intermediate state, never as an outcome.
    """
    status = _meaning(word, ours) if word else None
    tlv_word, tlv_status = "", None
    if message_state is not None:
        tlv_word = _state_word(message_state)
        tlv_status = _meaning(tlv_word, tlv_ours)
    if status is None and tlv_status is None:
        unknown = word or tlv_word
        return Status.SENT, unknown, unknown
    if status is None or (tlv_status is not None and advance(status, tlv_status) != status):
        assert tlv_status is not None
        state, decided = tlv_word, tlv_status
    else:
        state, decided = word, status
    unknown = word if status is None else tlv_word if tlv_status is None else ""
    return decided, state, unknown if unknown and decided is Status.SENT else None


def _meaning(word: str, ours: Status | None) -> Status | None:
    if ours is not None:
        return ours
    status = STATES.get(word.upper())
    return Status.UNDELIVERED if status is None and _is_code(word) else status


def _is_code(word: str) -> bool:
    return _CARRIER_CODE.fullmatch(word) is not None or WORDS_ONLY.find(word) is not None


def _state_word(message_state: int) -> str:
    return MESSAGE_STATES.get(message_state) or f"STATE-{message_state}"[:STATE_CHARACTERS_MAX]


def _network_error(octets: bytes | None) -> str | None:
    """Network type and code. GSM codes are written like `err:`, others keep their type in front."""
    if octets is None or len(octets) != 3:
        return None
    code = f"{int.from_bytes(octets[1:], 'big'):03d}"
    return code if octets[0] == _GSM_NETWORK else f"{octets[0]}-{code}"
