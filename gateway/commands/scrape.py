"""One reading of a gateway's metrics, for commands.

Owns the look-up of samples. Must not ask for them, nor say what they mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from prometheus_client.parser import text_string_to_metric_families

Labels = Mapping[str, str]


class Scrape:
    """The samples of one moment. `at`: seconds of a monotonic clock."""

    def __init__(self, text: str, at: float) -> None:
        """Raises ValueError for a text that is not of Prometheus."""
        self.at = at
        self._samples: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def total(self, name: str, wanted: Callable[[Labels], bool] = lambda _: True) -> float:
        """The sum of a metric's samples."""
        return sum(value for labels, value in self._samples.get(name, ()) if wanted(labels))

    def most(self, name: str, wanted: Callable[[Labels], bool] = lambda _: True) -> float:
        """The largest of a metric's samples; 0 without any."""
        found = (value for labels, value in self._samples.get(name, ()) if wanted(labels))
        return max(found, default=0.0)

    def of(self, name: str, **labels: str) -> float | None:
        """The sample with exactly these labels; None: there is none."""
        for found, value in self._samples.get(name, ()):
            if found == labels:
                return value
        return None

    def labels(self, name: str, label: str) -> list[str]:
        """The values of a label, in the order of the page."""
        found = (labels.get(label, "") for labels, _ in self._samples.get(name, ()))
        return list(dict.fromkeys(found))


def per_second(
    before: Scrape, now: Scrape, name: str, wanted: Callable[[Labels], bool] = lambda _: True
) -> float:
    """How fast a counter grew between two readings; after a restart, since then."""
    seconds = now.at - before.at
    grown = now.total(name, wanted) - before.total(name, wanted)
    if grown < 0:
        grown = now.total(name, wanted)
    return grown / seconds if seconds > 0 else 0.0
