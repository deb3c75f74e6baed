"""A marketer's walk: from a file of people to a campaign that has finished, and its report.

Owns the calls and their order within each step. Must not judge what is answered (judge.py), nor
reach anything but the public API.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from gateway.demo.campaign import win_back
from gateway.demo.campaign.asking import Asking
from gateway.demo.campaign.cast import STEPS, Cast, Role
from gateway.rehearsal.processes import RehearsalError

SUPPRESSIONS_MAX = 10_000
CANARY_FROM = 1_000  # people; fewer go at once
STANDS_SECONDS = 900.0
SETTLE_SECONDS = 180.0
WINDOW = {"from": "10:00", "to": "20:00"}  # what the linter judges
BASE, HOPED = 0.06, 0.08  # of people who click: what is known, and what the other text may bring
WINDOW_MINUTES, DECIDE_MINUTES = 2, 12  # for people to react, and to decide at the latest


class Campaign(msgspec.Struct, frozen=True):
    """One that is written, and its plan."""

    id: str
    plan: dict[str, Any]

    @property
    def path(self) -> str:
        """Of the API."""
        return f"/v1/campaigns/{self.id}"


class Marketer:
    """One account's."""

    def __init__(self, asking: Asking, cast: Cast) -> None:
        self._asking = asking
        self._ask = asking.ask
        self._cast = cast

    async def contacts(self) -> dict[str, Any]:
        """The file is imported, and who is out already is suppressed; the finished import."""
        for name, label, kind in win_back.ATTRIBUTES:
            body = {"type": kind, "label": label, "personal": name == "name"}
            await self._ask("attribute", "PUT", f"/v1/contacts/attributes/{name}", body)
        today = datetime.now(UTC).date()
        content = "".join(win_back.file_of(self._cast, today)).encode()
        begun = await self._asking.file("import", "/v1/contacts/import", "text/csv", content)
        path = f"/v1/contacts/import/{begun['id']}"
        await self._seen(path, _ended, "the import")
        await self._suppress()
        found: dict[str, Any] = await self._ask("imported", "GET", path)
        await self._ask("rows", "GET", f"{path}/rows?verdict=invalid")
        if found["state"] != "done":
            raise RehearsalError(f"the import has {found['state']}: {found['detail']}")
        return found

    async def count(self) -> dict[str, Any]:
        """The segment counted, with some of whom it means."""
        body = {"source": win_back.SEGMENT, "sample": 1}
        found: dict[str, Any] = await self._ask("preview", "POST", "/v1/segments/preview", body)
        return found

    async def templates(self, link: str) -> list[str]:
        """The references of the three texts; the linter has nothing against them."""
        references = []
        for text in range(len(win_back.MARKS)):
            body = win_back.template(text, link)
            made = await self._ask("template", "POST", "/v1/templates", body)
            asked = {"template_id": made["reference"], "check_links": True, "hours": WINDOW}
            said = await self._ask("lint", "POST", "/v1/templates/lint", asked)
            if said["errors"] or said["warnings"]:
                raise RehearsalError(f"the linter: {said['findings']}")
            references.append(made["reference"])
        return references

    async def power(self) -> dict[str, Any]:
        """What so many people can show, asked before anybody is texted."""
        size = self._cast.people // 2
        path = f"/v1/power?base={BASE}&other={HOPED}&size={size}"
        found: dict[str, Any] = await self._ask("power", "GET", path)
        return found

    async def mistaken(self) -> None:
        """Somebody asks for what cannot be, and is told all of it at once."""
        spec = {
            "name": "x",
            "audience": {"segment": win_back.SEGMENT},
            "arms": [{"template": "tpl_a"}],
            "holdout": 2,
            "schedule": {"spread": "4 hours"},
        }
        await self._asking.refused("wrong", "POST", "/v1/campaigns", spec)

    async def write(
        self, name: str, segment: str, references: list[str], *, which: str = "", start: str = ""
    ) -> Campaign:
        """A campaign with an arm for each text, written and planned; with several arms it is an
        experiment. `which`: as its calls are named. `start`: when it begins.
        """
        spec: dict[str, Any] = {
            "name": name,
            "goal": "recall",
            "from": win_back.SENDER,
            "audience": {"segment": segment, "exclude": [win_back.STAFF_TAG]},
            "arms": [{"template": each} for each in references],
        }
        if self._cast.people < CANARY_FROM:
            spec["canary"] = {"share": 0}
        if len(references) > 1:
            spec["experiment"] = self._experiment()
        if start:
            spec["schedule"] = {"start": start}
        made = await self._ask(f"{which}write", "POST", "/v1/campaigns", spec)
        plan = await self._ask(f"{which}plan", "POST", f"/v1/campaigns/{made['id']}/plan")
        return Campaign(made["id"], plan)

    async def test(self, campaign: Campaign) -> None:
        """Its texts go to one telephone, until they are delivered. A start before is refused."""
        early = {"confirm_recipients": 1}
        await self._asking.refused("early", "POST", f"{campaign.path}/start", early)
        body = {"to": [win_back.TEST_NUMBER]}
        tested = await self._ask("test", "POST", f"{campaign.path}/test", body)
        for message in tested["messages"]:
            await self._seen(f"/v1/messages/{message['id']}", _delivered, "the test")

    async def start(self, campaign: Campaign) -> None:
        """Whoever has seen the plan says how many people it names."""
        confirmed = {"confirm_recipients": campaign.plan["planned"]}
        await self._ask("start", "POST", f"{campaign.path}/start", confirmed)

    async def decide(self, campaign: Campaign, arm: int, reason: str) -> None:
        """The experiment is decided by hand."""
        body = {"arm": arm, "reason": reason}
        await self._ask("decide", "POST", f"{campaign.path}/decide", body)

    async def stop(self, reference: str) -> None:
        """One that is to begin in an hour is paused, let go again, and canceled."""
        later = datetime.now(UTC) + timedelta(hours=1)
        campaign = await self.write(
            "周末预告", win_back.SEGMENT, [reference],
            which="third ", start=later.isoformat(timespec="seconds"),
        )  # fmt: skip
        await self.test(campaign)
        await self.start(campaign)
        because = {"reason": "the shop is down"}
        await self._ask("pause", "POST", f"{campaign.path}/pause", because)
        await self._ask("resume", "POST", f"{campaign.path}/resume")
        await self._ask("cancel", "POST", f"{campaign.path}/cancel")

    async def ahead(self, references: list[str]) -> None:
        """The next campaign is written and planned, and not sent: an experiment on some of the
        people, and a share of all held out. Those with a tag get no more than so many a week.
        """
        spec = {
            "name": "双11",
            "audience": {"segment": win_back.SEGMENT},
            "arms": [{"template": each} for each in references],
            "holdout": 0.1,
            "canary": {"share": 0},
            "experiment": {
                "metric": "uctr_delivered",
                "window": "24h",
                "tau": 0.005,
                "test_share": 0.8,
                "decide_by": "PT36H",
                "fallback": "control",
            },
        }
        made = await self._ask("experiment", "POST", "/v1/campaigns", spec)
        await self._ask("experiment plan", "POST", f"/v1/campaigns/{made['id']}/plan")
        cap = {"tag": win_back.STAFF_TAG, "week": 3, "month": 8}
        await self._ask("cap", "POST", "/v1/caps", cap)

    async def stands(
        self,
        campaign: Campaign,
        wanted: Callable[[dict[str, Any]], bool],
        heard: Callable[[dict[str, Any]], None] = lambda stands: None,
    ) -> None:
        """Until the campaign stands as wanted; `heard` is told where it stands meanwhile. Raises
        RehearsalError when it is paused, too.
        """

        def over(stands: dict[str, Any]) -> bool:
            heard(stands)
            if stands["state"] == "paused":
                raise RehearsalError(f"the campaign was paused: {stands['reason']}")
            return wanted(stands)

        await self._seen(campaign.path, over, "the campaign", seconds=STANDS_SECONDS)

    async def finished(self, campaign: Campaign) -> dict[str, Any]:
        """The campaign once every message has ended."""
        await self.stands(campaign, lambda stands: bool(stands["state"] == "finished"))
        found: dict[str, Any] = await self._ask("finished", "GET", campaign.path)
        return found

    async def clicks(self, campaign: Campaign, done: Callable[[Any], bool]) -> Any:
        """The campaign's clicks and what they led to, by arm, once `done` is pleased."""
        _, found = await self._clicks(campaign, done)
        return found

    async def led_to(self, campaign: Campaign, done: Callable[[Any], bool]) -> Any:
        """The same, kept as the call that is shown."""
        path, found = await self._clicks(campaign, done)
        await self._ask("clicks", "GET", path)
        return found

    async def _clicks(self, campaign: Campaign, done: Callable[[Any], bool]) -> tuple[str, Any]:
        steps = ",".join(STEPS)
        path = f"/v1/reports/clicks?group_by=campaign,variant&steps={steps}"

        async def look() -> list[Any]:
            groups = (await self._asking.client.get(path))["groups"]
            return [group for group in groups if group["key"]["campaign"] == campaign.id]

        return path, await self._asking.seen(look, done, "the clicks", seconds=SETTLE_SECONDS)

    async def report(self, campaign: Campaign, done: Callable[[Any], bool]) -> Any:
        """The campaign's own report, once `done` is pleased."""
        path = f"{campaign.path}/report"
        await self._seen(path, done, "the report", seconds=SETTLE_SECONDS)
        return await self._ask("report", "GET", path)

    async def audit(self, campaign: Campaign) -> None:
        """Its report once more, with the part for an audit."""
        await self._ask("compliance", "GET", f"{campaign.path}/report?compliance=true")

    async def known_logins(self, people: int) -> None:
        """Once segments know that so many people have logged in."""
        body = {"source": win_back.LOGGED_IN, "sample": 0}

        async def look() -> int:
            _, found = await self._asking.client.call("POST", "/v1/segments/preview", body)
            return int(found["inside"])

        await self._asking.seen(look, lambda inside: inside >= people, "the logins")

    async def why(self, campaign: Campaign) -> str:
        """Who is in the plan and who is not; what happened to its first person, in the gateway's
        words.
        """
        path = f"{campaign.path}/recipients?limit=1"
        found = await self._ask("recipients", "GET", path)
        path = f"{campaign.path}/excluded?because=suppressed&limit=1"
        await self._ask("excluded", "GET", path)
        path = f"/v1/contacts/{found['data'][0]['contact']}/why?campaign={campaign.id}"
        told = await self._ask("why", "GET", path)
        return str(told["data"][0]["text"])

    def _experiment(self) -> dict[str, object]:
        return {
            "metric": "uctr_delivered",
            "base": BASE,
            "tau": round(HOPED - BASE, 4),
            "test_share": win_back.test_share(self._cast.people),
            "window": f"PT{WINDOW_MINUTES}M",
            "decide_by": f"PT{DECIDE_MINUTES}M",
        }

    async def _suppress(self) -> None:
        out = [
            {"number": self._cast.number(place)}
            for place in range(self._cast.people, self._cast.rows)
            if self._cast.role(place) is Role.OPTED_OUT
        ]
        for start in range(0, len(out), SUPPRESSIONS_MAX):
            some = {"suppressions": out[start : start + SUPPRESSIONS_MAX]}
            await self._ask("suppress", "POST", "/v1/suppressions", some)

    async def _seen(
        self,
        path: str,
        wanted: Callable[[dict[str, Any]], bool],
        what: str,
        *,
        seconds: float = SETTLE_SECONDS,
    ) -> None:
        async def look() -> dict[str, Any]:
            found: dict[str, Any] = await self._asking.client.get(path)
            return found

        await self._asking.seen(look, wanted, what, seconds=seconds)


def _ended(job: dict[str, Any]) -> bool:
    return job["state"] in ("done", "failed")


def _delivered(message: dict[str, Any]) -> bool:
    return bool(message["status"] == "delivered")
