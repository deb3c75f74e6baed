"""One alarm a key in six hours."""

from __future__ import annotations

from dlr.anomalies.alarms import QUIET_SECONDS, to_tell


def test_the_first_of_a_key_is_told_and_then_none_for_six_hours() -> None:
    found = [("a", "drop"), ("b", "surge"), ("a", "silence")]
    assert to_tell(found, {}, 0.0) == [("a", "drop"), ("b", "surge")]
    told = {"a": 0.0, "b": -1.0}
    assert to_tell(found, told, QUIET_SECONDS - 1) == [("b", "surge")]
    assert to_tell(found, told, QUIET_SECONDS - 2) == []
    assert to_tell(found, told, QUIET_SECONDS) == [("a", "drop"), ("b", "surge")]
