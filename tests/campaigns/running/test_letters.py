"""What is written to people of a campaign, where it cannot be written at all."""

from __future__ import annotations

from typing import cast
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from campaigns.running.feed import Unrenderable
from campaigns.running.letters import Check, Letters
from campaigns.running.spec import Arm, Audience, Spec
from tests.campaigns.running.shop import Every
from tests.messages.accept.world import VAULT

SPEC = Spec(name="x", audience=Audience("has a"), arms=(Arm("tpl_0nx25tc8g2000@1"),))


async def test_a_test_of_an_account_that_is_configured_no_more_is_refused() -> None:
    letters = Letters(
        cast("asyncpg.Pool[asyncpg.Record]", None),
        check=cast(Check, None),
        templates=Every(),
        accounts={},
        vault=VAULT,
        zones=lambda account: ZoneInfo("UTC"),
        loud=lambda to, account, category, at_ms: at_ms,
    )
    with pytest.raises(Unrenderable, match="not configured any more"):
        await letters.tests(1, SPEC, ["+8613812345678"], 0)
