"""The commands that look at a running gateway, each beside one that has sent something."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.commands import CommandFailed, connectors
from gateway.commands.asking import post
from gateway.commands.number_show import lines_of as number_lines
from gateway.commands.scrape import Scrape, per_second
from gateway.commands.tail import REMEMBERED_MAX, Changes
from gateway.commands.top import lines_of, view_of
from gateway.config import load_config
from tests.gateway.conftest import CommandLine, Running

NUMBER = "+8613812345678"
MASKED = "+86138****5678"
SCOPES = ("messages:send", "messages:read", "reports:read", "connectors:read", "numbers:read")
PATIENCE_SECONDS = 20

Asking = Callable[..., Any]


def delivered(ask: Asking, message: str) -> dict[str, Any]:
    """The message once its receipt is there."""
    ends = time.monotonic() + PATIENCE_SECONDS
    shown: dict[str, Any] = {}
    while time.monotonic() < ends:
        shown = json.loads(ask("messages", "show", message, "--json").out)
        if shown["final"]:
            return shown
    pytest.fail(f"never final: {shown}")


def test_looking_at_a_running_gateway(
    smsgate: CommandLine, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*words: str) -> Any:
        answer = smsgate(*words, "--config", running.config)
        assert answer.code == 0, answer.complaint
        return answer

    key = ask("keys", "create", "operator", "--scopes", *SCOPES).out.strip()
    monkeypatch.setenv("SMSGATE_API_KEY", key)
    sent = ask("send", NUMBER, "hello", "--from", "SHOP").out.strip()
    shown = delivered(ask, sent)
    assert (shown["to"], shown["status"]) == (MASKED, "delivered")
    assert {event["kind"] for event in shown["events"]} >= {"accepted", "submitted", "receipt"}
    listing_messages(ask, sent)
    looking_at_a_number(ask)
    looking_at_what_waits(ask)
    looking_at_connectors(ask, smsgate, running)
    at_a_glance(ask)


def listing_messages(ask: Asking, sent: str) -> None:
    lines = ask("messages", "show", sent).out.splitlines()
    assert f"to              {MASKED}" in lines
    assert any("  receipt  " in line for line in lines)
    heading, row = ask("messages", "list", "--to", NUMBER, "--since", "1h").out.splitlines()
    assert heading.split() == [
        "ID", "CREATED", "TO", "CATEGORY", "STATUS", "CONNECTOR", "REASON", "ERROR",
    ]  # fmt: skip
    assert row.split()[0] == sent
    assert row.split()[2:6] == [MASKED, "transactional", "delivered", "sim"]
    assert json.loads(ask("messages", "list", "--json").out)["id"] == sent
    assert ask("messages", "list", "--status", "failed").out == "no such messages\n"
    (told,) = ask("tail", "--once", "--connector", "sim").out.splitlines()
    assert told[8:] == f" {sent} {MASKED} transactional delivered sim 000"
    assert json.loads(ask("tail", "--once", "--json").out)["id"] == sent
    assert ask("tail", "--once", "--connector", "other").out == ""


def looking_at_a_number(ask: Asking) -> None:
    lines = ask("numbers", "show", NUMBER).out.splitlines()
    assert lines[0].startswith(f"{MASKED} (CN mobile)  validity 0.")
    assert lines[1].startswith("1 messages in 90 days: 1 delivered, 0 failed; ")
    assert json.loads(ask("numbers", "show", NUMBER, "--json").out)["number"] == MASKED


def looking_at_what_waits(ask: Asking) -> None:
    assert ask("queue").out == "nothing waits\n"
    assert json.loads(ask("queue", "--json").out) == {"data": [], "held": {}}
    lines = ask("routes").out.splitlines()
    assert lines[0] == "routes[0]  everything else  without limit"
    assert lines[1].split()[:2] == ["sim", "up"]
    (route,) = json.loads(ask("routes", "--json").out)
    assert route["connectors"][0]["name"] == "sim"


def looking_at_connectors(ask: Asking, smsgate: CommandLine, running: Running) -> None:
    heading, row = ask("connectors", "list").out.splitlines()
    assert heading.split() == ["NAME", "STATE", "BINDS", "WINDOW", "QUEUED", "PACE"]
    assert row.split()[:2] == ["sim", "up"]
    flags = ("--config", running.config)
    full = smsgate("connectors", "probe", "sim", *flags)
    assert "binds are up: the carrier may refuse one more" in full.line
    probed = ask("connectors", "probe", "sim", "--yes", "--to", NUMBER).out.splitlines()
    assert [line.split()[:2] for line in probed] == [
        ["ok", "dns"], ["ok", "tcp"], ["ok", "bind"], ["ok", "enquire_link"], ["ok", "message"],
    ]  # fmt: skip
    told = json.loads(ask("connectors", "probe", "sim", "--yes", "--json").out)
    assert (told["ok"], told["message"], len(told["steps"])) == (True, None, 4)
    nobody = smsgate("connectors", "probe", "nobody", *flags)
    assert nobody.line == "there is no connector 'nobody'; there are: sim"


def test_a_test_message_that_would_be_refused_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = {"items": [{"index": 0, "error": {"code": "to_invalid", "detail": "no number"}}]}
    monkeypatch.setattr(connectors, "post", lambda *_, **_more: refused)
    asked = argparse.Namespace(
        key="sk", to="nonsense", text="x", category="otp", sender=None, name="sim"
    )
    with pytest.raises(CommandFailed, match="would be refused: no number"):
        connectors._test_message(load_config(None, {}), asked)


def at_a_glance(ask: Asking) -> None:
    lines = ask("top", "--once", "--every", "0.1").out.splitlines()
    assert lines[0].startswith("smsgate ")
    assert any(line.startswith("sim  up ") for line in lines)
    assert max(map(len, lines)) <= 80
    view = json.loads(ask("top", "--json", "--every", "0.1").out)
    (sim,) = view["connectors"]
    assert (sim["name"], sim["up"], sim["binds_up"]) == ("sim", True, sim["binds"])


def test_batches_are_shown_paused_and_rated(
    smsgate: CommandLine, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--config", running.config)
    key = smsgate("keys", "create", "site", *flags).out.strip()
    monkeypatch.setenv("SMSGATE_API_KEY", key)
    config, path = load_config(running.config, {}), "/v1/messages/batch"
    body: dict[str, object] = {"messages": [{"to": NUMBER, "text": "x"}]}
    made = post(config, path, key, body, known_by="batch_id")
    batch = made["batch_id"]
    for words, told in (
        (("pause", batch), "paused, rate none of its own"),
        (("rate", batch, "5/s"), "paused, rate 5/s"),
        (("rate", batch, "none"), "paused, rate none of its own"),
        (("resume", batch), "active, rate none of its own"),
    ):
        answer = smsgate("batches", *words, *flags)
        assert answer.out.startswith(f"{batch}  {told}, "), answer
    shown = smsgate("batches", "show", batch, *flags).out.splitlines()
    assert ["accepted", "1"] in [line.split() for line in shown[1:]]
    assert json.loads(smsgate("batches", "show", batch, "--json", *flags).out)["id"] == batch
    assert smsgate("batches", "show", "bat_1", *flags).line.startswith("refused (404)")


# --- without a gateway ----------------------------------------------------------------------------

BEFORE = """
# TYPE sms_build_info gauge
sms_build_info{version="0.1.0",node="3"} 1
# TYPE sms_messages_accepted counter
sms_messages_accepted_total{category="otp"} 100
sms_messages_accepted_total{category="marketing"} 900
# TYPE sms_submits counter
sms_submits_total{connector="a"} 500
sms_submits_total{connector="b"} 70
# TYPE sms_submit_responses counter
sms_submit_responses_total{connector="a",status="ESME_ROK"} 480
sms_submit_responses_total{connector="a",status="ESME_RTHROTTLED"} 20
"""
AFTER = """
# TYPE sms_build_info gauge
sms_build_info{version="0.1.0",node="3"} 1
# TYPE sms_messages_accepted counter
sms_messages_accepted_total{category="otp"} 110
sms_messages_accepted_total{category="marketing"} 1000
# TYPE sms_submits counter
sms_submits_total{connector="a"} 700
sms_submits_total{connector="b"} 60
# TYPE sms_submit_responses counter
sms_submit_responses_total{connector="a",status="ESME_ROK"} 670
sms_submit_responses_total{connector="a",status="ESME_RTHROTTLED"} 30
# TYPE sms_binds_up gauge
sms_binds_up{connector="a"} 1
# TYPE sms_queue_depth gauge
sms_queue_depth{connector="a",category="otp"} 0
sms_queue_depth{connector="a",category="marketing"} 12410
# TYPE sms_queue_oldest_seconds gauge
sms_queue_oldest_seconds{connector="a",category="otp"} 0.5
sms_queue_oldest_seconds{connector="a",category="marketing"} 7200
# TYPE sms_cohort_sent gauge
sms_cohort_sent{connector="a"} 2000
# TYPE sms_cohort_delivery_rate gauge
sms_cohort_delivery_rate{connector="a"} 0.951
# TYPE sms_cohort_delivery_rate_low gauge
sms_cohort_delivery_rate_low{connector="a"} 0.94
# TYPE sms_cohort_delivery_rate_high gauge
sms_cohort_delivery_rate_high{connector="a"} 0.96
"""


def test_rates_are_what_was_counted_between_two_readings() -> None:
    before, now = Scrape(BEFORE, 100.0), Scrape(AFTER, 110.0)
    assert per_second(before, now, "sms_messages_accepted_total") == 11.0
    # b was restarted: what it counted since then counts, not a negative rate.
    assert per_second(before, now, "sms_submits_total", lambda of: of["connector"] == "b") == 6.0
    told: list[Mapping[str, Any]] = [
        {"name": "a", "up": True, "binds": 2, "window": 100, "reason": None, "withheld": []}
    ]
    view = view_of(before, now, told)
    (line,) = view.connectors
    assert (line.submitted, line.refused, line.window) == (20.0, 1.0, 200)
    assert lines_of(view)[-4:] == [
        "a  up 1/2   window 0/200   pace no limit",
        "  submitted 20/s   refused 1.0/s   throttled 0/s",
        "  ready: otp 0 (oldest 0.5 s), marketing 12410 (oldest 2 h)",
        "  delivered 95.1% (94.0% to 96.0% of 2000)",
    ]


def test_a_number_that_is_given_up_says_what_speaks_against_it() -> None:
    told = {
        "number": MASKED, "fault": None, "country": "CN", "type": "mobile", "validity": 0.1,
        "recycled": True, "complete": False, "messages": 1000, "delivered": 3, "failed": 9,
        "delivered_days": 2,
        "suppressions": [{
            "category": "all", "reason": "number_unknown", "source": "receipt", "expires_at": None,
        }],
        "evidence": [{
            "day": "2026-11-29", "kind": "prune", "state": "counts", "reason": "number_unknown",
            "carrier_code": "MK:0001", "connector": "carrier-a",
        }],
    }  # fmt: skip
    assert number_lines(told) == [
        f"{MASKED} (CN mobile)  validity 0.1, a new owner has it",
        "1000 at least messages in 90 days: 3 delivered, 9 failed; delivered on 2 days of 400",
        "suppressed: all number_unknown (receipt) for good",
        "DAY         KIND   STATE   REASON          CODE     CONNECTOR",
        "2026-11-29  prune  counts  number_unknown  MK:0001  carrier-a",
    ]
    assert number_lines({**told, "fault": "has no +"}) == [f"{MASKED}: has no +"]


def test_top_says_why_a_connector_is_down_and_needs_no_scope_for_the_rest() -> None:
    before = Scrape(BEFORE, 100.0)
    shown = lines_of(view_of(before, before, [
        {"name": "b", "up": True},
        {"name": "a", "up": False, "binds": 2, "window": 9, "reason": "refused", "withheld": []},
    ]))  # fmt: skip
    assert shown.index("  refused") < shown.index("b  up 0/0   0 in flight   pace no limit")


def message(name: str, status: str, at: str) -> dict[str, object]:
    return {"id": name, "status": status, "reason": None, "error": None, "updated_at": at}


def test_tail_tells_each_change_once_and_in_order() -> None:
    changes = Changes()
    first = [message("b", "sent", "2"), message("a", "sent", "1")]
    assert [each["id"] for each in changes.of(first)] == ["a", "b"]
    assert changes.of(first) == []
    moved = message("a", "delivered", "3")
    assert changes.of([first[0], moved]) == [moved]


def test_tail_remembers_a_bounded_number_of_messages() -> None:
    changes = Changes()
    changes.of(message(str(number), "sent", "1") for number in range(REMEMBERED_MAX + 5))
    assert len(changes) == REMEMBERED_MAX
