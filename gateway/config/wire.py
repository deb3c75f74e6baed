"""From a connector's settings to what the encoder is given.

Owns that translation, and the words for settings that contradict each other. Must not know who
encodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from dispatch.answers.receipt_reading import ReceiptManners
from dispatch.wire.wire_profile import SubmitFields, WireProfile
from dlr.codes import Codes
from dlr.id_rewrite import IdRewrite
from dlr.reasons import reason_from_label
from dlr.receipt import NO_STATES
from dlr.status import Status, status_of
from gateway.config.carrier_settings import AlphabetName, TlvSettings, TonNpiSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.shape import ConfigError
from smpp.addresses import AddressKind, AddressSettings
from smpp.custom_tlvs import CustomTlv, custom_tlvs
from smpp.encoding import TextSettings
from smpp.tlv import Tlvs
from storage.categories import Category

# esm_class bits 1 and 0 (SMPP 3.4 section 5.2.12).
_MESSAGE_MODES = MappingProxyType({"default": 0x00, "store_and_forward": 0x03})


def wire_faults(connector: ConnectorSettings, path: str) -> Iterator[str]:
    """Why the two below cannot be made: the fault of each, not only the first one's."""
    for make in (_text_settings, _address_settings, _own_tlvs, wire_profile, receipt_manners):
        try:
            make(connector, path)
        except ConfigError as error:
            yield from error.faults


def wire_profile(connector: ConnectorSettings, path: str) -> WireProfile:
    """What this carrier wants of all that is sent. Raises ConfigError that begins with `path`."""
    return WireProfile(
        text=_text_settings(connector, path),
        addresses=_address_settings(connector, path),
        tlvs=_tlvs(connector.tlvs, path),
        fields=submit_fields(connector),
    )


def submit_fields(connector: ConnectorSettings) -> SubmitFields:
    """The fields that no message states itself."""
    flags = connector.priority_flag
    return SubmitFields(
        service_type=connector.service_type.encode("ascii"),
        esm_class=_MESSAGE_MODES[connector.message_mode],
        protocol_id=connector.protocol_id,
        priority_flags=tuple(getattr(flags, category.label) for category in Category),
        registered_delivery=connector.registered_delivery,
        validity=connector.validity_period,
    )


def receipt_manners(connector: ConnectorSettings, path: str) -> ReceiptManners:
    """How this carrier writes receipts. Raises ConfigError that begins with `path`."""
    base = connector.receipt_id_base
    rewrite = None
    if connector.id_rewrite is not None:
        try:
            rewrite = IdRewrite(connector.id_rewrite.pattern, connector.id_rewrite.replacement)
        except ValueError as error:
            raise ConfigError(f"{path}.id_rewrite: {error}") from None
    return ReceiptManners(
        response_base=connector.response_id_base,
        receipt_base=None if base == "auto" else base,
        rewrite=rewrite,
        text_id_first=connector.receipt_id_first == "text",
        without_esm_class=connector.receipts_without_esm_class,
        codes=codes_of_connector(connector, path),
        states=_receipt_states(connector.receipt_states, f"{path}.receipt_states"),
        text=_text_settings(connector, path),
        country_code=connector.inbound_country_code,
        zone=connector.receipt_time_zone.zone,
    )


def codes_of_connector(connector: ConnectorSettings, path: str) -> Codes:
    """What this carrier's codes mean. Raises ConfigError that begins with `path`."""
    own = {code: reason_from_label(label) for code, label in connector.codes.items()}
    try:
        return Codes(connector.code_table, own)
    except ValueError as error:
        raise ConfigError(f"{path}.codes: {error}") from None


def _receipt_states(words: Mapping[str, str], path: str) -> Mapping[str, Status]:
    if not words:
        return NO_STATES
    states: dict[str, Status] = {}
    for word, label in words.items():
        if states.setdefault(word.upper(), status_of(label)) is not status_of(label):
            raise ConfigError(f"{path}: {word} means two things, since case makes no difference")
    return MappingProxyType(states)


def _text_settings(connector: ConnectorSettings, path: str) -> TextSettings:
    numbers: dict[AlphabetName, int | None] = msgspec.to_builtins(connector.data_codings)
    try:
        return TextSettings(
            default_alphabet=connector.default_alphabet,
            alphabets=connector.alphabets,
            data_codings={name: number for name, number in numbers.items() if number is not None},
            segmentation=connector.segmentation,
            smart_replacement=connector.smart_replacement,
            inbound_packed=connector.inbound_gsm7 == "packed",
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _address_settings(connector: ConnectorSettings, path: str) -> AddressSettings:
    try:
        return AddressSettings(
            source=_overrides(connector.source_ton_npi),
            destination=_overrides(connector.destination_ton_npi),
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _overrides(settings: TonNpiSettings) -> dict[AddressKind | Literal["any"], tuple[int, int]]:
    wanted: dict[AddressKind | Literal["any"], list[int] | None] = msgspec.to_builtins(settings)
    return {kind: (pair[0], pair[1]) for kind, pair in wanted.items() if pair is not None}


def _own_tlvs(connector: ConnectorSettings, path: str) -> Tlvs:
    return _tlvs(connector.tlvs, path)


def _tlvs(settings: tuple[TlvSettings, ...], path: str) -> Tlvs:
    wanted = [CustomTlv(**msgspec.structs.asdict(each)) for each in settings]
    faults: list[str] = []
    for index, each in enumerate(wanted):
        try:
            each.value()
        except ValueError as error:
            faults.append(f"{path}.tlvs[{index}]: {error}")
    if faults:
        raise ConfigError(*faults)
    try:
        return custom_tlvs(wanted)
    except ValueError as error:
        raise ConfigError(f"{path}.tlvs: {error}") from None
