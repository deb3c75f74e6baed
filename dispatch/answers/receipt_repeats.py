"""A cache for receipts of one moment: they differ in their ids and in the trailing text only.

Owns the short way of reading them: what else a receipt says is parsed once and remembered. Must not
know what a receipt may say: it has one with a made-up id parsed. Pure; bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from dlr.receipt import Receipt
from dlr.status import Status
from smpp.events import MessageRequest
from smpp.message_pdu import ShortMessage
from smpp.user_data import PLAIN_OCTETS_MAX, plain_text
from smpp.vocabulary import (
    ESM_CLASS_UDHI,
    TLV_MESSAGE_PAYLOAD,
    TLV_MESSAGE_STATE,
    TLV_NETWORK_ERROR_CODE,
    TLV_RECEIPTED_MESSAGE_ID,
)

REMEMBERED_MAX: Final = 1024  # dates, states and codes together

_ID_AT: Final = 3  # behind "id:"
_WORDS: Final = b"ext:"  # the end of the key "text:" or "Text:"
_ANY_ID: Final = b"1"

# Status, state, error, done_at, unknown_state, inferred and undated of a Receipt.
_Said = tuple[Status, str, str | None, datetime | None, str | None, bool, bool]


class RepeatedReceipts:
    """The cache of one carrier."""

    def __init__(self, parse: Callable[[str, Mapping[int, bytes]], Receipt | None]) -> None:
        """`parse`: the long way, from a text and TLVs."""
        self._parse = parse
        self._said = lru_cache(REMEMBERED_MAX)(self._what_is_said)

    def forget(self) -> None:
        """The carrier's receipts are read in another way from now on."""
        self._said.cache_clear()

    def read(self, pdu: MessageRequest, tlvs: Mapping[int, bytes]) -> Receipt | None:
        """What the long way would give. None for a receipt of another form, which must take it."""
        if pdu.esm_class & ESM_CLASS_UDHI or not isinstance(pdu, ShortMessage):
            return None
        octets = pdu.short_message
        if len(octets) > PLAIN_OCTETS_MAX or TLV_MESSAGE_PAYLOAD in tlvs:
            return None
        blank = octets.find(b" ", _ID_AT)
        words = octets.find(_WORDS, blank)
        identifier = octets[_ID_AT:blank]
        if octets[:_ID_AT] != b"id:" or not identifier.isalnum():
            return None
        if octets[words - 2 : words] not in (b" t", b" T"):
            return None
        state = network_error = None
        if tlvs:
            if tlvs.get(TLV_RECEIPTED_MESSAGE_ID, identifier).rstrip(b"\0") != identifier:
                return None
            state = tlvs.get(TLV_MESSAGE_STATE)
            network_error = tlvs.get(TLV_NETWORK_ERROR_CODE)
        said = self._said(octets[blank : words + len(_WORDS)], state, network_error)
        if said is None:
            return None
        status, word, error, done_at, unknown_state, inferred, undated = said
        carrier_id = identifier.decode("ascii")
        return Receipt(
            carrier_id, status, word, error, done_at, None, unknown_state, inferred, False, undated
        )

    def _what_is_said(
        self, rest: bytes, state: bytes | None, network_error: bytes | None
    ) -> _Said | None:
        """The key of a receipt: its text behind the id, and two TLVs. None where it says more."""
        tlvs = {TLV_MESSAGE_STATE: state, TLV_NETWORK_ERROR_CODE: network_error}
        given = {tag: value for tag, value in tlvs.items() if value is not None}
        receipt = self._parse(plain_text(b"id:" + _ANY_ID + rest), given)
        if receipt is None or receipt.carrier_id != _ANY_ID.decode() or not receipt.state:
            return None
        if receipt.text_id is not None or receipt.guessed:
            return None
        return (
            receipt.status, receipt.state, receipt.error, receipt.done_at, receipt.unknown_state,
            receipt.inferred, receipt.undated,
        )  # fmt: skip
