"""The blocks of docs/campaigns.md are written from calls, and nothing else of it is touched."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from gateway.demo.campaign.asking import Call
from tests.docs.campaign_walk import COLUMNS, PAGE, REASON, SHOWN, Walk, marks, rewritten, wrapped
from tests.docs.shapes import differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@given(JSON, st.integers(1, 40))
def test_json_is_cut_only_between_its_members(value: object, columns: int) -> None:
    text = json.dumps(value)
    lines = wrapped(text, columns)
    assert json.loads("".join(lines)) == value
    assert all(line.startswith(" ") for line in lines[1:])


def test_a_block_shows_what_was_called_and_what_matters_of_the_answer() -> None:
    link = "https://127.0.0.1:41234/sale"
    answer = {"id": "tpl_1", "object": "template", "reference": "tpl_1@1", "lint": [], "x": 1}
    body = {"name": "流失召回", "links": {"main": {"url": link}}}
    walk = Walk({"template": Call("POST", "/v1/templates", body, answer)})
    typed, said, printed = walk.block("template")
    assert typed == "$ curl -K campaigns.curl localhost:8080/v1/templates \\"
    assert (
        said.strip()
        == """--json '{"name":"流失召回","links":{"main":{"url":"https://shop.example/sale"}}}'"""
    )
    assert printed == '{"id":"tpl_1","reference":"tpl_1@1","lint":[],…}'
    assert differences([printed], [json.dumps(answer)]) == []


def test_only_the_marked_blocks_are_written() -> None:
    marked = f"<!-- not run: {REASON}plan -->\n```console\n$ old\n```\n"
    page = f"# A\n\n{marked}\nB\n\n```console\n$ ls\n```\n"
    walk = Walk({"plan": Call("POST", "/v1/campaigns/cmp_1/plan", None, {"segment": 3})})
    new = rewritten(page, walk)
    assert marks(new) == ["plan"]
    assert new == page.replace(
        "$ old",
        '$ curl -K campaigns.curl -X POST localhost:8080/v1/campaigns/cmp_1/plan\n{"segment":3}',
    )


def test_the_page_shows_each_call_once_and_in_the_order_of_the_walk() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert marks(text) == list(SHOWN)
    assert all(len(line) <= COLUMNS + 40 for line in text.splitlines() if line.startswith(" "))
