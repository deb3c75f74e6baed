"""Owns which PDU answers which without a message id: binds, refused messages, unreadable bodies.

Must not hold state.
"""

from __future__ import annotations

from collections.abc import Callable

from smpp import vocabulary
from smpp.events import MessageRequest
from smpp.pdu import (
    BindRequest,
    BindResp,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    GenericNack,
    MessageResponse,
    Pdu,
    PduError,
    QuerySm,
    ReplaceSm,
    ShortMessage,
    SubmitMulti,
    SubmitSm,
    SubmitSmResp,
    Unknown,
    refusal_of,
)

Authenticate = Callable[[BindRequest], int]


def refuse_every_bind(_request: BindRequest) -> int:
    """What an ESME says to a bind that arrives at it."""
    return vocabulary.ESME_RINVBNDSTS


def response_to(request: MessageRequest, command_status: int) -> MessageResponse:
    """The response PDU without a message id: for refusals, and for every deliver_sm."""
    if isinstance(request, DeliverSm):
        return DeliverSmResp(request.sequence_number, command_status)
    if isinstance(request, SubmitSm):
        return SubmitSmResp(request.sequence_number, command_status)
    return DataSmResp(request.sequence_number, command_status)


def bind_response(request: BindRequest, command_status: int, system_id: bytes) -> BindResp:
    """The answer to a bind. ``system_id`` is told only to a peer that is bound."""
    return BindResp(
        command_id=request.command_id | vocabulary.RESPONSE_BIT,
        sequence_number=request.sequence_number,
        command_status=command_status,
        system_id=system_id if command_status == vocabulary.ESME_ROK else b"",
    )


def refusal_to(pdu: Pdu) -> Pdu | None:
    """What says no to a request that its session does not take. None for what wants no answer.

    Messages are refused for the state of the session, commands that are not served here for what
    they are. Responses, outbind and alert_notification (4.1.7, 4.12) have no response.
    """
    match pdu:
        case ShortMessage() | DataSm():
            return response_to(pdu, vocabulary.ESME_RINVBNDSTS)
        case QuerySm() | CancelSm() | ReplaceSm() | SubmitMulti():
            return refusal_of(pdu, vocabulary.ESME_RINVCMDID)
        case Unknown() if not vocabulary.is_response(pdu.command_id):
            return GenericNack(pdu.sequence_number, vocabulary.ESME_RINVCMDID)
        case _:
            return None


def answer_to_malformed(error: PduError) -> Pdu | None:
    """The one answer to a body that could not be read (E65); None for a response.

    It is the command's own response where its sender may wait for exactly that. A response that
    cannot be read stays in the window. Whether its message was taken is unknown, and that is what
    its expiry says.
    """
    sequence, status = error.sequence_number, error.command_status
    if vocabulary.is_response(error.command_id):
        return None
    match error.command_id:
        case vocabulary.SUBMIT_SM:
            return SubmitSmResp(sequence, status)
        case vocabulary.DELIVER_SM:
            # "Permanent" tells the carrier not to send the same unreadable PDU for ever.
            return DeliverSmResp(sequence, vocabulary.ESME_RX_P_APPN)
        case vocabulary.DATA_SM:
            return DataSmResp(sequence, status)
        case _:
            return GenericNack(sequence, status)
