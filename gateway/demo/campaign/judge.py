"""Whether the gateway's figures are what really happened.

Owns the comparison. Must not count anything. Pure.
"""

from __future__ import annotations

import msgspec

from gateway.demo.campaign.truth import Figures


class Line(msgspec.Struct, frozen=True):
    """One figure. `report` None: the gateway did not tell it."""

    what: str
    truth: int | str
    report: int | str | None

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return self.truth == self.report


def compared(truth: Figures, report: Figures) -> list[Line]:
    """Every figure of the truth, with what was told of it."""
    return [Line(what, value, report.get(what)) for what, value in truth.items()]
