"""What may stand in the audit for ever: known keys with counts and words, and no person."""

from __future__ import annotations

import pytest

from storage.audit_detail import LIST_ITEMS_MAX, DetailRefused, check


@pytest.mark.parametrize(
    "detail",
    [
        {},
        {"category": 3, "source": "keyword"},
        {"list": "inbound", "rows": 2, "first": "inb_0aq3zk5m80000", "last": None},
        {"first": "2026-01-01T10:00:00.123456+00:00"},
        {"scopes": ["messages:send", "admin"], "key": 7},
        {"until": "2026-01-01T10:00:00Z"},
        {"scope": "sender", "target": "10690001"},
    ],
)
def test_ids_counts_and_words_are_taken(detail: dict[str, object]) -> None:
    check(detail)


@pytest.mark.parametrize(
    "detail",
    [
        {"name": "Wang"},
        {"number": 1},
        {"message": "+8613812345678"},
        {"message": "8613812345678"},
        {"source": "Wang Xiaoming"},
        {"source": "wang@example.com"},
        {"source": ""},
        {"source": "x" * 65},
        {"source": 1.5},
        {"source": {"of": "whom"}},
        {"scopes": ["admin", "+8613812345678"]},
        {"until": "tomorrow"},
        {"scopes": ["admin"] * (LIST_ITEMS_MAX + 1)},
    ],
)
def test_g35_names_numbers_and_free_text_are_refused(detail: dict[str, object]) -> None:
    with pytest.raises(DetailRefused) as refused:
        check(detail)
    assert "8613812345678" not in str(refused.value)
    assert "Wang" not in str(refused.value)
