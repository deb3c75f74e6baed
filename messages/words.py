"""The words in answers about a message, as types that list them in /openapi.json.

Owns these types. Must not say what the words mean: that stands beside what they name
(dlr/status.py, dlr/reasons.py).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from dispatch.holds import Hold
from dlr.reasons import Reason
from dlr.status import STATUSES
from storage.categories import Category

# Reasons of messages. A rule that holds a message back gives its own name as the reason.
STATUS_NAMES = tuple(dict.fromkeys(info.label for info in STATUSES.values()))


REASON_NAMES = tuple(
    dict.fromkeys(
        [
            *(reason.label for reason in Reason if reason is not Reason.NONE),
            *(hold.rule for hold in Hold if hold is not Hold.NONE),
        ]
    )
)


CATEGORY_NAMES = tuple(category.label for category in Category)


StatusName = Annotated[str, Meta(extra_json_schema={"enum": list(STATUS_NAMES)})]


ReasonName = Annotated[str, Meta(extra_json_schema={"enum": list(REASON_NAMES)})]


CategoryName = Annotated[str, Meta(extra_json_schema={"enum": list(CATEGORY_NAMES)})]
