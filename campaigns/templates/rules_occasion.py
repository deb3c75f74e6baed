"""Rules on when and to whom a text goes: links that answer, repetition, hours of providers.

Owns R9, R19 and R20. What is not known of the occasion is not judged. Must not ask a link. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.templates.findings import Case, Finding

REPEAT_DAYS = 30


def r9_links_live(case: Case) -> Iterator[Finding]:
    """Each link answers 200, over TLS."""
    for name, said in case.occasion.links.items():
        if said is not None:
            detail = f"the link {name} does not answer as it must: {said}"
            yield Finding(rule="R9", level="error", detail=detail, words=(name,))


def r19_repetition(case: Case) -> Iterator[Finding]:
    """Not the same words again, least of all to those who did not answer them."""
    if case.occasion.first_touch == case.version.template:
        detail = "the same people got this template before: a second touch takes another one"
        yield Finding(rule="R19", level="error", detail=detail)
        return
    days = case.occasion.days_since_used
    if days is not None and days < REPEAT_DAYS:
        detail = f"this template was used {days:.0f} days ago; {REPEAT_DAYS} days lie between"
        yield Finding(rule="R19", level="warning", detail=detail)


def r20_hours(case: Case) -> Iterator[Finding]:
    """Marketing goes within the hours of every provider."""
    hours = case.occasion.hours
    if hours is None or not case.marketing:
        return
    for name, profile in case.providers:
        open_, close = profile.hours or (0, 24 * 60)
        wraps = hours[1] < hours[0]
        if wraps or hours[0] < open_ or hours[1] > close:
            detail = f"{profile.title} takes marketing from {_clock(open_)} to {_clock(close)}"
            yield Finding(rule="R20", level="error", detail=detail, provider=name)


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
