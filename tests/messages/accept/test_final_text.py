"""The opt-out link in a text: where it stands, how it is counted, and what it never displaces."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from messages.accept.validation import Validator
from messages.models import Refused
from shortlinks.code import SLOTS
from shortlinks.rewrite import OPT_OUT_TARGET, PLACEHOLDER_CODE, fill_placeholders
from tests.messages.accept.test_validation import BASE, PLAIN, SHOP, check, prepared, validator

__all__ = ["validator"]  # the fixture

SHORT = f"{BASE}/{PLACEHOLDER_CODE}"
LINKING = msgspec.structs.replace(SHOP, opt_out_suffix="拒收请点 {{optout}}")


def test_the_mark_becomes_a_link_of_the_length_that_its_code_will_have(
    validator: Validator,
) -> None:
    message = prepared(validator, text="Sale! Stop: {{optout}} or see https://shop.example/a")
    assert message.text == f"Sale! Stop: {SHORT} or see {SHORT}"
    assert message.links == ("https://shop.example/a", OPT_OUT_TARGET)
    assert message.link_slots == (1, 0)
    assert message.parts == 1


def test_parts_are_counted_with_the_link_and_not_with_the_mark(validator: Validator) -> None:
    room = 160 - len(SHORT)
    assert prepared(validator, text="x" * (room - 1) + " {{optout}}").parts == 1
    assert prepared(validator, text="x" * room + " {{optout}}").parts == 2


def test_the_suffix_may_hold_the_link_and_a_text_with_one_gets_no_second(
    validator: Validator,
) -> None:
    message = prepared(validator, LINKING, text="新品上架", category="marketing")
    assert message.text == f"【商城】新品上架拒收请点 {SHORT}"
    assert (message.links, message.link_slots) == ((OPT_OUT_TARGET,), (0,))
    own = prepared(validator, LINKING, text="新品 {{optout}} 上架", category="marketing")
    assert own.text == f"【商城】新品 {SHORT} 上架"
    service = prepared(validator, LINKING, text="已发货", category="service")
    assert (service.text, service.links) == ("【商城】已发货", ())


def test_it_is_made_also_where_other_links_stay_as_they_are(validator: Validator) -> None:
    message = prepared(validator, text="https://a.example/ {{optout}}", shorten_urls=False)
    assert message.text == f"https://a.example/ {SHORT}"
    assert message.links == (OPT_OUT_TARGET,)


def test_a_link_before_it_ends_there(validator: Validator) -> None:
    message = prepared(validator, text="https://a.example/b{{optout}}")
    assert message.links == ("https://a.example/b", OPT_OUT_TARGET)


def test_it_takes_a_slot_of_its_own(validator: Validator) -> None:
    links = " ".join(f"https://a.example/{n}" for n in range(SLOTS - 1))
    assert len(prepared(validator, text=links + " {{optout}}").links) == SLOTS
    refused = check(validator, text=links + " https://b.example/ {{optout}}")
    assert isinstance(refused, Refused)
    assert refused.code == "links_too_many"


def test_a_placeholder_of_the_clients_own_is_refused_beside_it(validator: Validator) -> None:
    refused = check(validator, text=f"{SHORT} {{{{optout}}}}", shorten_urls=False)
    assert isinstance(refused, Refused)
    assert refused.code == "text_invalid"


PIECES = st.sampled_from(["https://a.example/", "http://b.example/x", "{{optout}}", "word", "好"])


@given(st.lists(PIECES, min_size=1, max_size=6))
def test_each_place_gets_the_code_of_its_own_slot(pieces: list[str]) -> None:
    message = prepared(_MADE[0], PLAIN, text=" ".join(pieces))
    urls = [f"{BASE}/{slot:08}" for slot in range(len(message.links))]
    filled = fill_placeholders(message.text, BASE, [urls[slot] for slot in message.link_slots])
    assert filled.split(" ") == [
        {"{{optout}}": OPT_OUT_TARGET}.get(piece, piece)
        if piece in ("word", "好")
        else urls[message.links.index({"{{optout}}": OPT_OUT_TARGET}.get(piece, piece))]
        for piece in pieces
    ]


_MADE: list[Validator] = []


@pytest.fixture(autouse=True, scope="module")
def _made(validator: Validator) -> None:
    _MADE.append(validator)
