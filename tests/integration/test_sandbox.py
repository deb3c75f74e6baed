"""Messages to the sandbox beside those to a carrier, in a running gateway.

They end as their numbers script it. Nothing of them reaches the carrier, a report or the
suppression list.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.rehearsal.client import PATIENCE_SECONDS, POLL_SECONDS
from gateway.rehearsal.running import Running
from tests.integration.carrier import carrier, deliver_and_confirm
from tests.integration.running import gateway, message, write_config

DELIVERED, DEAD, SILENT = "+8613800011000", "+8613800010001", "+8613800010005"
CAP = """
[[accounts]]
name = "default"
caps.marketing = { day = 1 }
otp_velocity = {}
"""


def sandboxed(to: str, **fields: object) -> dict[str, object]:
    return {"to": to, "from": "SHOP", "text": "Hello", "sandbox": True, **fields}


async def standing(running: Running, message_id: str, status: str) -> dict[str, object]:
    """Wait until the message has this status."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (found := await running.message(message_id))["status"] != status:
            await asyncio.sleep(POLL_SECONDS)
    return found


async def test_sandbox_messages_end_as_scripted_and_never_reach_the_carrier(
    database_url: str, folder: Path
) -> None:
    async with carrier(deliver_and_confirm) as real:
        config = write_config(folder, database_url, real.port, rest=CAP)
        async with gateway(config) as running:
            _, ready = await running.call("GET", "/readyz")
            assert "connector sandbox" not in {each["name"] for each in ready["components"]}
            ok, dead, silent, refused, scripted, normal = await running.send(
                [
                    sandboxed(DELIVERED, category="marketing"),
                    sandboxed(DEAD),
                    sandboxed(SILENT),
                    sandboxed("+8613800010006"),
                    sandboxed(DELIVERED, text="#sim{state=EXPIRED;delay=10ms}"),
                    message(1),
                ]
            )
            assert ok["sandbox"]
            assert "sandbox" not in normal
            found = await standing(running, ok["id"], "delivered")
            assert (found["sandbox"], found["connector"]) == (True, "sandbox")
            assert (await standing(running, dead["id"], "undelivered"))["error"] == "001"
            await standing(running, scripted["id"], "expired")
            await standing(running, refused["id"], "rejected")
            await running.until(delivered=1)
            assert (await running.message(silent["id"]))["status"] == "sent"
            assert not (await running.message(normal["id"]))["sandbox"]

            code = sandboxed(DELIVERED, category="otp")
            for _ in range(2):  # of real ones, the second within a minute is refused
                status, answer = await running.call("POST", "/v1/messages", code)
                assert (status, answer["status"], answer["sandbox"]) == (202, "accepted", True)
            _, preview = await running.call("POST", "/v1/messages/preview", sandboxed(DEAD))
            assert preview["items"][0]["message"]["route"]["connector"] == "sandbox"
            # Neither its proof of a dead number nor its count stands against a real message.
            [alive, uncapped] = await running.send(
                [
                    message(2, to=DEAD),
                    message(3, to=DELIVERED, category="marketing"),
                ]
            )
            assert (alive["status"], uncapped["status"]) == ("accepted", "accepted")
            counts = await running.until(delivered=3)
            assert (counts["accepted"], counts["sent"]) == (3, 3)
            _, funnel = await running.call("GET", "/v1/reports/funnel")
            assert funnel["total"]["counts"]["accepted"] == 3
            _, ready = await running.call("GET", "/readyz")
            assert {"name": "connector sandbox", "ok": True, "reason": None, "required": False} in (
                ready["components"]
            )
            later = datetime.now(UTC) + timedelta(seconds=2)
            [waits] = await running.send([sandboxed(DELIVERED, send_at=later.isoformat())])
        async with gateway(config) as running:
            await standing(running, waits["id"], "delivered")
            assert (await running.counts())["accepted"] == 3
    assert sorted(submit.to for submit in real.submits) == sorted(
        str(to).removeprefix("+") for to in (message(1)["to"], DEAD, DELIVERED)
    )
