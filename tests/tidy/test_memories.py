"""What is remembered by its arguments depends on nothing else: asked in any order, a memory says
what its function says. Each memory of the code has a row here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.contacts import attributes
from campaigns.experiments import planned_looks
from campaigns.templates import profiles, rules_appeal, rules_form, rules_words, values, words
from dispatch.answers import outcomes
from dispatch.answers.receipt_reading import ReceiptManners, ReceiptReader
from dispatch.message import MessageOptions, SendWindow
from dlr import codes, receipt
from dlr.status import Status
from messages import body_faults
from messages.accept import senders
from recipients.numbers import plan
from shortlinks.classify import classify_user_agent
from smpp import addresses, encoding, times
from smpp.encoding import TextSettings
from storage import codecs
from tests.tidy.source import PACKAGES, Source, sources
from web.api.power import PowerQuery
from web.edge import parameters
from web.edge.cursors import PageQuery

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([UTC, BERLIN, timezone(timedelta(hours=8))])
TEXTS = st.sampled_from(["", "STOP", "5 €", "你好", "+8613812345678", "10690001", "a\n"])
SECONDS = st.integers(1, 100) | st.booleans() | st.sampled_from([1.0, 2.0])
SETTINGS = st.sampled_from(
    [
        TextSettings(),
        TextSettings(data_codings={"ucs2": 24}),
        TextSettings(data_codings={"gsm7": 241}),
        TextSettings(smart_replacement=True),
        TextSettings(default_alphabet="latin1"),
    ]
)
MOMENTS = st.builds(  # an hour that Berlin has twice
    lambda minute, zone, fold: datetime(2026, 10, 25, 2, minute, tzinfo=zone, fold=fold),
    st.integers(0, 9),
    ZONES,
    st.integers(0, 1),
)
OUTCOMES = st.tuples(
    st.sampled_from(["DELIVRD", "UNDELIV", "XY:1", ""]),
    st.sampled_from([None, Status.DELIVERED]),
    st.sampled_from([None, 0, 2, 5, 99]),
    st.sampled_from([None, Status.UNDELIVERED]),
    st.sampled_from(["", "000", "001"]),
    st.sampled_from([None, b"\x03\x00\x01"]),
    st.sampled_from(["", "2611292300", "261025023000"]),
    st.booleans(),
    ZONES,
)

TLV_VALUES = st.sampled_from([None, b"", b"\x02", b"\x05", b"\x03\x00\x01"])
REPEATED = ReceiptReader(1, ReceiptManners())._repeated
RESTS = st.sampled_from(
    [b" stat:DELIVRD err:000 text:", b" stat:NOROUTE text:", b" text:", b" id:2 stat:DELIVRD Text:"]
)

# module.function -> what is asked, what answers without a memory, and the arguments.
Memory = tuple[Callable[..., Any], Callable[..., Any], st.SearchStrategy[Any]]
MEMORIES: dict[str, Memory] = {
    **{
        f"campaigns.experiments.planned_looks.{name}": (
            getattr(planned_looks, name),
            getattr(planned_looks, name).__wrapped__,
            st.tuples(st.integers(1, 3), st.sampled_from([0.05, 0.025])),
        )
        for name in ("bounds", "spent", "inflation")
    },
    "smpp.times.absolute_seconds": (
        times.absolute_seconds, times.absolute_seconds.__wrapped__, st.tuples(st.integers(1, 99))
    ),
    "smpp.times.relative_seconds": (
        times.relative_seconds, times.relative_seconds.__wrapped__, st.tuples(st.integers(1, 99))
    ),
    "smpp.addresses._parse_sender": (
        addresses._parse_sender, addresses._parse, st.tuples(TEXTS)
    ),
    "smpp.encoding._one_part": (
        encoding._one_part, encoding._one_part.__wrapped__, st.tuples(TEXTS, SETTINGS)
    ),
    "messages.accept.senders.sender_fault": (
        senders.sender_fault, senders.sender_fault.__wrapped__, st.tuples(TEXTS)
    ),
    "messages.body_faults.nearest": (
        body_faults.nearest,
        body_faults.nearest.__wrapped__,
        st.tuples(TEXTS, st.sampled_from([("to", "text"), ("stop",), ("from",)])),
    ),
    "messages.body_faults._type_info": (
        body_faults._type_info,
        body_faults._type_info.__wrapped__,
        st.tuples(st.sampled_from([SendWindow, MessageOptions])),
    ),
    "recipients.numbers.plan._compiled": (
        plan._compiled, plan._compiled.__wrapped__, st.tuples(st.sampled_from(["+44", "+54"]))
    ),
    "web.edge.parameters._known": (
        parameters._known,
        parameters._known.__wrapped__,
        st.tuples(st.sampled_from([PageQuery, PowerQuery])),
    ),
    "dispatch.answers.outcomes._instant": (
        outcomes._instant, outcomes._instant.__wrapped__, st.tuples(SECONDS)
    ),
    "dlr.receipt._outcome": (receipt._outcome, receipt._outcome.__wrapped__, OUTCOMES),
    "dlr.codes._table": (
        codes._table, codes._table.__wrapped__, st.tuples(st.sampled_from(["none", "map"]))
    ),
    "campaigns.contacts.attributes._zones": (
        attributes._zones, attributes._zones.__wrapped__, st.tuples()
    ),
    "campaigns.templates.words.words": (
        words.words, words.words.__wrapped__, st.tuples(st.sampled_from(["actions", "symbols"]))
    ),
    "campaigns.templates.profiles.profile": (
        profiles.profile,
        profiles.profile.__wrapped__,
        st.tuples(st.sampled_from(["huawei", "qiniu"])),
    ),
    **{
        f"campaigns.templates.{name}": (function, function.__wrapped__, st.tuples())
        for name, function in {
            "profiles.profile_names": profiles.profile_names,
            "values.links": values.links,
            "rules_appeal._amounts": rules_appeal._amounts,
            "rules_form._opt_outs": rules_form._opt_outs,
            "rules_words._forbidden": rules_words._forbidden,
            "rules_words._traditional": rules_words._traditional,
        }.items()
    },
    "storage.codecs._remembered_microseconds": (
        codecs._encode_moment, codecs._microseconds, st.tuples(MOMENTS)
    ),
    "dispatch.answers.receipt_repeats.self._said": (
        REPEATED._said, REPEATED._what_is_said, st.tuples(RESTS, TLV_VALUES, TLV_VALUES)
    ),
    "shortlinks.clicks.self._agent_class": (
        lru_cache(4)(classify_user_agent), classify_user_agent, st.tuples(TEXTS)
    ),
    "shortlinks.reclassify.self._agent_class": (
        lru_cache(4)(classify_user_agent), classify_user_agent, st.tuples(TEXTS)
    ),
}  # fmt: skip


def said(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[object, object]:
    """Its answer or what it raises, as written: 1 and True are not the same."""
    try:
        answer = function(*arguments)
    except ValueError as error:
        return type(error), str(error)
    return type(answer), answer


@pytest.mark.parametrize("name", sorted(MEMORIES))
@given(data=st.data())
def test_n1_a_memory_says_what_its_function_says(name: str, data: st.DataObject) -> None:
    remembered, plain, arguments = MEMORIES[name]
    for asked in data.draw(st.lists(arguments, min_size=2, max_size=8)):
        assert said(remembered, asked) == said(plain, asked)


def memories(source: Source) -> Iterator[str]:
    """Where `lru_cache` or `cache` of functools is used, by the name of what remembers."""
    module = ".".join(source.path.with_suffix("").parts)
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef) and any(map(_remembers, node.decorator_list)):
            yield f"{module}.{node.name}"
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if _remembers(node.value.func):
                yield f"{module}.{ast.unparse(target)}"


def _remembers(node: ast.expr) -> bool:
    return ast.unparse(node).split("(")[0] in {"lru_cache", "cache", "functools.cache"}


def test_n1_every_memory_of_the_code_is_asked_here() -> None:
    code = [
        each
        for each in sources()
        if each.is_python and each.package in PACKAGES and "cache" in each.text
    ]
    found = {name for source in code for name in memories(source)}
    assert found - MEMORIES.keys() == set(), "add a row to MEMORIES: what its answer depends on"
    assert MEMORIES.keys() - found == set(), "not there any more"
