"""A reply of nobody: it is read and applied as every other, and leaves nothing."""

from __future__ import annotations

import pytest

from dispatch.inbound.opt_outs import OptOutPolicy, OptOuts
from dispatch.inbound.trial import NOBODY, OptOutTrial
from recipients.just_stopped import JustStopped
from recipients.replies import ReplyWords
from recipients.scopes import OptOutScopes
from storage.categories import Category
from storage.suppression import EVERY_CATEGORY
from tests.dispatch.inbound.world import ACCOUNT, SENDER
from tests.dispatch.world import VAULT, World, running, wall_ms

MARKETING = int(Category.MARKETING)
LEAVES = "SELECT (SELECT count(*) FROM suppression), (SELECT count(*) FROM audit)"


def trial(world: World, policy: OptOutPolicy, stopped: JustStopped | None = None) -> OptOutTrial:
    live = OptOuts(
        {ACCOUNT: policy}, stopped=stopped or JustStopped(), ids=world.ids, wall_ms=wall_ms,
        monotonic=lambda: 0.0,
    )  # fmt: skip
    live.scopes = OptOutScopes({ACCOUNT: {SENDER: "shop", "10690002": "bank"}})
    return OptOutTrial(
        world.database.dedicated("trial"), live, vault=VAULT, ids=world.ids, wall_ms=wall_ms
    )


async def test_a_word_of_the_account_opts_out_and_nothing_is_left(database_url: str) -> None:
    async with running(database_url) as world:
        stopped = JustStopped()
        asked = trial(world, OptOutPolicy(ReplyWords.of()), stopped)
        assert await asked.fault(ACCOUNT, SENDER, MARKETING, "R") is None
        assert await asked.fault(ACCOUNT, SENDER, MARKETING, "R") is None, "no trace of the first"
        assert tuple(await world.connection.fetchrow(LEAVES) or ()) == (0, 0)
        index = VAULT.index(NOBODY)
        assert stopped.reason(index, ACCOUNT, MARKETING, wall_ms(), SENDER) is None


@pytest.mark.parametrize(
    ("policy", "word", "fault"),
    [
        (OptOutPolicy(ReplyWords.of()), "QUATSCH", "a reply QUATSCH is read as other"),
        (OptOutPolicy(ReplyWords.of(["ADIOS"])), "R", "a reply R is read as other"),
        (
            OptOutPolicy(ReplyWords.of(["STOP"], names={"R": "rebate"})), "R",
            "a reply R is read as keyword",
        ),
        (
            OptOutPolicy(ReplyWords.of(), category=int(Category.SERVICE)), "R",
            "a reply R ends other messages than these",
        ),
        (OptOutPolicy(ReplyWords.of(), category=EVERY_CATEGORY), "R", None),
        (
            OptOutPolicy(
                ReplyWords.of(), of_senders={SENDER: OptOutPolicy(ReplyWords.of(["ADIOS"]))}
            ),
            "R", "a reply R is read as other",
        ),
    ],
)  # fmt: skip
async def test_what_a_word_does_is_what_the_account_has_it_do(
    database_url: str, policy: OptOutPolicy, word: str, fault: str | None
) -> None:
    async with running(database_url) as world:
        assert await trial(world, policy).fault(ACCOUNT, SENDER, MARKETING, word) == fault
