"""What a run of faults is shown as: a line a fault, in Markdown.

Owns the rows and their text. Must not judge. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from benchmarks.faults.judging import Findings

SKIPPED = "skipped"


class Round(msgspec.Struct, frozen=True):
    """One fault that was done, or the reason why it was not.

    `carried`: messages accepted since the round before. `recovered_seconds`: from its end until a
    message that was sent then has ended; None: never. `refused`: answers to good requests that no
    client repeats. `ended`: programs that ended by themselves. `said` is what was odd, for people.
    """

    fault: str
    at_seconds: float = 0.0
    held_seconds: float = 0.0
    carried: int = 0
    in_doubt: int = 0
    owed: int = 0
    recovered_seconds: float | None = None
    findings: Findings = msgspec.field(default_factory=Findings)
    refused: Sequence[str] = ()
    ended: Sequence[str] = ()
    said: Sequence[str] = ()
    skipped: str = ""

    @property
    def broken(self) -> dict[str, object]:
        """Promises that did not hold."""
        if self.skipped:
            return {}
        found: dict[str, object] = dict(self.findings.broken)
        if self.refused:
            found["refused"] = list(self.refused)
        if self.ended:
            found["ended"] = list(self.ended)
        if self.recovered_seconds is None:
            found["recovered"] = "never"
        return found

    @property
    def figures(self) -> dict[str, float]:
        """Of a round that was done and kept its promises, as results have them."""
        found = self.findings
        return {
            "carried": self.carried,
            "held_seconds": self.held_seconds,
            "lost": len(found.lost) + len(found.never_accepted),
            "doubled": len(found.doubled),
            "in_doubt": self.in_doubt,
            "stuck": len(found.stuck),
            "receipts_wrong": len(found.receipts_missed) + len(found.receipts_invented),
            "clicks_missing": found.clicks_missing,
            "webhooks_missing": len(found.webhooks_missing) + len(found.webhooks_wrong),
            "recover_seconds": self.recovered_seconds or 0.0,
        }


HEAD = (
    "fault", "times", "carried", "lost", "doubled outside doubt", "in doubt", "stuck",
    "receipts wrong", "clicks missing", "webhooks missing", "seconds to recover",
)  # fmt: skip


ADDED = (
    "carried", "lost", "doubled", "in_doubt", "stuck", "receipts_wrong", "clicks_missing",
    "webhooks_missing",
)  # fmt: skip


def table(rounds: Iterable[Round]) -> str:
    """A line for each fault, in the order in which each came first; then their sum."""
    of: dict[str, list[Round]] = {}
    for each in rounds:
        of.setdefault(each.fault, []).append(each)
    done = [(name, each) for name, every in of.items() for each in [_done(every)] if each]
    lines = [_cells(HEAD), _cells(["---"] * len(HEAD))]
    lines += [_cells(_row(name, every)) for name, every in done]
    if done:
        lines.append(_cells(_row("all", [each for _, every in done for each in every])))
    for name, every in of.items():
        if not _done(every):
            lines.append(_cells([name, f"{SKIPPED}: {every[0].skipped}", *[""] * (len(HEAD) - 2)]))
    return "\n".join(lines)


def _done(rounds: Sequence[Round]) -> list[Round]:
    return [each for each in rounds if not each.skipped]


def _row(name: str, rounds: Sequence[Round]) -> list[str]:
    recovered = [each.recovered_seconds for each in rounds]
    known = [seconds for seconds in recovered if seconds is not None]
    added = [str(sum(round(each.figures[key]) for each in rounds)) for key in ADDED]
    return [name, str(len(rounds)), *added, "never" if None in recovered else f"{max(known):.1f}"]


def _cells(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells).rstrip() + " |"
