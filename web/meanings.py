"""What the words in answers mean: statuses, reasons, kinds of events, rates; and the page of them.

    python -m web.meanings > docs/meanings.md

Owns the page's form, the types that list the words in /openapi.json, and what kinds of events mean.
Must not define the other words: that is done beside what they name.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from dispatch.holds import Hold
from dlr.codes import SHIPPED, CodeClass, rows
from dlr.rates import FORMULAS, Formula
from dlr.reasons import REASONS, Reason
from dlr.status import STATUSES
from dlr.webhooks.catalogue import EVENT_KINDS as TOLD
from recipients.reply_report import REPLY_FORMULAS

# Kinds on the timeline. A part or message that ended has the name of its status there.
EVENT_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "accepted": "It was stored; `route` is the connector that was chosen.",
        "held": "A rule holds it back; `reason` is the rule, `until` the moment if there is one.",
        "throttled": "The carrier asked for a slower pace; it goes again at once.",
        "retry": "The carrier refused this attempt for now; it is tried again `not_before`.",
        "rerouted": "It goes by another connector, `from` one `to` the other.",
        "another_way": "The carrier could not deliver it; it goes once more by the connector `to`.",
        "another_way_ended": "That was over before it was sent; `reason` says why.",
        "in_doubt": "It may have been sent; `policy` says what is done about it.",
        "resolved": "A person decided what becomes of a message in doubt.",
        "submitted": "A submit_sm was written.",
        "sent": "The carrier took it, under `carrier_id`.",
        "receipt": "The carrier's receipt came; `status` is what it says.",
        "receipt_unknown_state": "A receipt came whose word for the outcome is not known.",
        "click": "A short link was opened; `class` says by whom.",
    }
)

_CLASSES: Mapping[CodeClass, str] = MappingProxyType(
    {
        CodeClass.PERMANENT: "would fail again",
        CodeClass.RETRY: "may arrive later",
        CodeClass.AMBIGUOUS: "given for living numbers, too",
        CodeClass.PRUNE: "nobody has the number: it is suppressed",
    }
)

_INTRODUCTION = """\
# What the words mean

The words in answers, on timelines and in reports. This page is made from the code:
`python -m web.meanings > docs/meanings.md`.
"""


def render() -> str:
    """The whole page."""
    parts = [
        _INTRODUCTION,
        _table(
            "Statuses",
            "A message of several parts has the status that its parts amount to. A final one ends "
            "the waiting; a late receipt still corrects `unknown` and what was given up.",
            ("Status", "Final", "Meaning"),
            _statuses(),
        ),
        _table(
            "Reasons",
            "Why a message was not delivered. Permanent: the same message to the same number would "
            "fail again. A message that is held has the name of its rule as its reason: "
            + ", ".join(f"`{hold.rule}`" for hold in Hold if hold is not Hold.NONE)
            + ".",
            ("Reason", "Permanent", "Who can do something", "Meaning"),
            _reasons(),
        ),
        _table(
            "Events",
            "Of a message's timeline, `GET /v1/messages/{id}/events`. Another end than these is "
            "told under the name of its status.",
            ("Kind", "Meaning"),
            [(f"`{kind}`", meaning) for kind, meaning in EVENT_KINDS.items()],
        ),
        _table(
            "Types of webhooks",
            "What an endpoint's `events` may name. `message.*` and such name all of a kind, "
            "`final` the last status of each message.",
            ("Type", "Meaning"),
            _told(),
        ),
        *_rates(),
        _table(
            "Carriers' codes",
            "A connector's `code_table` names whose bare numbers its receipts have; words are "
            "known everywhere. Sure: 3 a specification or the carrier's own page, 2 two public "
            "tables agree, 1 one table, or tables that differ.",
            ("Table", "Code", "Reason", "What follows", "Sure", "From"),
            _codes(),
        ),
    ]
    return "\n".join(parts)


def _rates() -> list[str]:
    return [
        _table(
            "Rates",
            "Each says its numerator and its denominator. `low` and `high` are the 95 % score "
            "interval. Over nothing a rate has no value, which is not 0.",
            ("Rate", "Formula"),
            [(f"`{name}`", _formula(formula)) for name, formula in FORMULAS.items()],
        ),
        _table(
            "Rates of replies",
            "Of `GET /v1/reports/replies`. A reply belongs to the message that it answers. "
            "`…_delivered` are the delivered messages that were answered with that class, or "
            "complained of; each counts once.",
            ("Rate", "Formula"),
            [(f"`{name}`", _formula(formula)) for name, formula in REPLY_FORMULAS.items()],
        ),
    ]


def _statuses() -> list[Sequence[str]]:
    return [
        (f"`{info.label}`", "yes" if info.final else "no", info.doc) for info in STATUSES.values()
    ]


def _told() -> list[Sequence[str]]:
    return [
        (f"`{name}`", kind.meaning if kind.data else f"Not told yet. {kind.meaning}")
        for name, kind in TOLD.items()
    ]


def _reasons() -> list[Sequence[str]]:
    return [
        (f"`{reason.label}`", "yes" if info.permanent else "no", info.party, info.doc)
        for reason, info in REASONS.items()
        if reason is not Reason.NONE
    ]


def _formula(formula: Formula) -> str:
    denominator = " + ".join(formula.denominator)
    if formula.less:
        denominator += "".join(f" - {name}" for name in formula.less)
    numerator = " + ".join(formula.numerator)
    bracketed = [f"({side})" if " " in side else side for side in (numerator, denominator)]
    return " / ".join(bracketed)


def _codes() -> list[Sequence[str]]:
    return [
        (
            table,
            f"`{row.code}`",
            f"`{row.reason.label}`",
            _CLASSES[row.code_class],
            str(row.sure),
            row.source,
        )
        for table in SHIPPED
        for row in rows(table)
    ]


def _table(
    title: str, introduction: str, heads: Sequence[str], lines: Iterable[Sequence[str]]
) -> str:
    table = [heads, ["---"] * len(heads), *lines]
    body = "\n".join(f"| {' | '.join(line)} |" for line in table)
    return f"## {title}\n\n{introduction}\n\n{body}\n"


if __name__ == "__main__":
    sys.stdout.write(render())
