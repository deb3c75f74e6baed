"""What a step of an import changes, for any entries that stand and any rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dlr.reasons import Reason
from recipients.files.import_plan import ADDED, ImportRow, Plan, Since, Taken, in_force, planned
from storage.suppression import Key, Suppression

NOW = datetime(2026, 12, 1, tzinfo=UTC)
NOTHING = Since({}, {})
NUMBERS = [b"a" * 16, b"b" * 16]
REASONS = st.sampled_from([Reason.OPTED_OUT, Reason.NUMBER_UNKNOWN, Reason.RECIPIENT_BLOCKED])
ENDS = st.none() | st.integers(1, 5).map(lambda days: NOW + timedelta(days=days))
SENDERS = st.none() | st.sets(st.sampled_from("ABC"), min_size=1).map(lambda each: tuple(each))


def entries(
    ends: st.SearchStrategy[datetime | None], source: str
) -> st.SearchStrategy[Suppression]:
    return st.builds(
        lambda to_idx, category, reason, until, senders: Suppression(
            to_idx, reason, source, account=1, category=category, expires_at=until,
            senders=senders, created_at=NOW if source == "keyword" else None,
        ),
        st.sampled_from(NUMBERS), st.sampled_from([-1, 4]), REASONS, ends, SENDERS,
    )  # fmt: skip


STANDING = entries(ENDS | st.just(NOW - timedelta(days=1)), "keyword")
ASKED = entries(ENDS, "import")


def plan_of(asked: list[Suppression], there: dict[Key, Suppression]) -> Plan:
    taken = [
        Taken(ImportRow(line, "+1", each.category, each.reason), each)
        for line, each in enumerate(asked)
    ]
    return planned(taken, there, NOTHING, NOW)


def covers(wide: Suppression, narrow: Suppression) -> bool:
    """Whether one forbids all that the other does, as long."""
    longer = wide.expires_at is None or (
        narrow.expires_at is not None and wide.expires_at >= narrow.expires_at
    )
    wider = wide.senders is None or (
        narrow.senders is not None and set(wide.senders) >= set(narrow.senders)
    )
    return longer and wider


@given(st.lists(STANDING, max_size=3), st.lists(ASKED, max_size=5))
def test_g29_whatever_a_step_asks_nothing_in_force_becomes_weaker(
    standing: list[Suppression], asked: list[Suppression]
) -> None:
    there = {each.key: each for each in standing}
    plan = plan_of(asked, there)
    after = {**there, **plan.new, **plan.instead}
    for key, before in there.items():
        if in_force(before, NOW):
            assert covers(after[key], before)
            if before.reason == Reason.OPTED_OUT:
                assert after[key].reason == Reason.OPTED_OUT
                assert after[key].source == "keyword"
    for each in asked:
        stands = after[each.key]
        # An opt-out is there as asked; other reasons give way to one.
        assert covers(stands, each) or stands.reason == Reason.OPTED_OUT != each.reason
    assert not plan.new.keys() & plan.instead.keys()
    assert set(plan.instead) <= set(there)


@given(st.lists(STANDING, max_size=3), st.lists(ASKED, max_size=5))
def test_the_same_step_again_adds_nothing(
    standing: list[Suppression], asked: list[Suppression]
) -> None:
    there = {each.key: each for each in standing}
    plan = plan_of(asked, there)
    after = {**there, **plan.new, **plan.instead}
    again = plan_of(asked, after)
    assert ADDED not in again.verdicts
    assert not again.new
    assert not again.instead
