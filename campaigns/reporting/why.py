"""What happened to somebody in a campaign, in words.

Owns these sentences. Must not find out what is the case (people.py). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from campaigns.reporting.people import WhyView
from campaigns.running.reasons import Excluded, Skip

Outcome = Literal[
    "not_planned", "forgotten", "not_in_segment", "excluded", "holdout", "waiting", "feeding",
    "skipped", "message",
]  # fmt: skip

_EXCLUDED: Mapping[str, str] = MappingProxyType(
    {
        Excluded.NO_NUMBER: "the contact has no number",
        Excluded.EXCLUDED: "the contact has a tag that the audience leaves out",
        Excluded.SUPPRESSED: "the number is suppressed: an opt-out, or a number that is no use",
        Excluded.OTHER_NUMBER: "the contact said no for another of their numbers",
        Excluded.NO_CONSENT: "nobody recorded a consent of the number, which the account requires",
        Excluded.SAME_NUMBER: "another contact of the plan has the same number and gets the text",
        Excluded.UNRESPONSIVE: "several recalls have moved the contact to nothing",
    }
)
_SKIPPED: Mapping[str, str] = MappingProxyType(
    {
        Skip.NUMBER_GONE: "the number was no longer the contact's when it was their turn",
        Skip.OTHER_NUMBER: "they had said no for another of their numbers by then",
        Skip.SUPERSEDED: "the campaign was edited; a later chunk has them",
        Skip.CANCELED: "the campaign, or their message, was canceled before it went",
        Skip.EXPERIMENT_STOPPED: "the experiment showed no difference, and nobody gets it then",
        Skip.CAPPED: "they have had as much as a cap allows",
        Skip.NO_DAY: "no day of the next weeks suits the window of the campaign",
        Skip.PAST_END: "their hours open only when the campaign has ended",
    }
)
_OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "not_planned": "The campaign has no plan: nobody was chosen yet.",
        "forgotten": "The plan is so old that its people are not stored any more.",
        "not_in_segment": "The contact was not in the segment when the plan was made.",
        "holdout": "Held out on purpose, to compare with: gets nothing.",
        "waiting": "Planned; it is not their turn yet.",
        "feeding": "Their turn has come; the message is being written.",
        "message": "A message was written for them.",
    }
)


def outcome_of(view: WhyView) -> Outcome:
    """In one word."""
    if view.recipient is not None:
        return view.recipient.status
    if view.excluded is not None:
        return "excluded"
    if not view.planned:
        return "not_planned"
    return "forgotten" if view.forgotten else "not_in_segment"


def sentence_of(view: WhyView) -> str:
    """In a sentence."""
    outcome = outcome_of(view)
    if outcome == "excluded":
        return f"Excluded at the plan: {_EXCLUDED.get(view.excluded or '', view.excluded)}."
    if outcome == "skipped" and view.recipient is not None:
        reason = view.recipient.reason or ""
        refused = f"their message was refused with {reason}"
        return f"Skipped at the feed: {view.recipient.detail or _SKIPPED.get(reason, refused)}."
    return _OUTCOMES[outcome]
