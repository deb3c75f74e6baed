"""The carrier of a world: it does with each submit_sm what the schedule says, and notes it.

Owns the carrier's own ledger, and its receipts until they are acknowledged. Must not judge: it
tells a witness what it saw, at that moment. The server and its sessions are smpp's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import msgspec

from benchmarks.simulated.clock import VirtualLoop
from benchmarks.simulated.network import Network
from benchmarks.simulated.schedule import Answer, Fate, Step
from smpp import vocabulary
from smpp.events import MessageRequest, SubmitResponse
from smpp.pdu import BindRequest, DeliverSm, SubmitSm, SubmitSmResp
from smpp.server import ServerSession, ServerSettings, SmppServer
from smpp.session_timers import TimerSettings
from smpp.simulator.ledger import concatenation_of

PORT: Final = 2775
NUMBER_FIRST: Final = 13800000000
RECEIPT_TIMEOUT_SECONDS: Final = 30.0
STATUSES: Final[Mapping[Answer, int]] = {
    Answer.THROTTLED: vocabulary.ESME_RTHROTTLED,
    Answer.BUSY: vocabulary.ESME_RSYSERR,
    Answer.REFUSED: vocabulary.ESME_RSUBMITFAIL,
}
WELL: Final = Fate()

Part = tuple[int, int]  # number of the message, and of its part


class Taken(msgspec.Struct):
    """A submit_sm that the carrier has taken. `answered`: its answer was written."""

    part: Part
    carrier_id: str
    state: str
    answered: bool = False
    acknowledged: bool = False


class Witness(Protocol):
    """Who is told at once."""

    def acknowledged(self, taken: Taken) -> None:
        """A receipt was answered with ESME_ROK."""


class Carrier:
    """Implements smpp's ServerHandler."""

    def __init__(self, loop: VirtualLoop, network: Network, witness: Witness) -> None:
        self.taken: list[Taken] = []
        self.accepted: Counter[Part] = Counter()
        self.refused: set[Part] = set()  # for good, or for now and perhaps for the last time
        self._steps: dict[int, Step] = {}
        self._tries: Counter[Part] = Counter()
        self._loop = loop
        self._network = network
        self._witness = witness
        self._sessions: list[ServerSession] = []
        self._due: list[Taken] = []  # receipts that wait for a session
        self._told: defaultdict[str, int] = defaultdict(int)
        self.server = SmppServer(
            self,
            "carrier",
            PORT,
            ServerSettings(
                window=4,
                timers=TimerSettings(
                    enquire_link_seconds=300.0, response_seconds=RECEIPT_TIMEOUT_SECONDS
                ),
            ),
        )

    def expect(self, step: Step) -> None:
        """A message that may come."""
        self._steps[step.number] = step

    # --- ServerHandler ---------------------------------------------------------------------------

    def authenticate(self, request: BindRequest) -> int:
        """Anybody may bind."""
        return vocabulary.ESME_ROK

    def bound(self, session: ServerSession) -> None:
        """Receipts go by the newest session."""
        self._sessions.append(session)
        self._pump()

    def closed(self, session: ServerSession, reason: str, in_flight: list[object]) -> None:
        """What was not acknowledged is sent again."""
        self._sessions.remove(session)
        self.delivery_expired(session, in_flight)

    def writable(self, session: ServerSession) -> None:
        """Room again."""
        self._pump()

    def delivery_responses(self, session: ServerSession, responses: list[SubmitResponse]) -> None:
        """Acknowledged, or to be sent again later."""
        for response in responses:
            taken = response.context
            assert isinstance(taken, Taken)
            if response.command_status == vocabulary.ESME_ROK:
                taken.acknowledged = True
                self._witness.acknowledged(taken)
            else:
                self._loop.call_later(1.0, self._tell, taken)

    def delivery_expired(self, session: ServerSession, contexts: list[object]) -> None:
        """Sent again."""
        for taken in contexts:
            assert isinstance(taken, Taken)
            self._tell(taken)

    def submits(self, session: ServerSession, submits: list[MessageRequest]) -> None:
        """Each has the fate that its attempt has in the schedule."""
        for pdu in submits:
            assert isinstance(pdu, SubmitSm)
            part = part_of(pdu)
            step = self._steps[part[0]]
            attempt = self._tries[part]
            fated = step.fated_part in (0, part[1]) and attempt < len(step.fates)
            fate = step.fates[attempt] if fated else WELL
            self._tries[part] += 1
            if fate.answer is Answer.UNHEARD:
                continue
            if (status := STATUSES.get(fate.answer)) is not None:
                if fate.answer is not Answer.THROTTLED:
                    self.refused.add(part)
                answer = SubmitSmResp(pdu.sequence_number, status, b"")
                self._later(fate.answer_ms, session.answer, [answer])
            else:
                self._take(session, pdu, part, fate)

    def _take(self, session: ServerSession, pdu: SubmitSm, part: Part, fate: Fate) -> None:
        taken = Taken(part, f"{len(self.taken) + 1:x}", fate.state)
        self.taken.append(taken)
        self.accepted[part] += 1
        if fate.state:
            for _ in range(fate.told):
                self._later(fate.receipt_ms, self._tell, taken)
        if fate.answer is Answer.CUT:
            self._loop.call_soon(session.protocol.abort, "as the schedule says")
        elif fate.answer is Answer.OK:
            self._later(fate.answer_ms, self._answer, session, pdu, taken)

    def _answer(self, session: ServerSession, pdu: SubmitSm, taken: Taken) -> None:
        taken.answered = session in self._sessions
        session.answer([SubmitSmResp(pdu.sequence_number, 0, taken.carrier_id.encode())])

    def _later(self, milliseconds: int, say: Callable[..., None], *arguments: object) -> None:
        self._loop.call_later(milliseconds / 1000, say, *arguments)

    # --- receipts --------------------------------------------------------------------------------

    def _tell(self, taken: Taken) -> None:
        self._due.append(taken)
        self._pump()

    def _pump(self) -> None:
        while self._due and self._sessions:
            session = self._sessions[-1]
            batch: list[tuple[DeliverSm, object]] = [
                (receipt(taken), taken) for taken in self._due[: session.free_slots]
            ]
            sent = session.deliver(batch) if batch else 0
            del self._due[:sent]
            if not sent:
                return


def part_of(pdu: SubmitSm) -> Part:
    """Of which message it is which part."""
    _, part, _, _ = concatenation_of(pdu, pdu.short_message)
    return int(pdu.destination_addr.decode()[2:]) - NUMBER_FIRST, part


def address(number: int) -> str:
    """The recipient of the message with this number."""
    return f"+86{NUMBER_FIRST + number}"


def receipt(taken: Taken) -> DeliverSm:
    """As SMPP 3.4 has it in appendix B."""
    delivered = int(taken.state == "DELIVRD")
    text = (
        f"id:{taken.carrier_id} sub:001 dlvrd:{delivered:03} submit date:2611300000 "
        f"done date:2611300000 stat:{taken.state} err:000 text:"
    )
    return DeliverSm(
        0,
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=address(taken.part[0])[1:].encode(),
        destination_addr=b"SHOP",
        esm_class=vocabulary.ESM_CLASS_DELIVERY_RECEIPT,
        short_message=text.encode(),
    )
