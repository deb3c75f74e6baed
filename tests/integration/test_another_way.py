"""kill -9 between a failing receipt and the next carrier's answer: nothing is lost, and nothing is
sent twice that was not in doubt.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.configuration import Connector, Route
from smpp.pdu import SubmitSmResp
from tests.integration.carrier import Carrier, Submit, carrier, deliver_and_confirm
from tests.integration.database_proxy import database_proxy
from tests.integration.running import gateway, message, write_config
from tests.integration.test_crash import wait_until_settled
from tests.integration.test_crash_steps import Scene

MESSAGES = 6
RESENT, HELD = "transactional", "marketing"
BODIES = [message(n, category=RESENT if n % 2 else HELD) for n in range(MESSAGES)]
CATEGORIES = {str(body["to"]).removeprefix("+"): body["category"] for body in BODIES}
ANOTHER_WAY = f"[another_way]\n{RESENT} = true\n{HELD} = true\n"


def takes_and_gives_up(submit: Submit) -> None:
    submit.answer()
    submit.receipt("EXPIRED")


def before_the_failing_receipts_are_committed(scene: Scene, second: Carrier) -> None:
    _expire_all(scene, lambda: scene.at_commit("record", before=True))


def behind_the_failing_receipts(scene: Scene, second: Carrier) -> None:
    """What goes another way waits in the outbox, and nobody has begun it."""
    _expire_all(scene, lambda: scene.at_commit("record", before=False))


def behind_the_next_intent(scene: Scene, second: Carrier) -> None:
    """Only what goes another way is looked at in a transaction."""
    _expire_all(scene, lambda: scene.at_commit("intent", before=False))


def before_the_next_carrier_s_answers_are_committed(scene: Scene, second: Carrier) -> None:
    def react(submit: Submit) -> None:
        if len(second.submits) == 1:
            scene.at_commit("record", before=True)
        submit.answer()

    second.react = react
    _expire_all(scene, lambda: None)


def _expire_all(scene: Scene, then: Callable[[], None]) -> None:
    """The first carrier takes all in one write, and gives all up in another, once the results are
    stored. `then` is called before that.
    """

    def receipts() -> None:
        then()
        submits = scene.carrier.submits
        submits[0].session.deliver([(each.receipt_pdu("EXPIRED"), each) for each in submits])

    def react(submit: Submit) -> None:
        submits = scene.carrier.submits
        if len(submits) == MESSAGES:
            for each in submits:
                each.answered = True
            submit.session.answer(
                [
                    SubmitSmResp(each.pdu.sequence_number, 0, each.message_id.encode())
                    for each in submits
                ]
            )

    scene.when(react)
    scene.proxy.arm("record", answered=rb"COMMIT", act=receipts, cut=False)


@dataclass(frozen=True)
class Expected:
    """Submits over the second connector, by category, at least and at most."""

    resent: tuple[int, int] = (1, 1)
    held: tuple[int, int] = (1, 1)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (before_the_failing_receipts_are_committed, Expected()),
        (behind_the_failing_receipts, Expected()),
        (behind_the_next_intent, Expected(held=(0, 1))),
        (before_the_next_carrier_s_answers_are_committed, Expected(resent=(1, 2), held=(0, 1))),
    ],
    ids=lambda each: each.__name__ if callable(each) else "",
)
async def test_kill_9_on_the_way_from_one_carrier_to_the_next(
    database_url: str,
    folder: Path,
    step: Callable[[Scene, Carrier], None],
    expected: Expected,
) -> None:
    async with (
        carrier() as first, carrier(deliver_and_confirm) as second,
        database_proxy(database_url) as proxy,
    ):  # fmt: skip
        others, routes = [Connector("b", second.port)], [Route(["sim", "b"])]

        def config(url: str) -> Path:
            return write_config(
                folder, url, first.port, others=others, routes=routes, rest=ANOTHER_WAY
            )

        scene = Scene(proxy, first)
        async with gateway(config(proxy.url)) as life:
            scene.pid = life.pid
            step(scene, second)
            await life.send(BODIES)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await scene.killed.wait()
            await life.exit()
        first.react, second.react = takes_and_gives_up, deliver_and_confirm
        sessions = first.sessions
        async with gateway(config(database_url)) as life:
            await first.until(lambda: first.sessions > sessions)
            for submit in first.submits:
                assert first.live is not None
                submit.session = first.live
                submit.receipt("EXPIRED")  # as a carrier does that got no answer
            await wait_until_settled(life)
            counts = await life.counts()
            _, held = await life.call("GET", "/v1/messages?status=unconfirmed")
    assert counts["accepted"] == MESSAGES == counts["delivered"] + counts["unconfirmed"]
    assert {each["category"] for each in held["data"]} <= {HELD}
    assert Counter(submit.to for submit in first.submits) == Counter(CATEGORIES.keys())
    submits = Counter(submit.to for submit in second.submits)
    for number, category in CATEGORIES.items():
        least, most = expected.resent if category == RESENT else expected.held
        assert least <= submits[number] <= most, number
    missing = sum(submits[number] == 0 for number in CATEGORIES)
    assert missing <= counts["unconfirmed"]
