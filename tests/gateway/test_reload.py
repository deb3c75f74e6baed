"""What a change of the configuration comes to, connector by connector."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import msgspec
import pytest

from dispatch.answers.receipt_reading import ReceiptReader
from dispatch.breakers.scopes import Scope
from dispatch.breakers.service import Breakers
from dlr.id_learning import IdLearner
from gateway import reload
from gateway.config.account_settings import AccountSettings
from gateway.config.breaker_settings import BreakerSettings
from gateway.config.connector_settings import ConnectorSettings
from gateway.config.policy_settings import QuietHoursSettings
from gateway.config.settings import AcceptSettings, Config, LimitSettings, LogSettings
from gateway.config.values import Rate
from gateway.config.wire import receipt_manners
from gateway.live_settings import KEYS, SECTIONS, effective
from gateway.reload import LIVE, REBOUND, Reloader, connector_changes, names_of
from gateway.wiring import breakers
from gateway.wiring.connectors import learner_of
from web.services import ReloadBusy, Reloaded

if TYPE_CHECKING:
    from gateway.rooms import Rooms

A = ConnectorSettings(name="a", host="h", system_id="s")
B = ConnectorSettings(name="b", host="h", system_id="s")


def changed(**keys: object) -> ConnectorSettings:
    return msgspec.structs.replace(A, **keys)


def test_what_did_not_change_is_left_alone() -> None:
    changes = connector_changes([A, B], [B, A])
    assert changes.effective == [B, A]
    changes.effective.clear()
    assert msgspec.structs.astuple(changes) == tuple([] for _ in changes.__struct_fields__)


def test_a_connector_comes_and_another_goes() -> None:
    changes = connector_changes([A], [B])
    assert (changes.added, changes.removed) == ([B], ["a"])


@pytest.mark.parametrize(
    "keys",
    [
        {"rate": Rate("5/s")},
        {"window": 7},
        {"receipt_id_base": "hex"},
        {"code_table": "map"},
        {"receipts_per": "message"},
        {"validity_period": "none", "service_type": "CMT"},
        {"inbound_gsm7": "packed"},
    ],
)
def test_pace_and_the_reading_of_receipts_touch_no_bind(keys: dict[str, object]) -> None:
    changes = connector_changes([A], [changed(**keys)])
    assert (changes.adjusted, changes.rebound, changes.restart) == ([changed(**keys)], [], [])


def test_e96_words_are_explained_without_a_new_bind_or_learning_ids_anew() -> None:
    explained = changed(receipt_states={"NOROUTE": "undelivered"})
    assert connector_changes([A], [explained]).adjusted == [explained]
    reader = ReceiptReader(1, receipt_manners(A, "a"))
    learned = reader.learner
    assert learned is not None
    assert learner_of(reader, explained, receipt_manners(explained, "a"), {}) is learned


@pytest.mark.parametrize(
    "keys",
    [
        {"host": "x"},
        {"password": "p", "window": 7},
        {"binds": 3},
        {"address_range": "^86", "bind_ton_npi": (1, 1)},
        {"receiver_port": 2776},
    ],
)
def test_what_the_binds_are_made_of_replaces_them(keys: dict[str, object]) -> None:
    changes = connector_changes([A], [changed(**keys)])
    assert (changes.adjusted, changes.rebound) == ([], [changed(**keys)])


def test_the_rest_waits_for_a_restart_and_keeps_its_value_until_then() -> None:
    changes = connector_changes([A], [changed(segmentation="sar", window=7)])
    assert changes.restart == ["connectors.a.segmentation"]
    assert changes.effective == changes.adjusted == [changed(window=7)]


def test_every_key_named_here_exists() -> None:
    assert {*LIVE, *REBOUND} <= set(ConnectorSettings.__struct_fields__)
    assert set(Config.__struct_fields__) >= {*SECTIONS, *KEYS}
    for section, keys in KEYS.items():
        assert keys <= set(getattr(Config(), section).__struct_fields__)


def test_all_connectors_about_which_something_is_done_are_named() -> None:
    other = [msgspec.structs.replace(B, name=name) for name in ("gone", "slow", "moved", "same")]
    new = [
        B,
        msgspec.structs.replace(other[1], window=7),
        msgspec.structs.replace(other[2], host="x"),
        other[3],
    ]
    assert names_of(connector_changes(other, new)) == {"b", "gone", "slow", "moved"}


def test_what_cannot_follow_keeps_its_value_and_is_named() -> None:
    old = Config()
    new = Config(
        limits=LimitSettings(message_parts_max=3, ready_seconds=9),
        accept=AcceptSettings(shed_above_percent=10, waiting_max=200),
        quiet_hours=QuietHoursSettings(action="reject"),
        accounts=(AccountSettings(name="shop", refuse_landlines=True),),
        breakers=BreakerSettings(connector=True),
        logs=LogSettings(level="debug", form="json"),
    )
    held, restart = effective(old, new, [A])
    assert restart == ["logs.form", "accept.waiting_max", "limits.ready_seconds"]
    assert held == Config(
        limits=LimitSettings(message_parts_max=3),
        accept=AcceptSettings(shed_above_percent=10),
        quiet_hours=new.quiet_hours,
        accounts=new.accounts,
        breakers=new.breakers,
        logs=LogSettings(level="debug"),
        connectors=(A,),
    )


def test_a_reader_learns_anew_what_it_cannot_know_any_more() -> None:
    manners = receipt_manners(changed(), "a")
    shared: dict[str, IdLearner] = {}
    reader = ReceiptReader(1, manners)

    def follow(**keys: object) -> IdLearner | None:
        settings = changed(**keys)
        now = receipt_manners(settings, "a")
        reader.follow(now, learner_of(reader, settings, now, shared))
        return reader.learner

    own = reader.learner
    assert follow(window=7) is own
    grouped = follow(receipt_group="one")
    assert (grouped, reader.answer_id(b"1F")) == (shared["one"], "1F")
    alone = follow()
    assert alone not in (own, grouped)
    assert follow(receipt_id_base="hex", response_id_base="hex") is None
    assert reader.answer_id(b"1F") == "31"
    assert follow() not in (None, alone)


async def test_a_signal_that_meets_an_unfinished_reload_waits_for_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Signals while one waits already ask for nothing more; one after it was begun does."""
    reloader = Reloader(cast("Rooms", None), Config)
    monkeypatch.setattr(reload, "BUSY_SECONDS", 0.0)
    begun: list[str] = []
    free = asyncio.Event()

    async def one(self: Reloader) -> Reloaded:
        begun.append("busy" if not free.is_set() else "done")
        if not free.is_set():
            raise ReloadBusy("a connector is still being changed")
        return Reloaded(added=[], removed=[], adjusted=[], rebinding=[], restart_needed=[])

    monkeypatch.setattr(Reloader, "reload", one)
    for _ in range(3):
        reloader.soon()
    while begun.count("busy") < 3:
        await asyncio.sleep(0)
    free.set()
    while "done" not in begun:
        await asyncio.sleep(0)
    reloader.soon()
    while begun.count("done") < 2:
        await asyncio.sleep(0)
    assert begun.count("done") == 2


