"""The states of a batch, and which may follow which.

Owns the numbers in `batch_control.state`. Must not change a batch (control/batches.py). Pure.
"""

from __future__ import annotations

from enum import IntEnum


class BatchState(IntEnum):
    """A batch is active unless somebody said otherwise. A canceled one stays canceled."""

    ACTIVE = 0
    PAUSED = 1
    CANCELED = 2

    @property
    def label(self) -> str:
        """The name in the API."""
        return self.name.lower()
