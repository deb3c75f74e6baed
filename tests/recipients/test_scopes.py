"""Which senders an opt-out of some senders covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipients.scopes import OptOutScopes, brands_of, plain

ACCOUNT, OTHER = 1, 2
SENDERS = ("100", "200", "300", "SHOP")
SCOPES = OptOutScopes({ACCOUNT: {"100": "shop", "SHOP": "shop", "200": "bank"}})


@pytest.mark.parametrize(
    ("senders", "sender", "expected"),
    [
        (None, "300", True),
        (["100"], "100", True),
        (["100"], "+100", True),
        (["100"], "SHOP", True),
        (["100"], "200", False),
        (["100"], "300", False),
        (["300"], "300", True),
        (["300"], "100", False),
        (["100", "200"], "200", True),
        (["100"], "", True),  # the carrier puts a sender of its own: nobody knows which
        ([], "100", False),
    ],
)
def test_k9_an_opt_out_covers_the_brand_of_its_senders(
    senders: list[str] | None, sender: str, expected: bool
) -> None:
    assert SCOPES.covers(ACCOUNT, senders, sender) is expected
    assert SCOPES.covers(OTHER, senders, sender) is True


@given(st.sampled_from(SENDERS), st.sampled_from(SENDERS))
def test_k9_the_way_back_takes_back_what_the_opt_out_has_covered(texted: str, sender: str) -> None:
    """Senders belong together or do not, whichever of them was texted."""
    covered = SCOPES.covers(ACCOUNT, SCOPES.of(ACCOUNT, texted), sender)
    assert covered == SCOPES.covers(ACCOUNT, SCOPES.of(ACCOUNT, sender), texted)
    assert covered == (sender in SCOPES.together(ACCOUNT, texted))
    assert SCOPES.of(OTHER, texted) is None


def test_k9_a_sender_is_known_as_it_is_written() -> None:
    scopes = OptOutScopes({ACCOUNT: {"100": "shop"}}, {ACCOUNT: {"200"}})
    assert [scopes.knows(ACCOUNT, each) for each in ("100", "+200", "00100", "300")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert not scopes.knows(OTHER, "100")


def test_k9_a_sender_is_of_one_brand() -> None:
    assert brands_of([("a", ["+100", "200"]), ("b", ["300"])]) == {
        "100": "a", "200": "a", "300": "b",
    }  # fmt: skip
    assert plain(" +100 ") == "100"
    with pytest.raises(ValueError, match="'100' is of 'a' and of 'b'"):
        brands_of([("a", ["100"]), ("b", ["+100"])])
