"""Owns the table of what may happen to an SMPP session, and in which state (SMPP 3.4 section 2.2).

Must not act: session_machine does. It does not know which side it is told about, except where a
side is told which direction its messages go. ``python -m smpp.session_states`` draws the table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from smpp import vocabulary
from smpp.pdu import DataSm, DeliverSm, Pdu, SubmitSm


class Role(Enum):
    """Which end of the session this is."""

    ESME = auto()
    SMSC = auto()


class State(Enum):
    """SMPP 3.4 section 2.2, with the drain before the end as a state of its own."""

    OPEN = auto()
    BOUND_TX = auto()
    BOUND_RX = auto()
    BOUND_TRX = auto()
    UNBINDING = auto()
    CLOSED = auto()


class Step(Enum):
    """What may happen to a session; SUBMIT and DELIVER name the direction of a message."""

    BIND_TX = auto()
    BIND_RX = auto()
    BIND_TRX = auto()
    SUBMIT = auto()
    DELIVER = auto()
    UNBIND = auto()
    CLOSE = auto()


# The whole behaviour: a step that its state does not list is refused with ESME_RINVBNDSTS.
TRANSITIONS: Final[Mapping[State, Mapping[Step, State]]] = MappingProxyType(
    {
        State.OPEN: {
            Step.BIND_TX: State.BOUND_TX,
            Step.BIND_RX: State.BOUND_RX,
            Step.BIND_TRX: State.BOUND_TRX,
            Step.CLOSE: State.CLOSED,
        },
        State.BOUND_TX: {
            Step.SUBMIT: State.BOUND_TX,
            Step.UNBIND: State.UNBINDING,
            Step.CLOSE: State.CLOSED,
        },
        State.BOUND_RX: {
            Step.DELIVER: State.BOUND_RX,
            Step.UNBIND: State.UNBINDING,
            Step.CLOSE: State.CLOSED,
        },
        State.BOUND_TRX: {
            Step.SUBMIT: State.BOUND_TRX,
            Step.DELIVER: State.BOUND_TRX,
            Step.UNBIND: State.UNBINDING,
            Step.CLOSE: State.CLOSED,
        },
        # Draining: what the peer still sends is taken, nothing new of ours goes out.
        State.UNBINDING: {
            Step.SUBMIT: State.UNBINDING,
            Step.DELIVER: State.UNBINDING,
            Step.CLOSE: State.CLOSED,
        },
        State.CLOSED: {},
    }
)

BIND_STEPS: Final[Mapping[int, Step]] = MappingProxyType(
    {
        vocabulary.BIND_TRANSMITTER: Step.BIND_TX,
        vocabulary.BIND_RECEIVER: Step.BIND_RX,
        vocabulary.BIND_TRANSCEIVER: Step.BIND_TRX,
    }
)

# Per role: the step that our own messages are, the step that the peer's are, and their types.
OUTWARD: Final = MappingProxyType({Role.ESME: Step.SUBMIT, Role.SMSC: Step.DELIVER})
INWARD: Final = MappingProxyType({Role.ESME: Step.DELIVER, Role.SMSC: Step.SUBMIT})
INWARD_TYPES: Final[Mapping[Role, frozenset[type[Pdu]]]] = MappingProxyType(
    {Role.ESME: frozenset({DeliverSm, DataSm}), Role.SMSC: frozenset({SubmitSm, DataSm})}
)
NO_TYPES: Final[frozenset[type[Pdu]]] = frozenset()
# Where an ESME takes messages although the table gives the carrier no leave to send them: receipts
# come on the transmitter of some carriers (E97). What comes before the bind_resp waits for it.
TAKEN_ALL_THE_SAME: Final[Mapping[Role, frozenset[State]]] = MappingProxyType(
    {Role.ESME: frozenset({State.OPEN, State.BOUND_TX}), Role.SMSC: frozenset()}
)
EARLY_MAX: Final = 100  # messages that wait for the bind_resp; the carrier keeps what is more


def mermaid() -> str:
    """TRANSITIONS as a Mermaid state diagram; steps between the same two states share an arrow."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.OPEN.name}"]
    for state, row in TRANSITIONS.items():
        steps: dict[State, list[str]] = {}
        for step, target in row.items():
            steps.setdefault(target, []).append(step.name)
        lines += [
            f"    {state.name} --> {target.name}: {', '.join(names)}"
            for target, names in steps.items()
        ]
        if not row:
            lines.append(f"    {state.name} --> [*]")
    return "\n".join(lines)


def document() -> str:
    """docs/smpp-session.md as a whole: ``python -m smpp.session_states`` writes it out."""
    return f"""# The states of an SMPP session

Both ends of a session follow this table, `TRANSITIONS` in `smpp/session_states.py`. SUBMIT and
DELIVER are messages to and from the carrier. A step that a state does not list is refused with
ESME_RINVBNDSTS, whichever side asks for it. While UNBINDING, what the peer still sends is taken and
nothing new goes out; CLOSED is the end, a lost connection leads there from everywhere.

An ESME is strict in what it sends and generous in what it reads. It takes messages on a session
that is BOUND_TX, too, and counts them. What comes while OPEN, before the bind_resp, is taken once
the session is bound, up to {EARLY_MAX}. More is answered ESME_RX_T_APPN, so the carrier keeps it.

```mermaid
{mermaid()}
```

This file is the output of `python -m smpp.session_states`.
"""


if __name__ == "__main__":
    sys.stdout.write(document())
