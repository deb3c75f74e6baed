"""Reads what PostgreSQL says of a statement that it ran: EXPLAIN (ANALYZE, FORMAT JSON)."""

from __future__ import annotations

from typing import Any


def scans(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes that read tables, of those that were executed."""
    below = [scan for child in plan.get("Plans", ()) for scan in scans(child)]
    return [plan, *below] if "Relation Name" in plan and plan["Actual Loops"] else below
