"""What a click's class is, with all that is known of it some time later.

Owns the signals that lie outside the request: when the message was sent and delivered, and how many
messages' links were opened alike at once. Must not read tables. Pure, so that history can be judged
again under newer rules.

A link that was opened before its message was sent, or before it was delivered, was opened by
somebody else than its recipient. A carrier's clock may be wrong. So a delivery counts as later than
its receipt never, and to the minute only where the carrier says no seconds.
"""

from __future__ import annotations

import msgspec

from shortlinks.classify import ClickClass, RequestFacts, judge

CLOCKS_DIFFER_MS = 1_000  # this installation's machines
AT_DELIVERY_MS = 2_000  # no person opens a message so fast
MINUTE_MS = 60_000
BURST_MS = 10_000
BURST_MESSAGES_MIN = 30  # of one network and browser in one stretch of BURST_MS

# What only the headers told, for clicks whose headers were not kept.
_OF_HEADERS = {
    "prefetch_header": ClickClass.PREFETCH,
    "headers_not_a_browser": ClickClass.UNKNOWN,
}
_BURST = (ClickClass.SCANNER, "burst")

Verdict = tuple[ClickClass, list[str]]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """What is known of a message's way, in Unix ms; None: it is not. `done`: when the carrier says
    that it was delivered; `told`: when its receipt came.
    """

    submitted: int | None = None
    done: int | None = None
    told: int | None = None


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One click as it is stored. `facts` None and `kept_agent`: what was not kept, and in its
    place. `reasons`: those of the verdict in force.
    """

    at: int  # Unix ms
    method: str
    facts: RequestFacts | None
    agent: tuple[ClickClass, str]
    agent_kept: bool
    reasons: frozenset[str]
    delivery: Delivery = Delivery()
    burst: bool = False


def verdict(evidence: Evidence) -> Verdict:
    """The class and every reason, strongest first."""
    circumstances = [*_of_time(evidence.at, evidence.delivery)]
    if evidence.burst or (not evidence.agent_kept and "burst" in evidence.reasons):
        circumstances.append(_BURST)
    if evidence.facts is None:
        circumstances += [
            (click_class, reason)
            for reason, click_class in _OF_HEADERS.items()
            if reason in evidence.reasons
        ]
    return judge(evidence.method, evidence.facts, evidence.agent, circumstances)


def _of_time(at: int, delivery: Delivery) -> list[tuple[ClickClass, str]]:
    if delivery.submitted is not None and at < delivery.submitted - CLOCKS_DIFFER_MS:
        return [(ClickClass.SCANNER, "before_sent")]
    if delivery.done is None or delivery.told is None:
        return []
    done = min(delivery.done, delivery.told)
    if at < done - CLOCKS_DIFFER_MS:
        return [(ClickClass.SCANNER, "before_delivered")]
    to_the_second = delivery.done % MINUTE_MS != 0 or delivery.told <= delivery.done
    if to_the_second and at <= done + AT_DELIVERY_MS:
        return [(ClickClass.PREVIEW, "at_delivery")]
    return []
