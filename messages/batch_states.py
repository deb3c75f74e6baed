"""The states of a batch and what may follow what.

Owns the numbers in `batch_control.state`. Pure.
"""

from __future__ import annotations

from enum import IntEnum


class BatchState(IntEnum):
    """Active, unless somebody said otherwise. A canceled batch stays canceled."""

    ACTIVE = 0
    PAUSED = 1
    CANCELED = 2

    @property
    def label(self) -> str:
        """The name in the API."""
        return self.name.lower()
