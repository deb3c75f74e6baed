"""Why a campaign paused by itself, in words that can be asked about again.

Owns these words. Must not find out whether one still holds (gate.py). Pure.
"""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """What has to be gone, or answered for by somebody, before a paused campaign goes on."""

    BOUNDS = "bounds"  # guard.py: delivery, opt-outs, complaints, failures
    CONNECTOR_DOWN = "connector_down"
    LINK_DEAD = "link_dead"
    RESTORED = "restored"  # nobody here knows who got it since the backup


def said(cause: Cause, detail: str) -> str:
    """As the reason of a pause."""
    return f"{cause.value}: {detail}"
