"""Why somebody of the segment is not planned, or was planned and got no message.

Owns these words. Must not decide whom one is about. Beside them a skip may name the code with which
a message was refused (web/edge/problems.py). Pure.
"""

from __future__ import annotations

from enum import StrEnum


class Excluded(StrEnum):
    """Known at the plan."""

    NO_NUMBER = "no_number"
    EXCLUDED = "excluded"  # by a tag that the audience leaves out
    SUPPRESSED = "suppressed"
    OTHER_NUMBER = "other_number"  # they said no for another number of theirs
    NO_CONSENT = "no_consent"
    SAME_NUMBER = "same_number"  # another contact of the plan has it
    UNRESPONSIVE = "unresponsive"  # several recalls have moved them to nothing


class Skip(StrEnum):
    """Known at the feed."""

    NUMBER_GONE = "number_gone"  # it is no longer that contact's
    OTHER_NUMBER = "other_number"  # they have said no for another number of theirs since the plan
    SUPERSEDED = "superseded"  # an edit came first: a later chunk has them
    CANCELED = "canceled"
    EXPERIMENT_STOPPED = "experiment_stopped"  # no difference was shown, and nobody gets it then
    CAPPED = "capped"  # or within the gap: what is stored beside it names the rule
    NO_DAY = "no_day"  # no day of the next weeks suits the window
    PAST_END = "past_end"  # their hours open only when the campaign has ended
