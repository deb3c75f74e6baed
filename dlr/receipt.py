"""Reading a delivery receipt, whatever the carrier made of it.

Owns the text format of SMPP 3.4 appendix B, with its many dialects (E18, E25 to E28), and the
receipt TLVs (receipted_message_id 0x001E, message_state 0x0427, network_error_code 0x0423). Pure.
Must not decide whether a PDU is a receipt: esm_class says so, the text never does (E19). Nothing
that a carrier sends makes this module raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import msgspec

from dlr.status import Status, advance

RECEIPT_OCTETS_MAX = 1024  # a longer text is cut before it is read
ID_CHARACTERS_MAX = 65  # SMPP 3.4, 5.2.23
STATE_CHARACTERS_MAX = 32
ERROR_CHARACTERS_MAX = 32

IdBase = Literal["opaque", "hex", "dec"]

# stat words of appendix B, their long and cut forms seen in the field, and those of SMPP 5.0.
# DELETED and SKIPPED mean that nobody got the message. UNKNOWN is no outcome: the carrier does not
# know either, and may tell later.
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

_KEY = re.compile(
    r"(?<![A-Za-z0-9])(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)[ ]?:",
    re.IGNORECASE,
)
# Appendix B to the letter, as most receipts are: read in one step. Everything else takes the
# tolerant way, which gives the same answer for these.
_PLAIN = re.compile(
    r"id:(\S+) sub:[0-9]* dlvrd:[0-9]* submit date:[0-9]* done date:([0-9]*)"
    r" stat:([A-Z]+) err:([0-9A-Za-z]*)(?: [Tt]ext:|\Z)"
)
# Chinese carriers put their own code in place of the stat word: two letters and four digits, or a
# block list's name.
_CARRIER_CODE = re.compile(r"[A-Z]{2}:[0-9]{4}|(?:MB|DB)BLACK")
_HEX = re.compile(r"(?:0[xX])?[0-9A-Fa-f]{1,64}")
_DECIMAL = re.compile(r"[0-9]{1,65}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_NOT_DIGITS = re.compile(r"[^0-9]")

_GSM_NETWORK = 3  # network_error_code, first octet (SMPP 3.4, 5.3.2.31)


class Receipt(msgspec.Struct, gc=False):
    """One receipt as the carrier meant it.

    `carrier_id` is raw, from the TLV if there is one, else from the text; `text_id` is the text's
    when the two differ (E7). `status` is SENT for an intermediate state. `state` and `error` are
    the carrier's own words. `done_at` is taken as UTC: the format carries no zone.
    """

    carrier_id: str
    status: Status
    state: str
    error: str | None
    done_at: datetime | None
    text_id: str | None = None


def parse_receipt(
    short_message: bytes,
    *,
    receipted_message_id: bytes | None,
    message_state: int | None,
    network_error_code: bytes | None,
) -> Receipt | None:
    """Read a receipt from its text (short_message or message_payload), its TLVs, or both; never
    raises.

    None when it names no message, or when it has an `id:` but no other sign of being a receipt.
    Where text and TLV both give a state, the one that ranks higher counts, as with two receipts.
    """
    text = _decode(short_message[:RECEIPT_OCTETS_MAX])
    text_id, done_date, word, err = _words(text)
    tlv_id = _identifier(receipted_message_id) if receipted_message_id else ""
    if not tlv_id and not (text_id and (message_state is not None or word is not None)):
        return None
    status, state, error, done_at = _outcome(
        word or "", message_state, err, network_error_code, done_date
    )
    return Receipt(
        tlv_id or text_id,
        status,
        state,
        error,
        done_at,
        text_id if tlv_id and text_id and text_id != tlv_id else None,
    )


def is_receipt_text(short_message: bytes) -> bool:
    """Whether a text names a message and one of the states there are, as a receipt does (E19).

    For carriers that are known to send receipts without saying so in esm_class; never raises.
    """
    text_id, _, word, _ = _words(_decode(short_message[:RECEIPT_OCTETS_MAX]))
    state = (word or "").upper()
    known = state in STATES or _CARRIER_CODE.fullmatch(state) is not None
    return known and bool(text_id)


def normalise_id(raw: bytes | str, base: IdBase) -> str:
    """One spelling per carrier id, so that a response and its receipt meet (E1 to E5).

    `base` is how this side of this connector writes ids. Numeric ids become plain decimal without
    leading zeros, of any length; an id that is not a number in that base (a UUID, a name) stays as
    it is, its zeros and case included. `opaque` changes nothing.
    """
    identifier = _identifier(raw) if isinstance(raw, bytes) else raw.strip()
    if base == "hex" and _HEX.fullmatch(identifier):
        return str(int(identifier, 16))
    if base == "dec" and _DECIMAL.fullmatch(identifier):
        return str(int(identifier))
    return identifier


def parse_date(value: str) -> datetime | None:
    """A date of 10 (YYMMDDhhmm), 12 (YYMMDDhhmmss or YYYYMMDDhhmm) or 14 digits; else None.

    Separators between the digits are ignored.
    """
    digits = value if value.isascii() and value.isdigit() else _NOT_DIGITS.sub("", value[:32])
    if len(digits) == 10:
        return _date("20" + digits)
    if len(digits) == 12:  # read as YYMMDD…, a year of this century gives no month before 2101
        return _date("20" + digits) or _date(digits)
    return _date(digits) if len(digits) == 14 else None


def _date(digits: str) -> datetime | None:
    """YYYYMMDDhhmm or YYYYMMDDhhmmss. Ten times faster than strptime."""
    try:
        return datetime(
            int(digits[:4]),
            int(digits[4:6]),
            int(digits[6:8]),
            int(digits[8:10]),
            int(digits[10:12]),
            int(digits[12:] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None


def _decode(octets: bytes) -> str:
    """Text that PostgreSQL can store: receipts are ASCII, some are sent as UCS-2, some end in NUL
    (E27).
    """
    if len(octets) >= 4 and octets[0] == 0 and octets[2] == 0:
        octets = octets[1::2]
    text = octets.decode("latin-1")
    return (text if text.isprintable() else _CONTROLS.sub(" ", text)).strip()


def _identifier(octets: bytes) -> str:
    """A C-octet string as text: what follows a NUL is not part of it."""
    plain = octets.partition(b"\0")[0][:ID_CHARACTERS_MAX].decode("latin-1")
    return (plain if plain.isprintable() else _CONTROLS.sub("", plain)).strip()


def _words(text: str) -> tuple[str, str, str | None, str]:
    """The values of id, done date, stat (None where there is no such field) and err."""
    plain = _PLAIN.match(text)
    if plain is not None:
        text_id, done_date, word, err = plain.groups()
        text_id = text_id.strip(",;")[:ID_CHARACTERS_MAX]
        return text_id, done_date, word[:STATE_CHARACTERS_MAX], err[:ERROR_CHARACTERS_MAX]
    fields = _fields(text)
    stat = fields.get("stat")
    return (
        _word(fields.get("id", ""), ID_CHARACTERS_MAX),
        fields.get("done_date", ""),
        None if stat is None else _word(stat, STATE_CHARACTERS_MAX),
        _word(fields.get("err", ""), ERROR_CHARACTERS_MAX),
    )


def _fields(text: str) -> Mapping[str, str]:
    """Field name -> what stands between it and the next field name, in whatever order they come.

    `text:` holds the customer's own words, which may look like fields. So fields are read before
    it, first come; only if it comes first are they read from behind it, where the last one of a
    name is the carrier's.
    """
    keys = list(_KEY.finditer(text))
    head = next((index for index, key in enumerate(keys) if key[1].lower() == "text"), len(keys))
    ends = [*(key.start() for key in keys[1:]), len(text)]
    values = [
        (_field_name(key[1]), text[key.end() : end]) for key, end in zip(keys, ends, strict=False)
    ]
    fields: dict[str, str] = {}
    for name, value in values[:head]:
        fields.setdefault(name, value)
    if "id" not in fields and "stat" not in fields:
        fields.update(values[head:])
    return fields


def _field_name(key: str) -> str:
    name = key.lower()
    return f"{name[:-4].rstrip(' _')}_date" if name.endswith("date") else name


def _word(value: str, characters_max: int) -> str:
    words = value.split(maxsplit=1)
    return words[0].strip(",;")[:characters_max] if words else ""


# Receipts come in the order of their dates, many of one minute, and most of them say the same: 0.3
# us with the memory, 3 us without it.
@lru_cache(maxsize=1024)
def _outcome(
    word: str, message_state: int | None, err: str, network_error: bytes | None, done_date: str
) -> tuple[Status, str, str | None, datetime | None]:
    """Status, state, error and done_at of a Receipt."""
    state, status = _state(word, message_state)
    error = err or _network_error(network_error)
    if state not in STATES and _CARRIER_CODE.fullmatch(state) and not (error or "").strip("0"):
        error = state
    return status, state, error, parse_date(done_date)


def _state(word: str, message_state: int | None) -> tuple[str, Status]:
    """The raw state word and what it means; a word nobody knows is an intermediate state, never an
    outcome.
    """
    status = STATES.get(word.upper())
    if status is None:
        status = Status.UNDELIVERED if _CARRIER_CODE.fullmatch(word) else Status.SENT
    if message_state is not None:
        tlv_word = MESSAGE_STATES.get(
            message_state, f"state-{message_state}"[:STATE_CHARACTERS_MAX]
        )
        tlv_status = STATES.get(tlv_word, Status.SENT)
        if not word or advance(status, tlv_status) != status:
            return tlv_word, tlv_status
    return word, status


def _network_error(octets: bytes | None) -> str | None:
    """Network type and code; GSM codes are written as `err:` writes them, others keep their type in
    front.
    """
    if octets is None or len(octets) != 3:
        return None
    code = f"{int.from_bytes(octets[1:], 'big'):03d}"
    return code if octets[0] == _GSM_NETWORK else f"{octets[0]}-{code}"
