"""What is required of a figure, and whether it is met.

Owns the comparison, and its one line of text. Must not measure. The requirements stand beside the
figures, in the benchmarks.
"""

from __future__ import annotations

import msgspec


class Verdict(msgspec.Struct, frozen=True):
    """`at_most`: the figure is to be small; otherwise it is to be large. None: nothing is asked."""

    what: str
    figure: float
    required: float | None = None
    aim: float | None = None
    at_most: bool = False
    unit: str = ""

    @property
    def required_met(self) -> bool | None:
        """Whether the figure is good enough."""
        return self._met(self.required)

    @property
    def aim_met(self) -> bool | None:
        """Whether it is as good as hoped."""
        return self._met(self.aim)

    def _met(self, bound: float | None) -> bool | None:
        if bound is None:
            return None
        return self.figure <= bound if self.at_most else self.figure >= bound

    def line(self) -> str:
        """For people."""
        sign = "<=" if self.at_most else ">="
        unit = f" {self.unit}" if self.unit else ""
        bounds = [
            f"{name} {sign} {bound:g}{unit}: {'met' if self._met(bound) else 'NOT met'}"
            for name, bound in (("required", self.required), ("aim", self.aim))
            if bound is not None
        ]
        return f"{self.what}: {self.figure:g}{unit} ({'; '.join(bounds)})"

    def fields(self) -> dict[str, object]:
        """For the JSON."""
        return {
            **msgspec.structs.asdict(self),
            "required_met": self.required_met,
            "aim_met": self.aim_met,
        }
