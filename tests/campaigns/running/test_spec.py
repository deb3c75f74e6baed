"""What an author writes: every mistake at once, each with its place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from campaigns.running.durations import duration, span
from campaigns.running.spec import Spec, changed_fixed, faults, spread_minutes, window
from recipients.hours import Hours

NOW = datetime(2026, 11, 9, 12, tzinfo=UTC)
TEMPLATE = "tpl_0nx25tc8g2000@3"
GOOD: dict[str, Any] = {
    "name": "双11",
    "goal": "recall",
    "audience": {"segment": "days_since(login) >= 90", "exclude": ["员工"]},
    "arms": [{"template": TEMPLATE, "weight": 50}, {"template": TEMPLATE, "weight": 50}],
    "holdout": 0.05,
    "canary": {"share": 0.01},
    "schedule": {
        "start": "2026-11-10T10:00:00+08:00",
        "window": "retail",
        "zone": "recipient",
        "spread": "PT4H",
    },
}

EXPERIMENT: dict[str, Any] = {
    "metric": "uctr_delivered", "window": "24h", "tau": 0.005, "test_share": 0.2,
    "decide_by": "PT36H", "fallback": "control",
}  # fmt: skip


def spec(**changes: Any) -> Spec:
    return msgspec.convert({**GOOD, **changes}, Spec, strict=False)


def schedule(**fields: Any) -> Spec:
    return spec(schedule=fields)


def places(found: Spec) -> list[tuple[str, str | None]]:
    return [(fault.code, fault.pointer) for fault in faults(found, NOW)]


def test_a_good_one_has_no_fault() -> None:
    found = spec()
    assert places(found) == []
    assert spread_minutes(found.schedule) == 240
    chosen = window(found.schedule)
    assert chosen is not None
    assert chosen.zone is None
    assert msgspec.convert(msgspec.to_builtins(found), Spec) == found


def test_every_mistake_is_told_at_once() -> None:
    wrong = spec(
        name="", arms=[{"template": "tpl_a", "weight": 0}], holdout=0.9, canary={"share": 2},
        budget="bud_1", experiment={**EXPERIMENT, "tau": 0}, conversion="Order paid",
        schedule={"window": "nights", "zone": "Asia/Peking", "spread": "4h", "rate": 0,
                  "start": "2026-11-01T10:00:00Z", "end": "2026-11-01T09:00:00Z"},
    )  # fmt: skip
    assert sorted(places(wrong)) == sorted(
        [
            ("label_invalid", "/name"),
            ("out_of_range", "/arms/0/weight"),
            ("template_unknown", "/arms/0/template"),
            ("out_of_range", "/holdout"),
            ("out_of_range", "/canary/share"),
            ("not_available", "/budget"),
            ("out_of_range", "/experiment"),
            ("out_of_range", "/experiment/tau"),
            ("label_invalid", "/conversion"),
            ("send_window_invalid", "/schedule/window"),
            ("unknown_zone", "/schedule/zone"),
            ("out_of_range", "/schedule/spread"),
            ("out_of_range", "/schedule/rate"),
            ("out_of_range", "/schedule/start"),
            ("out_of_range", "/schedule/end"),
        ]
    )


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"window": {"from": "10:00", "to": "10:00"}}, "/schedule/window"),
        ({"window": {"from": "10:00", "to": "12:00", "days": []}}, "/schedule/window/days"),
        ({"ramp": True}, "/schedule/ramp"),
        ({"hour": "best", "zone": "Asia/Shanghai"}, "/schedule/zone"),
        ({"spread": "PT200H"}, "/schedule/spread"),
        ({"spread": "PT"}, "/schedule/spread"),
    ],
)
def test_a_schedule_is_judged_part_by_part(fields: dict[str, Any], pointer: str) -> None:
    assert [place for _, place in places(schedule(**fields))] == [pointer]


def test_what_no_table_takes_is_refused_with_its_place() -> None:
    """A NUL is in no text of PostgreSQL, and a moment of the year 9999 has no hour behind it."""
    wrong = spec(
        audience={"segment": "has a\0b", "exclude": ["ok", "\0", ""]},
        schedule={"start": "9999-12-31T23:59:59-12:00", "end": "9999-12-31T23:59:59-11:00"},
        **{"from": "x\0y"},
    )
    assert places(wrong) == [
        ("label_invalid", "/audience/segment"),
        ("label_invalid", "/from"),
        ("label_invalid", "/audience/exclude/1"),
        ("label_invalid", "/audience/exclude/2"),
        ("out_of_range", "/schedule/end"),
        ("out_of_range", "/schedule/start"),
        ("out_of_range", "/schedule/end"),
    ]
    assert places(spec(audience={"segment": "x" * 4_001})) == [
        ("label_invalid", "/audience/segment")
    ]


def test_whatever_a_tag_or_a_segment_may_be_called_it_can_be_named() -> None:
    names = ["金卡\u3000会员", "👨\u200d👩\u200d👧", "n\u00a0b"]
    named = spec(audience={"segment": "has a", "exclude": names}, report_segments=names)
    assert places(named) == []


def test_c23_a_start_without_an_offset_is_refused() -> None:
    """C23: whose ten o'clock it is, is said."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(
            msgspec.json.encode({**GOOD, "schedule": {"start": "2026-11-10T10:00:00"}}), type=Spec
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT4H", timedelta(hours=4)),
        ("PT90M", timedelta(minutes=90)),
        ("PT1H30M", timedelta(minutes=90)),
        ("P1D", None),
        ("4h", None),
    ],
)
def test_durations(text: str, expected: timedelta | None) -> None:
    assert duration(text) == expected


