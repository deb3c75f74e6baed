"""Owns the text of a receipt (SMPP 3.4 appendix B) and the ways in which carriers get it wrong
(E2). Must not choose the way.
"""

from __future__ import annotations

import msgspec


class ReceiptText(msgspec.Struct, gc=False):
    """The fields of appendix B as octets; dates are ``YYMMDDhhmm``."""

    receipt_id: bytes
    delivered: bool
    submit_date: bytes
    done_date: bytes
    state: bytes
    error: bytes
    text: bytes


def receipt_text(fields: ReceiptText, oddity: str | None) -> bytes:
    """The short_message; ``oddity`` is one of ``profile.Oddity``."""
    match oddity:
        case "missing_fields":
            return b"id:%b stat:%b" % (fields.receipt_id, fields.state)
        case "other_order":
            return b"stat:%b err:%b done date:%b submit date:%b dlvrd:%b sub:001 id:%b text:%b" % (
                fields.state,
                fields.error,
                fields.done_date,
                fields.submit_date,
                _count(fields),
                fields.receipt_id,
                fields.text,
            )
        case "dates_with_seconds":
            return _usual(fields, seconds=b"00")
        case "lower_case":
            return _usual(fields).replace(fields.state, fields.state.lower(), 1)
        case "upper_case_keys":
            head, text, rest = _usual(fields).partition(b" text:")
            for key in (b"id:", b"sub:", b"dlvrd:", b"submit date:", b"done date:", b"stat:"):
                head = head.replace(key, key.upper(), 1)
            return head.replace(b" err:", b" ERR:", 1) + text.upper() + rest
        case "trailing_nul":
            return _usual(fields) + b"\0"
        case _:
            return _usual(fields)


def _count(fields: ReceiptText) -> bytes:
    return b"001" if fields.delivered else b"000"


def _usual(fields: ReceiptText, seconds: bytes = b"") -> bytes:
    return b"id:%b sub:001 dlvrd:%b submit date:%b%b done date:%b%b stat:%b err:%b text:%b" % (
        fields.receipt_id,
        _count(fields),
        fields.submit_date,
        seconds,
        fields.done_date,
        seconds,
        fields.state,
        fields.error,
        fields.text,
    )
