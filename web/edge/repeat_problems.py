"""What can be wrong with a request that says it may be a repeat.

Owns these kinds; problems.py has them in its table. Must not decide when one is due
(idempotent.py, endpoints.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

REPEAT_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "idempotency_key_invalid": ProblemKind(
            400,
            "Malformed Idempotency-Key",
            "Send one key of 1 to 255 letters, digits, _ : -; not an empty one.",
        ),
        "idempotency_in_progress": ProblemKind(
            409, "Request in progress", "Send the same request again after Retry-After seconds."
        ),
        "idempotency_key_unused": ProblemKind(
            400,
            "No Idempotency-Key here",
            "Leave it out; the detail says what a repeat does.",
        ),
        "idempotency_key_reused": ProblemKind(
            422, "Idempotency-Key used for another request", "Make a new key for a new request."
        ),
    }
)
