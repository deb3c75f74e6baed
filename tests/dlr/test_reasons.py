"""The closed set of reasons."""

from __future__ import annotations

import pytest

from dlr.reasons import REASONS, Reason, reason_from_label


def test_every_reason_has_its_row() -> None:
    assert set(REASONS) == set(Reason)


def test_labels_read_back() -> None:
    assert {reason_from_label(reason.label) for reason in Reason} == set(Reason)
    with pytest.raises(ValueError, match="number_unknown"):
        reason_from_label("vacant")
