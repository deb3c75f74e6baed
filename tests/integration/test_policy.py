"""The rules about when and how often, in a running gateway: what they decide is on the timeline,
in the status and in the metrics.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.integration.running import gateway, message, simulator, write_config


async def test_scheduled_and_held_messages_say_so_and_the_scheduled_one_goes(
    database_url: str, folder: Path
) -> None:
    here = datetime.now(ZoneInfo("Asia/Shanghai"))
    quiet = "-".join((here + timedelta(hours=h)).strftime("%H:%M") for h in (-2, 2))
    rest = f'[quiet_hours]\nmarketing = "{quiet}"\n'
    async with (
        simulator(folder) as sim,
        gateway(write_config(folder, database_url, sim.port, rest=rest)) as running,
    ):
        soon = datetime.now(UTC) + timedelta(seconds=1)
        held, rejected, scheduled, now = await running.send(
            [
                message(1, category="marketing"),
                message(2, category="marketing", policy={"quiet_hours": "reject"}),
                message(3, send_at=soon.isoformat()),
                message(4),
            ]
        )
        assert [item["status"] for item in (held, rejected, scheduled, now)] == [
            "held", "suppressed", "scheduled", "accepted"
        ]  # fmt: skip
        assert held["reason"] == rejected["reason"] == "quiet_hours"
        view = await running.message(scheduled["id"])
        assert view["status"] == "scheduled"
        assert abs(datetime.fromisoformat(view["send_at"]) - soon) < timedelta(milliseconds=1)
        await running.until(delivered=2)
        shown = await running.message(held["id"])
        _, page = await running.call("GET", "/v1/messages?status=held")
        assert page["data"] == [shown]
        told = ("held", "quiet_hours", held["held_until"])
        assert (shown["status"], shown["reason"], shown["held_until"]) == told
        _, answer = await running.call("GET", f"/v1/messages/{held['id']}/events")
        (event,) = [event for event in answer["data"] if event["kind"] == "held"]
        assert event["detail"]["rule"] == event["detail"]["reason"] == "quiet_hours"
        assert event["detail"]["held_until"] == held["held_until"]
        _, sent = await running.call("GET", f"/v1/messages/{scheduled['id']}/events")
        (submitted,) = [event for event in sent["data"] if event["kind"] == "submitted"]
        assert datetime.fromisoformat(submitted["at"]) >= soon
        async with running.session.get(running.api + "/metrics") as response:
            metrics = await response.text()
    assert 'sms_policy_decisions_total{action="held",rule="quiet_hours"} 1.0' in metrics
    assert 'sms_policy_decisions_total{action="suppressed",rule="quiet_hours"} 1.0' in metrics
    assert 'sms_policy_decisions_total{action="held",rule="scheduled"} 1.0' in metrics
    assert {line.destination for line in sim.accepted()} == {
        message(3)["to"][1:], message(4)["to"][1:]  # type: ignore[index]
    }  # fmt: skip
