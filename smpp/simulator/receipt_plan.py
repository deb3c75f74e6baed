"""Owns which receipts a message gets, and when: the final one, those on the way to it, duplicates,
early ones, the wrong order. Must not send them: deliveries does.
"""

from __future__ import annotations

import msgspec

from smpp import vocabulary
from smpp.events import MessageRequest
from smpp.pdu import ShortMessage
from smpp.simulator.deliveries import Deliveries
from smpp.simulator.fates import Fate, intermediate_fate
from smpp.simulator.outcomes import Chance
from smpp.simulator.profile import Profile
from smpp.simulator.receipts import TEXT_OCTETS_MAX, Receipt, wants_receipt

INTERMEDIATE_REQUESTED = 0x10  # registered_delivery, SMPP 3.4 section 5.2.17
INTERMEDIATE_NOTIFICATION = 0x20  # esm_class, SMPP 3.4 section 5.2.12


class ReceiptPlan:
    """Plans with the profile's shares and the simulator's one generator."""

    def __init__(self, profile: Profile, chance: Chance, deliveries: Deliveries) -> None:
        self._profile = profile
        self._chance = chance
        self._deliveries = deliveries

    def plan(
        self,
        system_id: str,
        pdu: MessageRequest,
        receipt_id: bytes,
        fate: Fate,
        submit_date: bytes,
        now: float,
    ) -> Receipt | None:
        """Onto the timetable; a receipt to be sent before its answer is given back instead."""
        final_wanted = wants_receipt(pdu.registered_delivery, fate)
        states = self._intermediate_states(pdu, fate)
        if not (final_wanted or states):
            return None
        receipt = self._receipt(system_id, pdu, receipt_id, fate, submit_date)
        delay = self._delay(fate)
        final_at = now + delay
        if states:
            step = delay / (len(states) + 1)
            moments = [now + step * (number + 1) for number in range(len(states) + 1)]
            reordered = self._chance.happens(self._profile.receipts_reordered_share)
            final_at = moments.pop(0 if reordered else -1)
            for state, moment in zip(states, moments, strict=True):
                self._deliveries.take_on(self._on_the_way(receipt, pdu, state), moment)
        return self._plan_final(receipt, final_at, now) if final_wanted else None

    def _plan_final(self, receipt: Receipt, final_at: float, now: float) -> Receipt | None:
        chance = self._chance
        if chance.happens(self._profile.receipts_duplicated_share):
            again = msgspec.structs.replace(receipt)
            self._deliveries.take_on(again, now + self._delay(receipt.fate))
        if chance.happens(self._profile.receipts_early_share):
            return receipt
        self._deliveries.take_on(receipt, final_at)
        return None

    def _delay(self, fate: Fate) -> float:
        """From the submit: a receipt that is not "early" is never due before its answer."""
        if fate.receipt_after is not None:
            return self._chance.latency_max + fate.receipt_after
        return self._chance.latency_max + self._chance.receipt_delay()

    def _intermediate_states(self, pdu: MessageRequest, fate: Fate) -> tuple[str, ...]:
        profile = self._profile
        states: tuple[str, ...] = profile.intermediate_states
        if fate.intermediate is not None:
            states = fate.intermediate
        elif states and not self._chance.happens(profile.intermediate_share):
            return ()
        final = pdu.registered_delivery & 0x03 == vocabulary.REGISTERED_DELIVERY_FINAL
        return states if final or pdu.registered_delivery & INTERMEDIATE_REQUESTED else ()

    @staticmethod
    def _on_the_way(receipt: Receipt, pdu: MessageRequest, state: str) -> Receipt:
        asked = pdu.registered_delivery & INTERMEDIATE_REQUESTED
        return msgspec.structs.replace(
            receipt,
            fate=intermediate_fate(state),
            esm_class=INTERMEDIATE_NOTIFICATION if asked else receipt.esm_class,
        )

    def _receipt(
        self, system_id: str, pdu: MessageRequest, receipt_id: bytes, fate: Fate, date: bytes
    ) -> Receipt:
        text = b""
        if isinstance(pdu, ShortMessage) and pdu.data_coding == 0 and pdu.esm_class == 0:
            text = pdu.short_message[:TEXT_OCTETS_MAX]
        return Receipt(
            system_id,
            receipt_id,
            source_addr_ton=pdu.source_addr_ton,
            source_addr_npi=pdu.source_addr_npi,
            source_addr=pdu.source_addr,
            dest_addr_ton=pdu.dest_addr_ton,
            dest_addr_npi=pdu.dest_addr_npi,
            destination_addr=pdu.destination_addr,
            text=text,
            fate=fate,
            submit_date=date,
            with_tlvs=self._profile.receipt_tlvs,
            with_text=self._profile.receipt_text,
            oddity=self._chance.oddity(),
        )
