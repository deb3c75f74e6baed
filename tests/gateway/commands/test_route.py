"""`smsgate route explain`, and where numbers are from."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import phonenumbers
import pytest
from phonenumbers import carrier

from dispatch.routes.routing import RouteTable, route
from gateway.cli import main
from gateway.config import ConfigError, load_config
from gateway.wiring.routes import routes_of
from gateway.wiring.sending import pacing_rates
from recipients.numbers.origins import NumberOrigins
from storage.names import Registry

CONFIG = """
[http]
listen = "127.0.0.1:1"
[[connectors]]
name = "a"
host = "127.0.0.1"
system_id = "u"
[[connectors]]
name = "b"
host = "127.0.0.1"
system_id = "u"
[[routes]]
match = { prefix = ["+1", "+44"], category = ["marketing"], sender = ["BANK"], tag = ["vip"] }
via = ["a"]
[[routes]]
match = { operator = ["China mobile"], category = ["otp"] }
via = ["b", "a"]
[[routes]]
match = { country = ["CN"] }
via = ["a"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "smsgate.toml"
    path.write_text(CONFIG)
    return path


def explained(config: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["route", "explain", *arguments, "--config", str(config)])
    return code, capsys.readouterr().out


def test_it_says_which_rule_decides_and_why_the_others_do_not(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = explained(config, capsys, "+8613812345678", "--category", "otp")
    assert code == 0
    assert text.splitlines() == [
        "+8613812345678 (CN, china mobile): otp from (no sender), account default",
        "  routes[0] via a: does not match: category: otp is none of marketing; sender: (none) is "
        "none of BANK; prefix: +8613812345678 begins with none of +1, +44; tag: (none) has none of "
        "vip",
        "  routes[1] via b, a: matches, and decides",
        "  routes[2] via a: matches too, but is not asked",
        "  1. b (health unknown)",
        "  2. a (health unknown)",
        "decision: routes[1]",
        "health unknown: no gateway at 127.0.0.1:1 tells it to the key in $SMSGATE_API_KEY",
    ]


def test_it_says_the_same_as_json_and_refuses_what_no_route_takes(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = explained(config, capsys, "+8613012345678", "--category", "otp", "--json")
    found = json.loads(text)
    assert (code, found["connectors"], found["down"]) == (0, ["a"], None)
    assert [rule["matches"] for rule in found["rules"]] == [False, False, True]
    assert found["rules"][1]["mismatches"] == ["operator: china unicom is none of china mobile"]
    code, text = explained(config, capsys, "+447400123456")
    assert code == 1
    assert "no route matches" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["+861"], "the number is too short"), (["+8613812345678", "--account", "x"], "no account")],
)
def test_what_no_message_can_be_is_one_line(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["route", "explain", *arguments, "--config", str(config)]) == 1
    assert words in capsys.readouterr().err


def test_n1_a_route_is_known_by_what_it_matches_not_by_its_place(config: Path) -> None:
    """So that what is booked of its rate is its own after a reload that moves it."""
    rated = CONFIG.replace('via = ["a"]\n[[routes]]', 'via = ["a"]\nrate = "1/s"\n[[routes]]')
    first = load_config(config, {}).routes
    config.write_text(rated)
    settings = load_config(config, {})
    moved = msgspec.structs.replace(settings, routes=settings.routes[::-1])
    message = ("+12125551234", "BANK", 3, "default", ("vip",))
    tables = [
        RouteTable(routes_of(routes), {"a": 1, "b": 2}, ())
        for routes in (first, settings.routes, moved.routes)
    ]
    [identity] = {table.identity(*message) for table in tables}
    registry = Registry({"default": 1}, {"a": 1, "b": 2})
    for each in (settings, moved):
        assert list(pacing_rates(each, registry).routes) == [identity]
    assert tables[0].identity("+491711234567", "", 0, "default", ()) is None


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"CN"', '"XX"', "country[0]: no numbers are from 'XX'"),
        ('"CN"', '"cn"', "two capitals"),
        ("China mobile", "Chyna Mobile", "did you mean 'china mobile'"),
    ],
)
def test_an_origin_that_is_none_is_refused(config: Path, old: str, new: str, words: str) -> None:
    config.write_text(CONFIG.replace(old, new))
    with pytest.raises(ConfigError, match=words.replace("[", r"\[").replace("]", r"\]")):
        load_config(config, {})


def test_the_decision_and_the_explanation_agree(config: Path) -> None:
    routes = routes_of(load_config(config, {}).routes)
    for number in ("+8613812345678", "+8613012345678", "+12125551234"):
        for category in range(4):
            message = (number, "BANK", category, "default", ("vip",))
            matching = [k for k, rule in enumerate(routes) if not rule.mismatches(*message)]
            assert route(*message, routes=routes).route == (matching[0] if matching else None)


def test_origins_are_those_of_the_library_for_an_example_of_every_country() -> None:
    origins = NumberOrigins()
    seen = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        if example is None or not phonenumbers.is_valid_number(example):
            continue
        seen += 1
        number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
        assert origins.country(number) == phonenumbers.region_code_for_number(example)
        name = carrier.name_for_valid_number(example, "en").lower() or None
        assert origins.operator(number) == name
    assert seen > 200
    assert origins.country("+80012345678") is None
