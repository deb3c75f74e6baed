"""What one carrier wants, by configuration alone: gateway and simulator as they are run."""

from __future__ import annotations

from pathlib import Path

from gateway.rehearsal.configuration import Connector, Route
from smpp.vocabulary import ESME_RINVEXPIRY
from tests.integration.carrier import Submit, carrier
from tests.integration.running import SMOOTH, gateway, message, simulator, write_config
from tests.integration.test_reload import reloaded, shows, view

LONG = "0123456789" * 40  # three parts
WISHES = """
segmentation = "payload"
smart_replacement = true
source_ton_npi = { any = [5, 9] }
tlvs = [{ tag = "0x1400", text = "entity" }]
user_message_reference = true
"""


async def test_e1_a_carrier_of_its_own_kind_is_understood(database_url: str, folder: Path) -> None:
    """Long texts whole, ids in hexadecimal here and decimal there, and nothing said about ids."""
    profile = SMOOTH + 'message_id_style = "hex_padded"\nreceipt_id_style = "decimal"\n'
    bodies = [message(n, text="it’s here") for n in range(60)]
    bodies += [message(n + 60, text=LONG) for n in range(60)]
    bodies[0]["tlvs"] = [{"tag": "0x1401", "hex": "0102"}]
    async with (
        simulator(folder, profile) as sim,
        gateway(write_config(folder, database_url, sim.port, connector=WISHES)) as running,
    ):
        items = await running.send(bodies)
        counts = await running.until(delivered=120)
        view = await running.message(items[-1]["id"])
        refused, answer = await running.call(
            "POST", "/v1/messages", message(1, tlvs=[{"tag": "1"}])
        )
    assert counts["accepted"] == counts["sent"] == counts["delivered"] == 120
    assert (view["parts"], view["parts_delivered"], view["encoding"]) == (3, 3, "gsm7")
    assert refused == 422
    assert answer["errors"][0]["pointer"] == "/tlvs/0"
    lines = sim.accepted()
    assert len(lines) == 120
    assert {line.text for line in lines} == {"it's here", LONG}


async def test_e96_words_of_its_own_are_shown_and_then_explained(
    database_url: str, folder: Path
) -> None:
    """A word nobody knows leaves the message `sent`, and says so in four places; the setting holds
    from the next receipt on.
    """

    def react(submit: Submit) -> None:
        submit.answer()
        submit.receipt("NOROUTE")

    async with carrier(react) as told:
        config = write_config(folder, database_url, told.port)
        async with gateway(config) as running:
            first = (await running.send([message(1)]))[0]["id"]
            await told.until(lambda: len(told.deliveries) == 1)
            assert (await running.message(first))["status"] == "sent"
            assert "receipt_unknown_state" in await running.kinds(first)
            assert await running.metric("sms_receipts_unknown_state_total") == 1
            shown = await view(running, "sim")
            assert shown["receipt_states_unknown"] == {"NOROUTE": 1}
            assert (shown["receipts_per"], shown["receipt_time_zone"]) == ("part", "UTC")
            assert running.log().count("receipt_state_unknown") == 1

            write_config(
                folder,
                database_url,
                told.port,
                connector='receipt_states = { NOROUTE = "expired" }',
            )
            assert (await reloaded(running))["adjusted"] == ["sim"]
            assert (await view(running, "sim"))["receipt_states"] == {"NOROUTE": "expired"}
            second = (await running.send([message(2)]))[0]["id"]
            await running.until(expired=1)
            assert (await running.message(second))["status"] == "expired"
            assert "receipt_unknown_state" not in await running.kinds(second)


SENDS = """
bind = "transmitter"
receipt_group = "carrier"
validity_period = "absolute"
priority_flag = { otp = 3 }
"""
RECEIVES = """
bind = "receiver"
receipt_group = "carrier"
address_range = "^86"
"""


async def test_e99_one_connector_sends_and_another_takes_the_receipts(
    database_url: str, folder: Path
) -> None:
    async with simulator(folder, SMOOTH) as sim:
        config = write_config(
            folder,
            database_url,
            sim.port,
            connector=SENDS,
            others=[Connector("receipts", sim.port, RECEIVES, system_id="sim")],
            routes=[Route(["sim"])],
        )
        async with gateway(config) as running:
            await running.send([message(n) for n in range(20)])
            counts = await running.until(delivered=20)
            _, ready = await running.call("GET", "/readyz")
            _, found = await running.call("GET", "/v1/connectors")
    assert counts["delivered"] == 20
    assert {each["name"]: each["ok"] for each in ready["components"]}["connector receipts"]
    views = {each["name"]: each for each in found["data"]}
    assert views["receipts"]["up"] is views["sim"]["up"] is True
    assert (views["sim"]["bind"], views["receipts"]["bind"]) == ("transmitter", "receiver")
    assert views["receipts"]["queued"] == views["receipts"]["in_flight"] == 0
    assert views["sim"]["hints"] == []


async def test_e99_a_setting_that_the_carrier_refuses_is_named_and_follows_a_reload(
    database_url: str, folder: Path
) -> None:
    """It refuses any validity_period. Nothing is rejected at once, and nobody has to guess."""

    def react(submit: Submit) -> None:
        submit.answer(ESME_RINVEXPIRY if submit.pdu.validity_period else 0)
        if submit.answered and not submit.pdu.validity_period:
            submit.receipt()

    async with (
        carrier(react) as told,
        gateway(write_config(folder, database_url, told.port)) as running,
    ):
        first = (await running.send([message(n) for n in range(3)]))[0]["id"]
        await told.until(lambda: len(told.submits) == 3)
        await shows(running, "sim", lambda found: bool(found["hints"]))
        found = await view(running, "sim")
        assert found["hints"] == ["ESME_RINVEXPIRY: the carrier wants another validity_period"]
        assert running.log().count("setting_refused_by_carrier") == 1
        assert (await running.message(first))["status"] not in ("rejected", "failed")
        write_config(folder, database_url, told.port, connector='validity_period = "none"')
        assert (await reloaded(running))["adjusted"] == ["sim"]
        assert (await view(running, "sim"))["hints"] == []
        await running.send([message(n) for n in range(3, 6)])
        await running.until(delivered=6)
    validities = [bool(submit.pdu.validity_period) for submit in told.submits]
    assert validities == [True] * 3 + [False] * 6
