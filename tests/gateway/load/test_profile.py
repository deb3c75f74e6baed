"""The profile of a load: read with its mistakes named, and the same messages in every run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from gateway.load.profile import Messages, Profile, ProfileError, rate_of, read, seconds_of


def test_a_profile_is_read(tmp_path: Path) -> None:
    file = tmp_path / "load.toml"
    file.write_text(
        'batch_share = 0.25\nnumbers = 2\n[[messages]]\ntext = "Hello {n}"\nfrom = "Shop"\n'
        "[thresholds]\naccept_p99_ms = 50\n"
    )
    profile = read(file)
    assert (profile.batch_share, profile.thresholds.accept_p99_ms) == (0.25, 50)
    messages = Messages(profile)
    assert messages.body(3) == {"to": "+8613900000001", "text": "Hello 3", "from": "Shop"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("batch_size = 0", r"\$\.batch_size"),
        ("batch_size = 1001", r"\$\.batch_size"),
        ('first_number = "139"', r"\$\.first_number"),
        ("surprise = 1", "surprise"),
        ("[[messages]]\nweight = 1", "text"),
        ("messages = []", r"\$\.messages"),
        ("[thresholds]\nfailed_share_max = 1.5", r"\$\.thresholds\.failed_share_max"),
        ("= 1", "line 1"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "load.toml"
    file.write_text(text)
    with pytest.raises(ProfileError, match=named):
        read(file)
    with pytest.raises(ProfileError, match="absent"):
        read(tmp_path / "absent.toml")


def test_kinds_come_as_often_as_they_weigh() -> None:
    messages = Messages(Profile())
    kinds = Counter(messages.body(place)["category"] for place in range(10_007))
    assert {kind: round(count / 10_007, 2) for kind, count in kinds.items()} == {
        "otp": 0.1,
        "transactional": 0.5,
        "marketing": 0.4,
    }


@pytest.mark.parametrize(
    ("text", "rate"), [("500", 500), ("500/s", 500), ("30000/min", 500), ("7200/h", 2)]
)
def test_a_rate_is_messages_a_second(text: str, rate: float) -> None:
    assert rate_of(text) == rate


@pytest.mark.parametrize("text", ["", "0", "-1", "500/day", "fast", "1e9", "200000/s"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ProfileError, match="no rate"):
        rate_of(text)


def test_spans_of_time() -> None:
    assert [seconds_of(text) for text in ("90s", "1.5min", "2h")] == [90, 90, 7_200]
    for text in ("", "0s", "90", "1d"):
        with pytest.raises(ProfileError, match="no span"):
            seconds_of(text)
