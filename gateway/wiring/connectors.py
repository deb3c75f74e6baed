"""From the configuration of a connector to its running dispatch.

Owns the wiring of one connector: settings, ready queue, pace, decisions, intake and bind pool. Must
not decide anything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

import msgspec

from dispatch.answers.carrier_queries import CarrierQueries
from dispatch.answers.doubt import OutcomePolicy
from dispatch.answers.message_references import MessageReferences
from dispatch.answers.outcomes import Elsewhere, Outcomes
from dispatch.answers.receipt_intake import ReceiptIntake
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.answers.recorder import Recorder
from dispatch.answers.unfit_settings import UnfitSettings
from dispatch.clock import Clock
from dispatch.inbound.service import InboundService
from dispatch.message import ReadyMessage
from dispatch.queue.batch_pace import BatchPace
from dispatch.queue.pace import JITTER_PERCENT, Pace
from dispatch.queue.ready_queue import ReadyQueue
from dispatch.wire.connector_dispatch import ConnectorDispatch
from dispatch.wire.intents import IntentWriter
from dlr.codes import CodesOfConnectors
from dlr.connector_groups import ConnectorGroups
from dlr.id_learning import IdLearner
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.settings import LimitSettings
from gateway.config.wire import codes_of_connector, receipt_manners, submit_fields, wire_profile
from ratelimit.spec import RateSpec
from smpp.bind_pool import BindPool
from smpp.bind_settings import BindSettings
from smpp.encoding import TextSettings
from smpp.tls import TlsSettings
from smpp.vocabulary import INTERFACE_VERSION_3_4, status_name
from storage.ids import IdSource

# For a connector without a rate, this many windows count as `ready_seconds` of work.
WINDOWS_READY = 20
# A message in memory takes some 700 octets. Beyond this it may as well wait in the outbox.
READY_PARTS_MAX = 50_000


_INTERFACE_VERSIONS = MappingProxyType({"3.3": 0x33, "3.4": INTERFACE_VERSION_3_4, "5.0": 0x50})
STOPPED = "rate 0"
PAUSED = "paused"


class Wiring(msgspec.Struct):
    """What every connector shares."""

    ids: IdSource
    intents: IntentWriter
    recorder: Recorder
    inbound: InboundService
    clock: Clock
    limits: LimitSettings
    policy: OutcomePolicy
    elsewhere: Elsewhere
    batches: BatchPace
    down: set[str]
    learners: dict[str, IdLearner] = msgspec.field(default_factory=dict)  # by receipt_group
    references: dict[str, MessageReferences] = msgspec.field(default_factory=dict)  # as well


def build_all(
    every: Iterable[ConnectorSettings], numbers: Mapping[str, int], wiring: Wiring
) -> dict[int, ConnectorDispatch]:
    """Each under its number, not yet started."""
    return {numbers[each.name]: build(each, numbers[each.name], wiring) for each in every}


def build(settings: ConnectorSettings, connector: int, wiring: Wiring) -> ConnectorDispatch:
    """One connector, not yet started."""
    now_ns = wiring.clock.monotonic_ns()
    rate = None if settings.rate is None else settings.rate.spec
    learner = IdLearner()
    if settings.receipt_group is not None:
        learner = wiring.learners.setdefault(settings.receipt_group, learner)
    profile = wire_profile(settings, settings.name)
    reader = ReceiptReader(
        connector,
        receipt_manners(settings, settings.name),
        learner=learner,
        references=references_of(None, settings, wiring),
        indexes=wiring.inbound.indexes,
    )
    intake = ReceiptIntake(
        wiring.recorder,
        reader=reader,
        wall_ms=wiring.clock.wall_ms,
        messages=wiring.inbound.intake(
            connector, settings.inbound_country_code, profile.text, settings.name
        ),
    )
    intake.keep_raw(settings.keep_raw)
    return ConnectorDispatch(
        settings.name,
        connector,
        ready=ReadyQueue[ReadyMessage](ready_parts(settings, rate, wiring.limits)),
        pace=Pace(
            rate,
            now_ns,
            jitter_percent=lambda: _jitter(wiring.clock),
        ),
        profile=profile,
        outcomes=_outcomes(settings, connector, reader, wiring),
        batches=wiring.batches,
        intake=intake,
        intents=wiring.intents,
        recorder=wiring.recorder,
        ids=wiring.ids,
        clock=wiring.clock,
        down=wiring.down,
        stopped=wiring.inbound.stopped,
        queries=_queries(settings, connector, wiring),
    )


def _outcomes(
    settings: ConnectorSettings, connector: int, reader: ReceiptReader, wiring: Wiring
) -> Outcomes:
    return Outcomes(
        connector,
        policy=wiring.policy,
        ids=wiring.ids,
        normalise=reader.answer_id,
        status_name=status_name,
        unfit=UnfitSettings(settings.name),
        elsewhere=wiring.elsewhere,
        ahead_ms=wiring.clock.ahead_ms,
    )


def _queries(settings: ConnectorSettings, connector: int, wiring: Wiring) -> CarrierQueries | None:
    """The queries to this carrier. None: it is not asked.

    A part gets its id when it is written, and its row with the answer. So the time that may pass
    between is waited for as well.
    """
    if settings.query_after_seconds is None:
        return None
    return CarrierQueries(
        settings.name,
        connector,
        wiring.recorder,
        wait_seconds=settings.query_after_seconds + settings.response_timeout_seconds,
        addresses=wire_profile(settings, settings.name).addresses,
        codes=codes_of_connector(settings, settings.name),
        zone=settings.receipt_time_zone.zone,
        wall_ms=wiring.clock.wall_ms,
    )


def follow(
    dispatch: ConnectorDispatch,
    settings: ConnectorSettings,
    manners: ReceiptManners,
    wiring: Wiring,
) -> None:
    """Change how submit_sm is written, receipts are read, queries asked and messages from handsets
    taken.
    """
    dispatch.profile.fields = submit_fields(settings)
    dispatch.outcomes.unfit.forget()
    dispatch.intake.keep_raw(settings.keep_raw)
    reader = dispatch.intake.reader
    reader.references = references_of(reader.references, settings, wiring)
    reader.follow(manners, learner_of(reader, settings, manners, wiring.learners))
    queries = _queries(settings, dispatch.connector, wiring)
    if queries is not None and dispatch.queries is not None:
        dispatch.queries.wait_seconds = queries.wait_seconds
        dispatch.queries.codes = queries.codes
        dispatch.queries.zone = queries.zone
    else:
        dispatch.queries = queries
    if dispatch.intake.messages is not None:
        dispatch.intake.messages.country_code = settings.inbound_country_code
        dispatch.intake.messages.text = manners.text


def references_of(
    own: MessageReferences | None, settings: ConnectorSettings, wiring: Wiring
) -> MessageReferences | None:
    """The group's references where receipts may come on another connector, else the connector's
    own.

    None: its submits carry no reference.
    """
    if not settings.user_message_reference:
        return None
    if settings.receipt_group is not None:
        first = own or MessageReferences(first=wiring.ids.next())
        return wiring.references.setdefault(settings.receipt_group, first)
    if own is None or own in wiring.references.values():
        return MessageReferences(first=wiring.ids.next())
    return own


def learner_of(
    reader: ReceiptReader,
    settings: ConnectorSettings,
    manners: ReceiptManners,
    shared: dict[str, IdLearner],
) -> IdLearner:
    """The group's learner. Else the connector's own, unless that has learned about other ids."""
    if settings.receipt_group is not None:
        return shared.setdefault(settings.receipt_group, IdLearner())
    own = reader.learner
    if own is None or own in shared.values() or manners.of_ids() != reader.manners.of_ids():
        return IdLearner()
    return own


def groups_of(
    connectors: Iterable[ConnectorSettings], numbers: Mapping[str, int]
) -> ConnectorGroups:
    """Which connectors are one carrier, and which report on whole messages."""
    settings = tuple(connectors)
    return ConnectorGroups(
        ((numbers[each.name], each.receipt_group) for each in settings),
        receipts_per_message=(
            numbers[each.name] for each in settings if each.receipts_per == "message"
        ),
    )


def codes_of(
    connectors: Iterable[ConnectorSettings], numbers: Mapping[str, int]
) -> CodesOfConnectors:
    """Which tables their codes are looked up in."""
    return CodesOfConnectors(
        (numbers[each.name], codes_of_connector(each, each.name)) for each in connectors
    )


def _jitter(clock: Clock) -> int:
    """The last digits of a nanosecond clock are as good as any dice."""
    return clock.monotonic_ns() % (2 * JITTER_PERCENT + 1) - JITTER_PERCENT


def texts_of(dispatches: Mapping[int, ConnectorDispatch]) -> Callable[[int], TextSettings]:
    """How the connector with this number takes texts. The usual way for one that is not there."""
    usual = TextSettings()

    def texts(connector: int) -> TextSettings:
        dispatch = dispatches.get(connector)
        return usual if dispatch is None else dispatch.profile.text

    return texts


def texts_differ(dispatches: Mapping[int, ConnectorDispatch]) -> bool:
    """Whether one connector may make other parts of a text than another."""
    texts = [dispatch.profile.text for dispatch in dispatches.values()]
    return any(each != texts[0] for each in texts)


def ready_parts(settings: ConnectorSettings, rate: RateSpec | None, limits: LimitSettings) -> int:
    """How many parts wait in memory: `ready_seconds` of work, at least two windows, bounded."""
    windows = settings.window * settings.binds
    if rate is None:
        return min(READY_PARTS_MAX, windows * WINDOWS_READY)
    return min(READY_PARTS_MAX, max(int(rate.per_second * limits.ready_seconds), 2 * windows))


def set_rate(
    dispatch: ConnectorDispatch, settings: ConnectorSettings, rate: RateSpec | None, wiring: Wiring
) -> None:
    """Follow this rate from now on. 0 is a stop: then others of the route may take over."""
    dispatch.pace.set_rate(rate, wiring.clock.monotonic_ns())
    dispatch.ready.resize(ready_parts(settings, rate, wiring.limits))
    if rate is not None and rate.paused:
        dispatch.withhold(STOPPED)
    else:
        dispatch.release(STOPPED)


def start(dispatch: ConnectorDispatch, settings: ConnectorSettings) -> None:
    """Start to bind. Raises TlsError, one line, for a certificate or key that cannot be used."""
    if settings.rate is not None and settings.rate.spec.paused:
        dispatch.withhold(STOPPED)
    dispatch.start(pool(dispatch, settings))


def pool(dispatch: ConnectorDispatch, settings: ConnectorSettings) -> BindPool:
    """The binds of a connector, not yet started. Raises TlsError."""
    receiver = (settings.receiver_host or settings.host, settings.receiver_port or settings.port)
    made = bind_settings(settings)
    return BindPool(settings.name, made, settings.binds, dispatch, receiver=receiver)


def bind_settings(settings: ConnectorSettings) -> BindSettings:
    """What a bind of this connector is made of."""
    ton, npi = settings.bind_ton_npi or (0, 0)
    return BindSettings(
        host=settings.host,
        port=settings.port,
        system_id=settings.system_id,
        password=settings.password,
        system_type=settings.system_type,
        interface_version=_INTERFACE_VERSIONS[settings.interface_version],
        addr_ton=ton,
        addr_npi=npi,
        address_range=settings.address_range,
        bind=settings.bind,
        window=settings.window,
        enquire_link_seconds=settings.enquire_link_seconds,
        response_timeout_seconds=settings.response_timeout_seconds,
        bind_timeout_seconds=settings.bind_timeout_seconds,
        reconnect_seconds_min=settings.reconnect_seconds_min,
        reconnect_seconds_max=settings.reconnect_seconds_max,
        tls=tls_settings(settings),
    )


def tls_settings(settings: ConnectorSettings) -> TlsSettings | None:
    """How TLS is spoken to this carrier; None: it is not."""
    if not settings.tls:
        return None
    return TlsSettings(
        ca_file=settings.tls_ca_file,
        server_name=settings.tls_server_name,
        certificate_file=settings.tls_certificate_file,
        key_file=settings.tls_key_file,
        verify=settings.tls_verify,
    )
