"""What the gateway tells of a campaign, as figures under the names that the truth has.

Owns where each figure stands in an answer. Must not compare. What an answer has besides is left
alone. Pure.
"""

from __future__ import annotations

from typing import Any

from gateway.demo.campaign.cast import STEP_NAMES
from gateway.demo.campaign.truth import ARMS, Figures


def of_import(job: Any) -> Figures:
    """Of a finished import."""
    counts = job["counts"]
    return {
        "rows of the file": job["rows"],
        "contacts made": counts.get("created", 0),
        "rows without a number to read": counts.get("invalid", 0),
    }


def of_plan(plan: Any) -> Figures:
    """Of the first touch's plan."""
    excluded = plan["excluded"]
    return {
        "in the segment": plan["segment"],
        "excluded: staff": excluded.get("excluded", 0),
        "excluded: opted out before": excluded.get("suppressed", 0),
        "excluded: no number": excluded.get("no_number", 0),
        "planned": plan["planned"],
    }


def of_second_plan(plan: Any) -> Figures:
    """Of the second touch's."""
    return {
        "second touch: in its segment": plan["segment"],
        "second touch: suppressed": plan["excluded"].get("suppressed", 0),
        "second touch: planned": plan["planned"],
    }


def of_report(report: Any) -> Figures:
    """Of the campaign's own report."""
    found: Figures = {}
    for arm in report["arms"]:
        name, counts = ARMS[arm["arm"]], arm["counts"]
        found[f"{name} sent"] = counts["sent"]
        found[f"{name} delivered"] = counts["delivered"]
        found[f"{name} clicked"] = counts["clicked"]
    return found


def of_experiment(report: Any) -> Figures:
    """Of what the report says which text is better."""
    return {"the better text": report["experiment"]["words"]}


def of_clicks(groups: Any) -> Figures:
    """Of the clicks by arm, and what they led to."""
    found: Figures = {
        "requests for links": sum(group["counts"]["clicks"] for group in groups),
        "of them by people": sum(group["counts"]["human_clicks"] for group in groups),
        "conversions": sum(group["counts"]["conversions"] for group in groups),
    }
    for group in groups:
        name = ARMS[int(group["key"]["variant"])]
        for step, told in zip(STEP_NAMES, group["steps"], strict=True):
            found[f"{name} {step}"] = told["people"]
    revenue = sum(float(group["revenue"].get("CNY", 0)) for group in groups)
    found["revenue"] = f"{revenue:.2f} CNY"
    return found
