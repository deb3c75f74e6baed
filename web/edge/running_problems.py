"""What can stand against a campaign, or against a change of its state.

Owns these kinds; campaign_problems.py hands them on. Must not decide when one is due.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from web.edge.problem_kind import ProblemKind

RUNNING_KINDS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        "state_conflict": ProblemKind(
            409, "Not in this state", "See the state of the campaign, and what the detail names."
        ),
        "not_tested": ProblemKind(
            409, "Not tested", "Send a test of this version, and wait until it is delivered."
        ),
        "not_planned": ProblemKind(
            409, "Nobody planned", "Ask for the plan, and confirm how many it names."
        ),
        "count_changed": ProblemKind(
            409, "Another number of people", "Look at the plan, and confirm what it says now."
        ),
        "experiment_locked": ProblemKind(
            409,
            "The experiment stands",
            "Its rules were written before its figures. Leave it as it is, or decide it by hand.",
        ),
        "not_approved": ProblemKind(
            409, "Not approved by a provider", "Record its approval, or take an approved version."
        ),
        "link_dead": ProblemKind(
            409, "A link does not answer", "Have it answer 200 over TLS, then try again."
        ),
        "opt_out_broken": ProblemKind(
            409, "The way to opt out does not work", "Mend the text, the sender or the words."
        ),
        "cause_stands": ProblemKind(
            409, "Still so", "Mend what it was paused for, or say in `override` why it goes on."
        ),
        "batch_of_campaign": ProblemKind(
            409, "A campaign's batch", "Pause, edit, resume or cancel the campaign that is named."
        ),
        "four_eyes": ProblemKind(
            403, "A second person has to start it", "Use the key of somebody else."
        ),
        "lint_failed": ProblemKind(
            422, "A template has an error", "Make a version of the template without it."
        ),
        "tag_unknown": ProblemKind(422, "Unknown tag", "Name a tag that the account has."),
        "not_available": ProblemKind(
            422, "Not available yet", "Leave the field out; nothing was stored."
        ),
    }
)
