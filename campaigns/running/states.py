"""The life of a campaign: its states, which may follow which, and who may ask for it.

Owns the numbers in `campaign.state` and the table of moves. Must not know what is checked before a
move (checks.py), nor make one (desk.py). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType


class CampaignState(IntEnum):
    """Where a campaign stands."""

    DRAFT = 0
    TESTING = 1
    CANARY = 2
    RUNNING = 3
    PAUSED = 4
    FINISHED = 5
    CANCELED = 6

    @property
    def label(self) -> str:
        """The name in the API."""
        return self.name.lower()


class Move(StrEnum):
    """What somebody asks for, or the gateway by itself."""

    TEST = "test"
    EDIT = "edit"
    PLAN = "plan"
    START = "start"
    RELEASE = "release"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    DECIDE = "decide"  # what people behind the test of an experiment get
    FINISH = "finish"


_S = CampaignState
FEEDING = frozenset({_S.CANARY, _S.RUNNING})  # recipients go into chunks
ENDED = frozenset({_S.FINISHED, _S.CANCELED})
OPEN = frozenset(_S) - ENDED

_FROM: Mapping[Move, frozenset[CampaignState]] = MappingProxyType(
    {
        Move.TEST: frozenset({_S.DRAFT, _S.TESTING, _S.PAUSED}),
        Move.EDIT: frozenset({_S.DRAFT, _S.TESTING, _S.PAUSED}),
        Move.PLAN: frozenset({_S.DRAFT, _S.TESTING}),
        Move.START: frozenset({_S.TESTING}),
        Move.RELEASE: frozenset({_S.CANARY}),
        Move.PAUSE: FEEDING,
        Move.RESUME: frozenset({_S.PAUSED}),
        Move.CANCEL: OPEN,
        Move.DECIDE: FEEDING | {_S.PAUSED},
        Move.FINISH: frozenset({_S.RUNNING}),
    }
)


def allowed(move: Move, state: CampaignState) -> bool:
    """Whether a campaign in this state may make this move at all."""
    return state in _FROM[move]


def asked_in(move: Move) -> list[str]:
    """Names of the states in which this may be asked for, in their order."""
    return [state.label for state in sorted(_FROM[move])]


def after(
    move: Move, state: CampaignState, resumes_as: CampaignState | None = None
) -> CampaignState:
    """The state that follows. `resumes_as`: what a paused campaign was.

    Raises ValueError for a move that `allowed` refuses.
    """
    if not allowed(move, state):
        raise ValueError(f"a campaign that is {state.label} cannot {move}")
    if move is Move.EDIT:
        return _S.PAUSED if state is _S.PAUSED else _S.DRAFT
    if move in (Move.PLAN, Move.DECIDE) or (move is Move.TEST and state is _S.PAUSED):
        return state
    if move is Move.RESUME:
        return _S.RUNNING if resumes_as is None else resumes_as
    return {
        Move.TEST: _S.TESTING,
        Move.START: _S.CANARY,
        Move.RELEASE: _S.RUNNING,
        Move.PAUSE: _S.PAUSED,
        Move.CANCEL: _S.CANCELED,
        Move.FINISH: _S.FINISHED,
    }[move]
