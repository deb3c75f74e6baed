"""Owns the directive in a message's text that scripts what becomes of it. Must not act on it.

    #sim{status=ESME_RTHROTTLED}                      the submit_sm_resp's command_status
    #sim{state=UNDELIV;error=027;delay=250ms}         the receipt: stat, err, and how long after
    #sim{answer=2s} or #sim{answer=never}             when the submit_sm_resp comes
    #sim{intermediate=ENROUTE}                        a receipt with this state before the last one
    #sim{word=NOROUTE}                                stat in a word of the carrier's own, no TLV

It stands anywhere in the text of one part. Keys come in any order, each at most once, without
spaces. ``status`` is a name or a number (0x58). ``state`` is one of a profile's outcomes; ``none``
for no receipt. ``word`` stands in the place of ``state``: 3 to 16 capitals, digits and ``_``.
Times are a number with ``ms`` or ``s``, at most a day.

It goes before scripted numbers and chance. What it leaves out is as if the profile delivered
everything. A directive that cannot be read is answered with ESME_RSUBMITFAIL, so that a typing
error shows at once. The first directive of a part counts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from smpp import vocabulary
from smpp.decoding import decode_text
from smpp.events import MessageRequest
from smpp.pdu import message_octets
from smpp.segmentation import split_header
from smpp.simulator.fates import Fate, fate_of, fate_of_word, intermediate_fate
from smpp.simulator.profile import SPAN_MS_MAX, Outcome, ProfileError, status_number

DIRECTIVE: Final = re.compile(r"#sim\{([^{}]*)\}")
# In the octets of GSM 03.38 (and ASCII) and of UCS-2; the braces are written in many ways.
MARKS: Final = (b"#sim", "#sim".encode("utf-16-be"))
TIME: Final = re.compile(r"(\d{1,8})(ms|s)")
WORD: Final = re.compile(r"[A-Z][A-Z0-9_]{2,15}")
KEYS: Final = frozenset({"status", "state", "word", "error", "delay", "answer", "intermediate"})
WRONG: Final = Fate(command_status=vocabulary.ESME_RSUBMITFAIL)


def directive_in(pdu: MessageRequest) -> Fate | None:
    """The fate that the message's own text asks for; None without a directive, WRONG for one that
    cannot be read. Costs two searches for a message that has none.
    """
    octets = message_octets(pdu)
    if MARKS[0] not in octets and MARKS[1] not in octets:
        return None
    if pdu.esm_class & vocabulary.ESM_CLASS_UDHI:
        octets = split_header(octets)[1]
    found = DIRECTIVE.search(decode_text(octets, pdu.data_coding))
    return None if found is None else read_directive(found[1])


def read_directive(inner: str) -> Fate:
    """The fate that ``key=value;key=value`` describes, or WRONG."""
    values: dict[str, str] = {}
    for pair in filter(None, inner.split(";")):
        key, equals, value = pair.partition("=")
        if not equals or key not in KEYS or key in values:
            return WRONG
        values[key] = value
    try:
        return _fate(values)
    except (ValueError, ProfileError, msgspec.ValidationError):
        return WRONG


def _fate(values: dict[str, str]) -> Fate:
    answer_after = _seconds(values["answer"]) if "answer" in values else None
    if "status" in values:
        status = status_number(values["status"])
        if not 0 <= status <= 0xFFFFFFFF:
            raise ValueError(status)
        if status != vocabulary.ESME_ROK:
            return Fate(command_status=status, answer_after=answer_after)
    fate = _end(values)
    intermediate = values.get("intermediate")
    if intermediate is not None:
        intermediate_fate(intermediate)  # ValueError for another word
    return msgspec.structs.replace(
        fate,
        answer_after=answer_after,
        receipt_after=_seconds(values["delay"]) if "delay" in values else None,
        intermediate=() if intermediate is None else (intermediate,),
    )


def _end(values: Mapping[str, str]) -> Fate:
    """What the last receipt says, or that there is none."""
    outcome = {"state": values.get("state", "DELIVRD"), "error": values.get("error", "000")}
    known = msgspec.convert(outcome, Outcome)
    word = values.get("word")
    if word is None:
        return fate_of(known)
    if "state" in values or WORD.fullmatch(word) is None:
        raise ValueError(word)
    return fate_of_word(word, known.error)


def _seconds(text: str) -> float:
    if text == "never":
        return math.inf
    match = TIME.fullmatch(text)
    if match is None:
        raise ValueError(text)
    milliseconds = int(match[1]) * (1 if match[2] == "ms" else 1000)
    if milliseconds > SPAN_MS_MAX:
        raise ValueError(text)
    return milliseconds / 1000
