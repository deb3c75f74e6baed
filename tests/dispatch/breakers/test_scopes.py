"""Which messages a breaker covers, and how what it is about is written."""

from __future__ import annotations

import pytest

from dispatch.breakers.scopes import Board, Covering, Scope, Target, UnknownSubject, target_of
from dispatch.message import ReadyMessage
from storage.categories import Category
from storage.ids import format_id
from storage.names import SANDBOX

CONNECTORS = {"a": 1, "b": 2, "sandbox": SANDBOX}
ACCOUNTS = {"shop": 7}
BATCH = 1 << 40
BATCH_NAME = format_id("bat", BATCH)


def operator_of(number: str) -> str | None:
    return "china mobile" if number.startswith("+86138") else None


def board(*subjects: tuple[Scope, str], otp: bool = False) -> Board:
    found = Board(operator_of, otp=otp)
    targets = (target_of(scope, subject, CONNECTORS, ACCOUNTS) for scope, subject in subjects)
    found.learn(Covering(place, target, probing=False) for place, target in enumerate(targets))
    return found


def message(category: Category = Category.MARKETING, **fields: object) -> ReadyMessage:
    return ReadyMessage(
        **{  # type: ignore[arg-type]
            "id": 5, "category": category, "account": 7, "parts": 1, "cost": 1,
            "to": "+8613812345678", "to_idx": b"", "sender": "SHOP", "text": "", "batch_id": BATCH,
            **fields,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "subject", "fitting", "other"),
    [
        (Scope.CONNECTOR, "a", (message(), 1, None), (message(), 2, None)),
        (Scope.OPERATOR, "a:China Mobile", (message(), 1, None), (message(to="+49"), 1, None)),
        (Scope.OPERATOR, "a:china mobile", (message(), 1, None), (message(), 2, None)),
        (Scope.BATCH, BATCH_NAME, (message(), 1, None), (message(batch_id=None), 1, None)),
        (Scope.CAMPAIGN, "shop:summer", (message(), 1, "summer"), (message(), 1, "winter")),
        (Scope.SENDER, "shop:SHOP", (message(), 2, None), (message(account=8), 2, None)),
        (Scope.CONNECTOR, "a", (message(), 1, "x"), (message(), SANDBOX, None)),
    ],
)
def test_what_a_scope_covers(
    scope: Scope,
    subject: str,
    fitting: tuple[ReadyMessage, int, str | None],
    other: tuple[ReadyMessage, int, str | None],
) -> None:
    known = board((scope, subject))
    (covering,) = known.covering(*fitting)
    assert covering.target.scope is scope
    assert known.may_cover(fitting[0])
    assert known.covering(*other) == []


def test_campaigns_of_others_cost_an_account_no_question() -> None:
    known = board((Scope.CAMPAIGN, "shop:summer"))
    assert known.may_cover(message())
    assert not known.may_cover(message(account=8))


def test_g23_one_time_passwords_pass_unless_configured() -> None:
    otp = message(Category.OTP)
    assert board((Scope.CONNECTOR, "a")).covering(otp, 1, None) == []
    assert not board((Scope.CONNECTOR, "a")).may_cover(otp)
    assert len(board((Scope.CONNECTOR, "a"), otp=True).covering(otp, 1, None)) == 1


def test_the_narrowest_is_told_first() -> None:
    known = board((Scope.CONNECTOR, "a"), (Scope.SENDER, "shop:SHOP"), (Scope.BATCH, BATCH_NAME))
    scopes = [each.target.scope for each in known.covering(message(), 1, None)]
    assert scopes == [Scope.BATCH, Scope.SENDER, Scope.CONNECTOR]


def test_nothing_is_asked_while_nothing_holds() -> None:
    empty = board()
    assert not empty
    assert not empty.may_cover(message())


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        (Scope.CONNECTOR, "c"),
        (Scope.CONNECTOR, "sandbox"),
        (Scope.OPERATOR, "a"),
        (Scope.OPERATOR, "a:"),
        (Scope.OPERATOR, "c:china mobile"),
        (Scope.BATCH, "msg_1"),
        (Scope.SENDER, "SHOP"),
        (Scope.CAMPAIGN, "other:summer"),
        (Scope.CAMPAIGN, "shop:a\nb"),
        (Scope.CAMPAIGN, f"shop:{'x' * 100}"),
    ],
)
def test_what_is_not_there_is_said(scope: Scope, subject: str) -> None:
    with pytest.raises(UnknownSubject):
        target_of(scope, subject, CONNECTORS, ACCOUNTS)


def test_a_name_may_have_the_separator_in_it() -> None:
    found = target_of(Scope.CAMPAIGN, "shop:a:b", CONNECTORS, ACCOUNTS)
    assert found == Target(Scope.CAMPAIGN, "shop:a:b", account=7, name="a:b")