def test_own_hours_are_a_window() -> None:
    hours = {"from": "10:00", "to": "12:30", "days": ["mon", "fri"]}
    found = window(schedule(window=hours, zone="Asia/Shanghai").schedule)
    assert found is not None
    assert found.spans == (Hours(600, 750, 0b1_0001),)
    assert found.zone == "Asia/Shanghai"


def test_what_stands_since_the_plan_cannot_be_changed() -> None:
    before = spec()
    others = [{"template": TEMPLATE, "weight": 50}]
    after = spec(holdout=0.1, audience={"segment": "age > 3"}, arms=others, name="x")
    assert [fault.pointer for fault in changed_fixed(before, after)] == [
        "/audience",
        "/holdout",
        "/arms",
    ]
    text = [{"template": TEMPLATE.replace("@3", "@4"), "weight": 50}] * 2
    assert changed_fixed(before, spec(arms=text, schedule={"rate": 5})) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [("24h", timedelta(days=1)), ("7d", timedelta(days=7)), ("PT5M", timedelta(minutes=5)),
     ("90", None), ("P7D", None)],
)  # fmt: skip
def test_spans_have_a_short_form(text: str, expected: timedelta | None) -> None:
    assert span(text) == expected


def test_an_experiment_stands_since_the_start() -> None:
    """Whoever has seen figures cannot choose the rules that judge them."""
    before = spec(experiment=EXPERIMENT)
    after = spec(experiment={**EXPERIMENT, "tau": 0.01, "alpha": 0.1, "decide_by": "PT48H"})
    found = changed_fixed(before, after)
    assert {fault.code for fault in found} == {"experiment_locked"}
    assert [fault.pointer for fault in found] == [
        "/experiment/tau", "/experiment/decide_by", "/experiment/alpha",
    ]  # fmt: skip
    assert [each.pointer for each in changed_fixed(spec(), before)] == ["/experiment"]
    assert [each.pointer for each in changed_fixed(before, spec())] == ["/experiment"]
    assert changed_fixed(before, spec(experiment=EXPERIMENT, name="x")) == []


def test_planned_looks_stand_since_the_start() -> None:
    """However they are written: five are meant unless said."""
    written = [{"kind": "planned"}, {"kind": "planned", "looks": 5}]
    other = [{"kind": "planned", "looks": 4}, {"kind": "always_valid"}, {}]
    for each in written:
        before = spec(experiment={**EXPERIMENT, "test": each})
        assert places(before) == []
        for same in written:
            assert changed_fixed(before, spec(experiment={**EXPERIMENT, "test": same})) == []
        for changed in other:
            after = spec(experiment={**EXPERIMENT, "test": changed})
            [fault] = changed_fixed(before, after)
            assert (fault.code, fault.pointer) == ("experiment_locked", "/experiment/test")


def test_a_start_that_it_has_already_may_stay_although_it_is_over() -> None:
    past = NOW - timedelta(days=3)
    found = schedule(start=past)
    assert places(found) == [("out_of_range", "/schedule/start")]
    assert faults(found, NOW, past) == []
    assert [each.pointer for each in faults(found, NOW, past - timedelta(hours=1))] == [
        "/schedule/start"
    ]


@pytest.mark.parametrize(
    ("fields", "dated"),
    [
        ({}, None),
        ({"holidays": "send"}, None),
        ({"holidays": "skip"}, True),
        ({"window": "office"}, True),
        ({"window": "office", "holidays": "send"}, False),
        ({"window": "catering"}, False),
        ({"window": "catering", "holidays": "only"}, True),
        ({"window": {"from": "10:00", "to": "12:00", "days": ["mon"]}}, False),
    ],
)
def test_which_windows_look_at_days_off(fields: dict[str, Any], dated: bool | None) -> None:
    chosen = window(schedule(**fields).schedule)
    assert (None if chosen is None else chosen.dated) == dated