async def test_a_signal_during_a_stop_begins_no_reload_and_one_that_waits_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it set free would reach for a term that is released, and the stop end as a failure."""
    reloader = Reloader(cast("Rooms", None), Config)
    begun: list[str] = []

    async def busy(self: Reloader, allow_removals: bool) -> Reloaded:
        begun.append("begun")
        raise ReloadBusy("a connector is still being changed")

    monkeypatch.setattr(Reloader, "_reload", busy)
    reloader.soon()
    while not begun:
        await asyncio.sleep(0)
    await reloader.stop()
    assert [task for task in asyncio.all_tasks() if task.get_name() == "reload"] == []
    reloader.soon()
    with pytest.raises(ReloadBusy, match="stopping"):
        await reloader.reload()
    assert begun == ["begun"]


def test_breakers_follow_a_reload() -> None:
    followed: list[tuple[list[Scope], bool]] = []

    class Recorder:
        def follow(self, by_itself: list[Scope], *, otp: bool) -> None:
            followed.append((by_itself, otp))

    for settings in (BreakerSettings(), BreakerSettings(sender=True, connector=True, otp=True)):
        breakers.follow(cast("Breakers", Recorder()), settings)
    assert followed == [([], False), ([Scope.SENDER, Scope.CONNECTOR], True)]
