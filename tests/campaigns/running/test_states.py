"""Every move from every state: either it is refused, or it leads where the table says."""

from __future__ import annotations

import itertools

import pytest

from campaigns.running.states import ENDED, FEEDING, CampaignState, Move, after, allowed, asked_in

S = CampaignState
TABLE = {
    (Move.TEST, S.DRAFT): S.TESTING,
    (Move.TEST, S.TESTING): S.TESTING,
    (Move.TEST, S.PAUSED): S.PAUSED,
    (Move.EDIT, S.DRAFT): S.DRAFT,
    (Move.EDIT, S.TESTING): S.DRAFT,
    (Move.EDIT, S.PAUSED): S.PAUSED,
    (Move.PLAN, S.DRAFT): S.DRAFT,
    (Move.PLAN, S.TESTING): S.TESTING,
    (Move.START, S.TESTING): S.CANARY,
    (Move.RELEASE, S.CANARY): S.RUNNING,
    (Move.PAUSE, S.CANARY): S.PAUSED,
    (Move.PAUSE, S.RUNNING): S.PAUSED,
    (Move.RESUME, S.PAUSED): S.RUNNING,
    (Move.FINISH, S.RUNNING): S.FINISHED,
    **{(Move.DECIDE, state): state for state in (S.CANARY, S.RUNNING, S.PAUSED)},
    **{(Move.CANCEL, state): S.CANCELED for state in S if state not in ENDED},
}


@pytest.mark.parametrize(("move", "state"), list(itertools.product(Move, S)))
def test_a_move_leads_where_the_table_says_or_is_refused(move: Move, state: S) -> None:
    expected = TABLE.get((move, state))
    assert allowed(move, state) == (expected is not None)
    assert (state.label in asked_in(move)) == (expected is not None)
    if expected is None:
        with pytest.raises(ValueError, match=f"that is {state.label} cannot {move}"):
            after(move, state)
    else:
        assert after(move, state) is expected


@pytest.mark.parametrize("state", sorted(FEEDING))
def test_a_paused_campaign_goes_back_to_what_it_was(state: S) -> None:
    """C14: whenever that is."""
    assert after(Move.RESUME, after(Move.PAUSE, state), state) is state


def test_c13_nothing_leads_out_of_an_end() -> None:
    """C13: what was canceled stays canceled."""
    assert not any(allowed(move, state) for move in Move for state in ENDED)
