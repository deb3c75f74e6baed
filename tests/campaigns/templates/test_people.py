"""Tests of campaigns/templates/people.py."""

from __future__ import annotations

import pytest

from campaigns.templates.content import Content, version
from campaigns.templates.people import Person, params_of
from campaigns.templates.variables import Variable, VariableType


def said(value: object, kind: VariableType = "text", *, source: str | None = "attr.it") -> object:
    variable = Variable(type=kind, max=20, source=source)
    content = Content(category="marketing", body="{{it}}", variables={"it": variable})
    person = Person({"it": value}, "crm-1", "shop", "Asia/Shanghai")
    money = {"it"} if kind == "money" else set[str]()
    return params_of(version(1, 1, content), person, money).get("it")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("王", "王"), (3.0, "3"), (2.5, "2.5"), (20, "20"), (True, None), (None, None),
        (["红", "蓝"], "红、蓝"),
    ],
)  # fmt: skip
def test_an_attribute_is_said_as_it_was_typed(value: object, words: str | None) -> None:
    assert said(value) == words


@pytest.mark.parametrize(
    ("micros", "words"),
    [(20_000_000, "20"), (12_500_000, "12.50"), (129_990_000, "129.99"), (1_234, "0.001234")],
)
def test_an_amount_is_said_in_its_currency_and_not_as_it_is_kept(micros: int, words: str) -> None:
    assert said(micros, "money") == words


def test_a_number_is_no_amount_whatever_its_variable_is() -> None:
    """Whether it is kept in millionths says the attribute and not the template."""
    variable = Variable(type="money", max=20, source="attr.it")
    content = Content(category="marketing", body="{{it}}", variables={"it": variable})
    assert params_of(version(1, 1, content), Person({"it": 20}), ()) == {"it": "20"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "by its name"), ("contact.external_id", "crm-1"), ("contact.source", "shop"),
        ("contact.time_zone", "Asia/Shanghai"), ("attr.other", None), ("contact.it", None),
        ("other", None), ("external_id", None),
    ],
)  # fmt: skip
def test_each_source_that_a_template_may_name_is_known(
    source: str | None, words: str | None
) -> None:
    assert said("by its name", source=source) == words


def test_values_of_a_contact_are_found_by_their_sources() -> None:
    variables = {
        "name": Variable(type="text", max=8, source="attr.first_name"),
        "city": Variable(type="text", max=8),
    }
    content = Content(category="marketing", body="{{name}},{{city}}", variables=variables)
    person = Person({"first_name": "王", "city": "北京", "name": "no"})
    assert params_of(version(1, 1, content), person, ()) == {"name": "王", "city": "北京"}
