"""Long texts, and carriers that report on their parts in ways of their own."""

from __future__ import annotations

from pathlib import Path

from tests.integration.carrier import Submit, carrier
from tests.integration.running import gateway, message, write_config
from tests.integration.test_reload import reloaded

LONG = "0123456789" * 40  # three parts


async def test_e92_e100_one_id_for_all_parts_one_failed_part_and_one_receipt_for_all(
    database_url: str, folder: Path
) -> None:
    shared, failing, whole = (message(n, text=LONG) for n in (1, 2, 3))

    def react(submit: Submit) -> None:
        to = f"+{submit.to}"
        if to == shared["to"]:
            submit.message_id = "ONE"
            submit.answer()
            submit.receipt()
            return
        submit.answer()
        if to == failing["to"] and submit.part == 2:
            submit.receipt("UNDELIV")
        if to == whole["to"] and submit.part == 1:
            submit.receipt()

    async with carrier(react) as told:
        config = write_config(folder, database_url, told.port)
        async with gateway(config) as running:
            first, second = [item["id"] for item in await running.send([shared, failing])]
            await running.until(delivered=1, undelivered=1)
            views = [await running.message(each) for each in (first, second)]
            write_config(folder, database_url, told.port, connector='receipts_per = "message"')
            assert (await reloaded(running))["adjusted"] == ["sim"]
            third = (await running.send([whole]))[0]["id"]
            await running.until(delivered=2)
            views.append(await running.message(third))
    assert [(view["status"], view["parts"], view["parts_delivered"]) for view in views] == [
        ("delivered", 3, 3),
        ("undelivered", 3, 0),
        ("delivered", 3, 3),
    ]
