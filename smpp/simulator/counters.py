"""Owns the simulator's plain totals. Must not have behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class SimulatorCounters:
    """Totals since the start. ``receipts_*`` count inbound messages, too."""

    submits: int = 0
    accepted: int = 0
    refused: dict[int, int] = field(default_factory=dict)  # by command_status
    answers_sent: int = 0
    answers_lost: int = 0  # never to be sent, by the profile or a directive
    answer_seconds: float = 0.0  # sum over answers_sent: what the latency really was
    receipts_planned: int = 0
    receipts_sent: int = 0  # deliver_sm written, each attempt
    receipts_acknowledged: int = 0
    receipts_resent: int = 0  # planned once more after a "later" or no answer
    receipts_refused: int = 0  # by a deliver_sm_resp that means never
    receipts_given_up: int = 0  # after receipt_resends_max attempts
    binds_refused: int = 0  # by the profile; wrong credentials are not counted
