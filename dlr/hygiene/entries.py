"""The suppression that evidence leads to.

Owns its shape. Must not decide when there is one (`dlr/hygiene/policy.py`) nor store it.

It is for every account and category, and ends by itself. A delivery ends it before. It never stands
in an opt-out's place: storage puts that over it.
"""

from __future__ import annotations

from typing import Final

from dlr.hygiene import policy
from dlr.hygiene.evidence import Evidence
from storage.suppression import EVERY_ACCOUNT, EVERY_CATEGORY, HYGIENE, Suppression

SOURCE: Final = HYGIENE


def suppression_of(evidence: Evidence) -> Suppression:
    """The entry for the number of a proof, or of ambiguous evidence that was enough."""
    return Suppression(
        to_idx=evidence.to_idx,
        reason=evidence.reason,
        source=SOURCE,
        account=EVERY_ACCOUNT,
        category=EVERY_CATEGORY,
        message_id=evidence.message_id,
        detail=f"carrier code {evidence.error}" if evidence.error else None,
        expires_at=policy.until(evidence.kind, evidence.at),
        to_enc=evidence.to_enc,
    )
