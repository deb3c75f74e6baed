"""Owns which request each operation on campaigns is, and what its answer is read as.

Must not send one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from smsgate_client import campaigns as c
from smsgate_client import experiments as e
from smsgate_client.calls import Call, new_key, post, put, under

T = TypeVar("T")


def new(spec: object, key: str | None) -> Call[c.Campaign]:
    return post(under("campaigns"), c.Campaign, spec, key=key or new_key())


def change(campaign_id: str, revision: int, spec: object) -> Call[c.Campaign]:
    """Asked for twice, the second one would find the next revision."""
    changed = put(under("campaigns", campaign_id), c.Campaign, spec)
    return replace(changed, version=revision, repeatable=False)


def plan(campaign_id: str) -> Call[c.CampaignPlan]:
    return post(under("campaigns", campaign_id, "plan"), c.CampaignPlan)


def test(campaign_id: str, numbers: Sequence[str], key: str | None) -> Call[c.CampaignTest]:
    asked = _moved(campaign_id, "test", c.CampaignTest, {"to": numbers})
    return replace(asked, idempotency_key=key or new_key())


def start(campaign_id: str, recipients: int) -> Call[c.Campaign]:
    body = c.CampaignStart(confirm_recipients=recipients)
    return _moved(campaign_id, "start", c.Campaign, body)


def pause(campaign_id: str, reason: str) -> Call[c.Campaign]:
    body = c.CampaignPause(reason=reason)
    return _moved(campaign_id, "pause", c.Campaign, body)


def resume(campaign_id: str, override: str | None) -> Call[c.Campaign]:
    body = None if override is None else c.CampaignResume(override=override)
    return _moved(campaign_id, "resume", c.Campaign, body)


def cancel(campaign_id: str) -> Call[c.CanceledCampaign]:
    return _moved(campaign_id, "cancel", c.CanceledCampaign)


def decide(campaign_id: str, arm: int, reason: str) -> Call[c.Campaign]:
    body = e.DecideExperiment(arm=arm, reason=reason)
    return _moved(campaign_id, "decide", c.Campaign, body)


def _moved(campaign_id: str, verb: str, shape: type[T], body: object = None) -> Call[T]:
    """Asked for twice it is refused, or done twice: a lost answer is told."""
    return post(under("campaigns", campaign_id, verb), shape, body, repeatable=False)
