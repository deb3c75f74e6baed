"""kill -9 at each step on the way of a message, and an audit afterwards.

What was accepted is waiting, in doubt, on the wire or final. The carrier saw no second submit that
nobody explains. The frequency caps counted each message once.

The gateway is killed from outside, by the proxy before its database or by the carrier, at the very
moment that the step names.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from gateway.rehearsal.client import PATIENCE_SECONDS
from gateway.rehearsal.running import Running
from smpp.pdu import SubmitSmResp
from storage.pool import Connection
from tests.integration.carrier import Carrier, Submit, carrier, deliver_and_confirm
from tests.integration.database_proxy import (
    OPEN_INTENTS,
    STORE_AT_ONCE,
    DatabaseProxy,
    database_proxy,
)
from tests.integration.running import gateway, message, write_config
from tests.integration.test_crash import doubtful, wait_until_settled

MESSAGES = 40
RESENT, HELD = "transactional", "marketing"
BODIES = [message(n, category=RESENT if n % 2 else HELD) for n in range(MESSAGES)]
CATEGORIES = {str(body["to"]).removeprefix("+"): body["category"] for body in BODIES}
CAPPED = f"""
[[accounts]]
name = "default"
caps.{RESENT} = {{ day = 1 }}
caps.{HELD} = {{ day = 1 }}
"""


@dataclass
class Scene:
    """One life that ends by a kill, and what the carrier does meanwhile."""

    proxy: DatabaseProxy
    carrier: Carrier
    pid: int = 0
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    def kill(self) -> None:
        if not self.killed.is_set():
            os.kill(self.pid, signal.SIGKILL)
            self.killed.set()

    def at_commit(self, role: str, *, before: bool) -> None:
        self.proxy.arm(role, asked=rb"COMMIT", before=before, act=self.kill)

    def when(self, moment: Callable[[Submit], None]) -> None:
        """What the carrier does with each submit_sm of this life."""
        self.carrier.react = moment


def before_the_message_is_committed(scene: Scene) -> None:
    scene.at_commit("accept", before=True)


def before_the_client_is_answered(scene: Scene) -> None:
    scene.at_commit("accept", before=False)


def before_the_intent_is_written(scene: Scene) -> None:
    scene.proxy.arm("intent", asked=rb"BEGIN", before=True, act=scene.kill)


def before_the_intent_is_committed(scene: Scene) -> None:
    scene.at_commit("intent", before=True)


def before_the_first_byte_is_written(scene: Scene) -> None:
    scene.at_commit("intent", before=False)


def before_the_intent_of_one_statement(scene: Scene) -> None:
    scene.proxy.arm("intent", asked=OPEN_INTENTS, before=True, act=scene.kill)


def behind_the_intent_of_one_statement(scene: Scene) -> None:
    scene.proxy.arm("intent", asked=OPEN_INTENTS, act=scene.kill)


def before_the_carrier_answers(scene: Scene) -> None:
    def react(submit: Submit) -> None:
        if len(scene.carrier.submits) == MESSAGES:
            scene.kill()

    scene.when(react)


def before_the_results_are_committed(scene: Scene) -> None:
    scene.when(lambda submit: submit.answer())
    scene.at_commit("record", before=True)


def before_the_results_are_known_to_be_committed(scene: Scene) -> None:
    scene.when(_answer_all_at_once(scene))
    scene.at_commit("record", before=False)


def before_the_receipts_are_committed(scene: Scene) -> None:
    _receipts_after_the_results(scene, before=True)


def before_the_receipts_are_answered(scene: Scene) -> None:
    _receipts_after_the_results(scene, before=False)


def _answer_all_at_once(scene: Scene) -> Callable[[Submit], None]:
    """In one write, so that one flush of the recorder holds every result."""

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

    return react


def _receipts_after_the_results(scene: Scene, *, before: bool) -> None:
    """The results' COMMIT passes; the receipts' is the one that counts."""

    def receipts() -> None:
        scene.at_commit("record", before=before)
        for submit in scene.carrier.submits:
            submit.receipt()

    scene.when(_answer_all_at_once(scene))
    scene.proxy.arm("record", answered=rb"COMMIT", act=receipts, cut=False)


@dataclass(frozen=True)
class Expected:
    """Submits per number of the two categories; `doubt` about all, or about none of them."""

    stored: bool = True
    resent: int = 1
    held: int = 1
    doubt: bool = False
    capped: bool = True  # the caps are counted in a transaction that opens the intent


STEPS = [
    (before_the_message_is_committed, Expected(stored=False, resent=0, held=0)),
    (before_the_client_is_answered, Expected()),
    (before_the_intent_is_written, Expected()),
    (before_the_intent_is_committed, Expected()),
    (before_the_first_byte_is_written, Expected(resent=1, held=0, doubt=True)),
    (before_the_intent_of_one_statement, Expected(capped=False)),
    (
        behind_the_intent_of_one_statement,
        Expected(resent=1, held=0, doubt=True, capped=False),
    ),
    (before_the_carrier_answers, Expected(resent=2, held=1, doubt=True)),
    (before_the_results_are_committed, Expected(resent=2, held=1, doubt=True)),
    (before_the_results_are_known_to_be_committed, Expected()),
    (before_the_receipts_are_committed, Expected()),
    (before_the_receipts_are_answered, Expected()),
]


@pytest.mark.parametrize(("step", "expected"), STEPS, ids=[step.__name__ for step, _ in STEPS])
async def test_e48_kill_9_at_each_step(
    database_url: str,
    connection: Connection,
    folder: Path,
    step: Callable[[Scene], None],
    expected: Expected,
) -> None:
    async with carrier() as smsc, database_proxy(database_url) as proxy:
        scene = Scene(proxy, smsc)
        rest = CAPPED if expected.capped else ""
        async with gateway(write_config(folder, proxy.url, smsc.port, rest=rest)) as life:
            scene.pid = life.pid
            step(scene)
            answered = await _send(life)
            async with asyncio.timeout(PATIENCE_SECONDS):
                await scene.killed.wait()
            await life.exit()
        unanswered = list(smsc.submits)
        smsc.react = deliver_and_confirm
        async with gateway(write_config(folder, database_url, smsc.port, rest=rest)) as life:
            await smsc.deliver_again(unanswered)
            await wait_until_settled(life)
            await _audit(life, smsc, expected, answered)
            if expected.capped:
                await _audit_caps(life, connection, MESSAGES if expected.stored else 0)


@pytest.mark.parametrize("before", [True, False], ids=["before it", "behind it"])
async def test_kill_9_at_the_one_statement_that_stores_a_message(
    database_url: str, folder: Path, before: bool
) -> None:
    async with carrier() as smsc, database_proxy(database_url) as proxy:
        scene = Scene(proxy, smsc)
        async with gateway(write_config(folder, proxy.url, smsc.port)) as life:
            scene.pid = life.pid
            proxy.arm("accept", asked=STORE_AT_ONCE, before=before, act=scene.kill)
            with pytest.raises((aiohttp.ClientError, ConnectionError)):
                await life.call("POST", "/v1/messages", BODIES[0])
            await life.exit()
        assert smsc.submits == []
        smsc.react = deliver_and_confirm
        async with gateway(write_config(folder, database_url, smsc.port)) as life:
            await wait_until_settled(life)
            counts = await life.counts()
    assert counts["accepted"] == counts["delivered"] == len(smsc.submits) == int(not before)


async def _send(life: Running) -> dict[str, str]:
    """id -> number of what was answered 202 before the kill."""
    try:
        items = await life.send(BODIES)
    except (aiohttp.ClientError, ConnectionError):
        return {}
    return {
        item["id"]: str(body["to"]).removeprefix("+")
        for body, item in zip(BODIES, items, strict=True)
    }


async def _audit(
    life: Running, smsc: Carrier, expected: Expected, answered: dict[str, str]
) -> None:
    counts = await life.counts()
    stored = MESSAGES if expected.stored else 0
    # Accepted = waiting + in doubt + on the wire + final.
    assert counts["accepted"] == stored
    assert counts["delivered"] + counts["unconfirmed"] == stored
    in_doubt = await doubtful(life, answered)
    if answered:  # without an answer the client knows no ids to ask about
        assert set(in_doubt) == (set(CATEGORIES) if expected.doubt else set())
    assert counts["unconfirmed"] == (MESSAGES // 2 if expected.doubt else 0)
    # No submit that nobody explains.
    submits = Counter(submit.to for submit in smsc.submits)
    for number, category in CATEGORIES.items():
        wanted = expected.resent if category == RESENT else expected.held
        assert submits[number] == wanted, number


async def _audit_caps(life: Running, connection: Connection, stored: int) -> None:
    """Each message counted once, and what may have been sent stays counted, whoever gives it up."""
    rows = await connection.fetch(
        "SELECT m.id, f.message_ids FROM message AS m"
        " FULL JOIN frequency AS f USING (account, category, to_idx)"
    )
    assert len(rows) == stored
    assert all(row["message_ids"] == [row["id"]] for row in rows)
    _, doubtful = await life.call("GET", "/v1/messages?status=unconfirmed")
    ids = [each["id"] for each in doubtful["data"]]
    if ids:
        _, answer = await life.call("POST", "/v1/messages/resolve", {"ids": ids, "action": "drop"})
        assert {each["result"] for each in answer["items"]} == {"dropped"}
    again = await life.send(BODIES[:2])
    assert [item["status"] for item in again] == ["capped" if stored else "accepted"] * 2
