"""What can be forced of every room in memory: that it fails."""

from __future__ import annotations


class Forced:
    """Whatever is asked while `failure` is set fails so."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None

    def fail(self) -> None:
        if self.failure is not None:
            raise self.failure
