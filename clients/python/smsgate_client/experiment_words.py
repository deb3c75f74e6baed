"""Owns the words of experiments of campaigns and holdouts. Must not say what a word means.

The gateway does, in its documents.
"""

from __future__ import annotations

from smsgate_client.words import Word


class ExperimentMetric(Word):
    """What arms are compared by, in people of those delivered."""

    CLICKED = "uctr_delivered"
    CONVERTED = "cvr_delivered"


class ExperimentFallback(Word):
    """What people behind the test get where no difference is shown in time."""

    CONTROL = "control"
    SPLIT = "split"
    STOP = "stop"


class ExperimentVerdict(Word):
    """What an experiment shows."""

    TOO_FEW = "too_few"
    NO_DIFFERENCE_SHOWN = "no_difference_shown"
    BETTER = "better"
    STOPPED = "stopped"


class DecidedBy(Word):
    """By what an experiment was decided."""

    WON = "won"
    FALLBACK = "fallback"
    BY_HAND = "by_hand"
    EDITED = "edited"


class Remainder(Word):
    """What people behind the test get: one arm's text, each that of the own arm, or nothing."""

    ARM = "arm"
    SPLIT = "split"
    STOP = "stop"


class NoWinner(Word):
    """What stands in the way of a winner."""

    TOO_FEW = "too_few"
    SAMPLE_RATIO = "sample_ratio"
    NO_DIFFERENCE = "no_difference"
    OPT_OUTS_WORSE = "opt_outs_worse"
    DELIVERY_LOWER = "delivery_lower"
    BETWEEN_LOOKS = "between_looks"


class NoLift(Word):
    """Why nothing can be said of what a campaign brought."""

    NO_HOLDOUT = "no_holdout"
    TOO_EARLY = "too_early"
    NOBODY_CONVERTED = "nobody_converted"
    DELETED = "deleted"


class ExperimentTestKind(Word):
    """By which test arms are compared: at any time, or at a few looks that are planned."""

    ALWAYS_VALID = "always_valid"
    PLANNED = "planned"
