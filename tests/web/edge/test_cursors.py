"""Keyset cursors: walking a list by them, and everything that is not one."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from web.edge.cursors import KEY_BYTES, LIMIT_MAX, Cursors, Page, PageQuery, Position
from web.edge.parameters import QueryReader
from web.edge.problems import ProblemError

CURSORS = Cursors(bytes(KEY_BYTES))
READER = QueryReader(PageQuery)


class Filtered(PageQuery, kw_only=True):
    """A list with one filter."""

    status: str | None = None


def page(path: str, account: int = 1, cursors: Cursors = CURSORS) -> Page:
    request = make_mocked_request("GET", path)
    return cursors.page(request, account, QueryReader(Filtered).read(request))


def walk(rows: list[tuple[int, str]], path: str) -> list[tuple[int, str]]:
    """Every row, by following Link as a client would."""
    seen: list[tuple[int, str]] = []
    while True:
        asked = page(path)
        behind = [row for row in rows if not asked.after or row > asked.after]
        kept, cursor = asked.cut(behind[: asked.limit + 1], lambda row: row)
        seen += kept
        link = asked.headers(cursor).get("Link")
        if link is None:
            return seen
        path, end = link.removeprefix("<").split(">", 1)
        assert end == '; rel="next"'


@given(st.sets(st.tuples(st.integers(0, 2**63 - 1), st.text(max_size=20))), st.integers(1, 7))
def test_following_the_links_shows_every_row_once(rows: set[tuple[int, str]], limit: int) -> None:
    ordered = sorted(rows)
    assert walk(ordered, f"/v1/things?status=sent%2Bx&limit={limit}") == ordered


def test_a_cursor_is_good_for_its_list_filters_and_account_only() -> None:
    kept, cursor = page("/v1/things?status=sent&limit=1").cut([5, 6], lambda row: (row,))
    assert list(kept) == [5]
    assert page(f"/v1/things?status=sent&cursor={cursor}").after == (5,)
    assert page(f"/v1/things?cursor={cursor}&limit=9&status=sent").after == (5,)
    assert cursor is not None
    for path, account in (
        (f"/v1/others?status=sent&cursor={cursor}", 1),
        (f"/v1/things?status=failed&cursor={cursor}", 1),
        (f"/v1/things?cursor={cursor}", 1),
        (f"/v1/things?status=sent&cursor={cursor}", 2),
        (f"/v1/things?status=sent&cursor={cursor[:-1]}", 1),
        (f"/v1/things?status=sent&cursor={'A' * 4000}", 1),
        ("/v1/things?status=sent&cursor=", 1),
        ("/v1/things?status=sent&cursor=%C3%A9", 1),
    ):
        with pytest.raises(ProblemError, match="cursor_invalid"):
            page(path, account)
    with pytest.raises(ProblemError, match="cursor_invalid"):
        page(f"/v1/things?status=sent&cursor={cursor}", cursors=Cursors(b"\1" * KEY_BYTES))


def test_the_place_behind_the_longest_group_of_a_report_is_a_cursor() -> None:
    """By campaign, variant, tag and batch: three names of a hundred letters of four octets."""
    place: Position = (1_790_000_000_000, *[f"0{chr(0x20BB7) * 100}"] * 3, f"0{2**63 + 9:020}")
    _, cursor = page("/v1/things?limit=1").cut([place, place], lambda row: row)
    assert page(f"/v1/things?cursor={cursor}").after == place


@given(st.text())
def test_no_text_is_a_cursor(text: str) -> None:
    with pytest.raises(ProblemError, match="cursor_invalid"):
        CURSORS.page(make_mocked_request("GET", "/v1/things"), 1, PageQuery(cursor=text))


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit: not an integer >= 1"),
        (f"limit={LIMIT_MAX + 1}", f"limit: not an integer <= {LIMIT_MAX}"),
        ("limit=ten", "limit: not an integer"),
        ("limit=1&limit=2", "limit: given twice"),
        ("limt=1", "limt: unknown; did you mean 'limit'?"),
    ],
)
def test_parameters_are_refused_by_name(query: str, detail: str) -> None:
    with pytest.raises(ProblemError) as refused:
        READER.read(make_mocked_request("GET", f"/v1/things?{query}"))
    assert refused.value.detail == detail
