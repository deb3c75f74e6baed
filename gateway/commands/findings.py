"""One thing that `smsgate doctor` looked at, and its line.

Owns that form. Must not look at anything.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from gateway.commands.tables import plain


class Finding(msgspec.Struct):
    """`ok` and a `remedy`: it works, and could be better. Without `ok` the remedy says what to
    do.
    """

    what: str
    ok: bool
    detail: str
    remedy: str = ""


def lines_of(finding: Finding) -> Iterator[str]:
    """The verdict, and below it what to do."""
    verdict = ("tip" if finding.remedy else "ok ") if finding.ok else "BAD"
    first, *more = finding.detail.split("\n")
    yield f"{verdict} {finding.what}: {plain(first)}"
    yield from (f"    {plain(line)}" for line in more)
    if finding.remedy:
        yield f"    -> {plain(finding.remedy)}"
