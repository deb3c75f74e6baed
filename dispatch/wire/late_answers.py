"""Answers that come after their time-out, and the doubt that they end.

Owns the way of such an answer from a bind to the recorder. Must not decide what it means
(outcomes.py) nor store it.
"""

from __future__ import annotations

from dispatch.answers.outcomes import Effects, Outcomes
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.recorder import Recorder
from dispatch.clock import Clock
from dispatch.journey import OutboundPart
from smpp.client import Bind
from smpp.events import SubmitResponse


class LateAnswers:
    """The late answers of one connector."""

    def __init__(
        self, recorder: Recorder, outcomes: Outcomes, intake: ReceiptIntake, clock: Clock
    ) -> None:
        self._recorder = recorder
        self._outcomes = outcomes
        self._intake = intake
        self._clock = clock

    def take(self, bind: Bind, responses: list[SubmitResponse]) -> None:
        """As BindListener.late."""
        effects = Effects()
        now_ms = self._clock.wall_ms()
        for response in responses:
            part = response.context
            assert isinstance(part, OutboundPart)
            self._outcomes.answered_late(
                part, response.command_status, response.message_id, now_ms, effects
            )
        self._intake.remember(effects.known)
        if effects.records:
            self._recorder.record(effects.records)
