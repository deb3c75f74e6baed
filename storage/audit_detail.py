"""What the audit says of a change in clear: known keys, each with values of a known form.

Owns the closed list. Must not hold anything about a person: what is chained can never be erased.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

LIST_ITEMS_MAX = 100
_WORD = r"[A-Za-z0-9_.:#*-]{1,64}"
_NUMBER = r"\+?[0-9]{7,}"  # what might be somebody's telephone number is no word

_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(?:Z|[+-][0-9]{2}:[0-9]{2})"
_word = re.compile(rf"(?!{_NUMBER}$){_WORD}")
_moment = re.compile(_MOMENT)
_ours = re.compile(r"[^+\x00-\x1f\x7f]{1,100}")  # a connector, an operator, a sender of an account
_rate = re.compile(r"[0-9]{1,8}(?:\.[0-9]{1,3})?/[smhd](?:,burst=[0-9]{1,8})?")
_place = re.compile(rf"(?!{_NUMBER}$){_WORD}|{_MOMENT}")  # of a row in a list

# Key -> whether its texts are words or moments. Counts, ids of rows, truth and null are always
# allowed.
KEYS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "added": _word,
        "arm": _word,
        "attribute": _word,
        "batch": _word,
        "campaign": _word,
        "campaigns": _word,
        "cap": _word,
        "category": _word,
        "changed": _word,
        "columns": _word,
        "complaint_id": _word,
        "connector": _word,
        "contact": _word,
        "day": _word,
        "days": _word,
        "endpoint": _word,
        "erasure": _word,
        "existing": _word,
        "first": _place,
        "format": _word,
        "hash": _word,
        "how": _word,
        "import": _word,
        "in_flight": _word,
        "inbound_id": _word,
        "key": _word,
        "last": _place,
        "link": _word,
        "list": _word,
        "looked_at": _word,
        "merged": _word,
        "message": _word,
        "message_id": _word,
        "messages": _word,
        "month": _word,
        "month_max": _word,
        "outbox": _word,
        "partner": _word,
        "paused": _word,
        "proofs": _word,
        "provider": _word,
        "rate": _rate,
        "reasons": _word,
        "refused": _word,
        "removed": _word,
        "replaced_by": _word,
        "reveal": _word,
        "rows": _word,
        "rule": _word,
        "rules": _word,
        "scope": _word,
        "scopes": _word,
        "seconds": _word,
        "segment": _word,
        "source": _word,
        "state": _word,
        "suppressed": _word,
        "taken_at": _moment,
        "target": _ours,
        "template": _word,
        "to": _word,
        "type": _word,
        "until": _moment,
        "version": _word,
        "week": _word,
    }
)


class DetailRefused(ValueError):
    """An entry would say something that nobody could take back."""


def check(detail: Mapping[str, object]) -> None:
    """Raises DetailRefused unless each key is known and each value a count or a word of its form.

    Words have 1 to 64 of the characters A-Z a-z 0-9 _ . : # * -, and are no telephone numbers.
    """
    for key, value in detail.items():
        form = KEYS.get(key)
        if form is None:
            raise DetailRefused(f"the audit knows no detail {key!r}")
        values = value if isinstance(value, (list, tuple)) else (value,)
        if len(values) > LIST_ITEMS_MAX:
            raise DetailRefused(f"{key} has more than {LIST_ITEMS_MAX} items")
        for each in values:
            if each is None or isinstance(each, int):
                continue
            if not (isinstance(each, str) and form.fullmatch(each)):
                raise DetailRefused(f"{key} holds something else than counts and words")
