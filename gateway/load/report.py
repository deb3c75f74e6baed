"""The report of a load: for people, and as JSON.

Owns the words and the form. Must not count (figures.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.load.figures import Kept, Outcome, Times

SHARES = (0.5, 0.9, 0.99, 0.999)
Lines = list[str]


def lines(
    outcome: Outcome, open_messages: int, thresholds: Sequence[Kept], *, heard: bool
) -> Lines:
    """For people, at most 80 columns. `heard`: whether last statuses were listened for."""
    found = [
        f"planned {outcome.planned}, accepted {outcome.accepted}, refused {outcome.failed},"
        f" suppressed {outcome.suppressed}",
        f"requests {outcome.requests}, retried {outcome.retries},"
        f" sent late by this machine {outcome.late}",
    ]
    found += [f"  refused: {count} {why}" for why, count in outcome.refused.most_common()]
    found.append(_times("accepted after", outcome.accept))
    if heard:
        found.append(_times("last status after", outcome.final))
        found += [f"  {status}: {count}" for status, count in outcome.statuses.most_common()]
        found.append(f"without a last status {open_messages}, told twice {outcome.repeated}")
        if outcome.beyond:
            found.append(f"not waited for, too many were open: {outcome.beyond}")
    found += [_threshold(each) for each in thresholds]
    return found


def fields(
    outcome: Outcome, open_messages: int, thresholds: Sequence[Kept], *, heard: bool
) -> dict[str, object]:
    """For programs."""
    return {
        "planned": outcome.planned,
        "accepted": outcome.accepted,
        "suppressed": outcome.suppressed,
        "refused": dict(outcome.refused),
        "requests": outcome.requests,
        "retries": outcome.retries,
        "late": outcome.late,
        "accept_ms": _milliseconds(outcome.accept),
        "final_ms": _milliseconds(outcome.final) if heard else None,
        "statuses": dict(outcome.statuses) if heard else None,
        "open": open_messages if heard else None,
        "repeated": outcome.repeated if heard else None,
        "beyond": outcome.beyond if heard else None,
        "thresholds": [
            {"name": each.name, "asked": each.asked, "found": each.found, "met": each.met}
            for each in thresholds
        ],
    }


def _times(what: str, times: Times) -> str:
    found = _milliseconds(times)
    if not found:
        return f"{what}: nothing was"
    return f"{what} (ms): " + "  ".join(f"{name} {value:.1f}" for name, value in found.items())


def _milliseconds(times: Times) -> dict[str, float]:
    named = {f"p{share * 100:g}": times.quantile(share) for share in SHARES}
    found = {name: round(each * 1000, 2) for name, each in named.items() if each is not None}
    return found | {"longest": round(times.longest * 1000, 2)} if found else {}


def _threshold(each: Kept) -> str:
    found = "nothing to judge" if each.found is None else f"{each.found:.4g}"
    return f"{each.name} {each.asked:g}: {found}, {'met' if each.met else 'NOT met'}"
